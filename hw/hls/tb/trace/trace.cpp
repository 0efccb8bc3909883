// Prints the reads and writes of every process for a batch, of which the standard input brings the pixels:
//
//   trace NUM_IMAGES MODE FEATURE_MARGIN < PIXELS

#include <cstdlib>

#include "first_exit.h"

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: trace NUM_IMAGES MODE FEATURE_MARGIN < PIXELS\n");
    return 2;
  }
  const uint32_t num_images = uint32_t(std::atoi(arguments[1])), mode = uint32_t(std::atoi(arguments[2]));
  const uint16_t feature_margin = uint16_t(std::atoi(arguments[3]));
  hls::stream<Beat> images, results;
  for (uint32_t index = 0; index < num_images * spec::IMAGE_BEATS; ++index) {
    spec::Word word = 0;
    for (int byte = 0; byte < spec::BEAT_BYTES; ++byte) {
      const int pixel = std::getchar();
      if (pixel < 0) {
        std::fprintf(stderr, "the pixels end in beat %u\n", index);
        return 2;
      }
      word |= spec::Word(pixel) << (8 * byte);
    }
    Beat beat = {};
    beat.data = word;
    beat.last = index == num_images * spec::IMAGE_BEATS - 1;
    images.write(beat);
  }
  uint32_t magic, version, build_id, images_done, error_flags, images_crc, results_crc;
  first_exit(images, results, num_images, mode, feature_margin, magic, version, build_id, images_done, error_flags,
             images_crc, results_crc);
  return images_done == num_images && error_flags == 0 ? 0 : 1;
}
