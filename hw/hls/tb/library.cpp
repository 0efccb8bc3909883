// The kernel as a shared library with a C interface: what the simulated board loads. See library.h.

#include "library.h"

#include <mutex>

#include "first_exit.h"

namespace {

constexpr int BEAT_BYTES = spec::BEAT_BYTES;

// The streams of the C simulation share a counter that is not atomic.
std::mutex kernel_in_use;

spec::Word load_beat(const uint8_t* bytes) {
  spec::Word word = 0;
  for (int byte = 0; byte < BEAT_BYTES; ++byte) word |= spec::Word(bytes[byte]) << (8 * byte);
  return word;
}

void store_beat(spec::Word word, uint8_t* bytes) {
  for (int byte = 0; byte < BEAT_BYTES; ++byte) bytes[byte] = uint8_t(word >> (8 * byte));
}

// Beats that the kernel takes for a batch: up to the first TLAST, or the first one at or behind the batch's end.
// More than there are means that it would wait for ever.
uint64_t beats_needed(const uint8_t* last, uint64_t input_beats, uint32_t num_images) {
  if (num_images == 0) return 0;
  uint64_t beat = 0;
  while (beat < input_beats && !last[beat]) ++beat;
  return beat + 1;
}

}  // namespace

uint32_t first_exit_beat_bytes(void) { return BEAT_BYTES; }

int first_exit_run(const uint8_t* beats, const uint8_t* last, uint64_t input_beats, uint32_t num_images, uint32_t mode,
                   uint16_t feature_margin, uint8_t* output, uint8_t* output_last, uint64_t output_capacity_beats,
                   uint64_t* consumed_beats, uint64_t* produced_beats, struct first_exit_registers* registers) {
  *consumed_beats = *produced_beats = 0;
  const uint64_t needed = beats_needed(last, input_beats, num_images);
  if (needed > input_beats) return FIRST_EXIT_STARVED;
  const bool with_features = (mode & spec::MODE_FEATURES) != 0;
  const uint64_t image_beats = spec::RESULT_BEATS + (with_features ? spec::FEATURE_BEATS : 0);
  if (num_images * image_beats > output_capacity_beats) return FIRST_EXIT_OUTPUT_FULL;

  const std::lock_guard<std::mutex> lock(kernel_in_use);
  hls::stream<Beat> images, results;
  for (uint64_t beat = 0; beat < needed; ++beat) {
    Beat sent;
    sent.data = load_beat(beats + beat * BEAT_BYTES);
    sent.keep = -1;
    sent.strb = -1;
    sent.last = last[beat] != 0;
    images.write(sent);
  }
  first_exit(images, results, num_images, mode, feature_margin, registers->magic, registers->version,
             registers->build_id, registers->images_done, registers->error_flags, registers->images_crc,
             registers->results_crc);
  *consumed_beats = needed - images.size();
  *produced_beats = results.size();
  for (uint64_t beat = 0; beat < *produced_beats; ++beat) {
    const Beat received = results.read();
    store_beat(spec::Word(received.data), output + beat * BEAT_BYTES);
    output_last[beat] = received.last == 1;
  }
  return FIRST_EXIT_DONE;
}
