// Prints the reads and writes of every process for a batch of black images: trace NUM_IMAGES MODE

#include <cstdlib>

#include "first_exit.h"

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: trace NUM_IMAGES MODE\n");
    return 2;
  }
  const uint32_t num_images = uint32_t(std::atoi(arguments[1])), mode = uint32_t(std::atoi(arguments[2]));
  hls::stream<Beat> images, results;
  Beat beat = {};
  for (uint32_t index = 0; index < num_images * spec::IMAGE_BEATS; ++index) {
    beat.last = index == num_images * spec::IMAGE_BEATS - 1;
    images.write(beat);
  }
  uint32_t magic, version, build_id, images_done, error_flags;
  first_exit(images, results, num_images, mode, magic, version, build_id, images_done, error_flags);
  return images_done == num_images && error_flags == 0 ? 0 : 1;
}
