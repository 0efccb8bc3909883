// The kernel: AXI4-Stream framing around the core, and the registers.

#include "first_exit.h"

#include "pragmas.h"
#include "processes.h"

namespace {

using fabric::BatchPosition;
using fabric::Word;
using Flags = uint16_t;

constexpr int FLAGS_BITS = 16;

// The core always gets every word of num_images images. After an early TLAST these are zeros, and the images that
// lack pixels are flagged; after a missing one, surplus beats are dropped up to the next TLAST.
void unframe(hls::stream<Beat>& images, hls::stream<Word>& words, hls::stream<Flags>& flags, uint32_t num_images,
             uint32_t& images_done, uint32_t& error_flags) {
  VITIS(HLS inline off)
  bool ended = num_images == 0;
  bool short_batch = false;
  uint32_t done = 0;

each_beat:
  for (BatchPosition batch; !batch.is(num_images, 0); batch.advance(spec::IMAGE_BEATS)) {
    VITIS(HLS pipeline II=1 style=stp)
    Word word = 0;
    const bool missing = ended;
    if (!ended) {
      const Beat received = images.read();
      word = Word(received.data);
      ended = received.last == 1;
    }
    words.write(word);
    short_batch |= missing;
    if (batch.image_ends(spec::IMAGE_BEATS)) {
      flags.write(missing ? Flags(spec::RESULT_TRUNCATED) : Flags(0));
      if (!missing) ++done;
    }
  }

  const bool long_batch = !ended;
drain:
  while (!ended) {
    VITIS(HLS pipeline II=1 style=stp)
    ended = images.read().last == 1;
  }
  images_done = done;
  error_flags = (short_batch ? spec::ERROR_SHORT_BATCH : 0) | (long_batch ? spec::ERROR_LONG_BATCH : 0);
}

// Adds each image's flags to its record, and TLAST to the batch's last beat.
void frame(hls::stream<Word>& merged, hls::stream<Flags>& flags, hls::stream<Beat>& results, uint32_t num_images,
           uint32_t mode) {
  VITIS(HLS inline off)
  const bool with_features = (mode & spec::MODE_FEATURES) != 0;
  const ap_uint<8> image_beats = spec::RESULT_BEATS + (with_features ? spec::FEATURE_BEATS : 0);

each_beat:
  for (BatchPosition batch; !batch.is(num_images, 0); batch.advance(image_beats)) {
    VITIS(HLS pipeline II=1 style=stp)
    Word word = merged.read();
    const bool image_ends = batch.image_ends(image_beats);
    if (image_ends) word |= Word(flags.read()) << (spec::BEAT_BITS - FLAGS_BITS);
    Beat sent;
    sent.data = word;
    sent.keep = -1;
    sent.strb = -1;
    sent.last = image_ends && batch.images == num_images - 1;
    results.write(sent);
  }
}

void run_batch(hls::stream<Beat>& images, hls::stream<Beat>& results, uint32_t num_images, uint32_t mode,
               uint32_t& images_done, uint32_t& error_flags) {
  VITIS(HLS dataflow)
  hls::stream<Word> words;
  VITIS(HLS stream variable=words depth=FIRST_EXIT_DEPTH_WORDS)
  VITIS(HLS bind_storage variable=words type=fifo impl=srl)
  hls::stream<Word> merged;
  VITIS(HLS stream variable=merged depth=FIRST_EXIT_DEPTH_MERGED)
  VITIS(HLS bind_storage variable=merged type=fifo impl=srl)
  hls::stream<Flags> flags;
  VITIS(HLS stream variable=flags depth=FIRST_EXIT_DEPTH_FLAGS)
  VITIS(HLS bind_storage variable=flags type=fifo impl=srl)

  unframe(images, words, flags, num_images, images_done, error_flags);
  first_exit_core(words, merged, num_images, mode);
  frame(merged, flags, results, num_images, mode);
}

}  // namespace

void first_exit(hls::stream<Beat>& images, hls::stream<Beat>& results, uint32_t num_images, uint32_t mode,
                uint32_t& magic, uint32_t& version, uint32_t& build_id, uint32_t& images_done, uint32_t& error_flags) {
  VITIS(HLS interface axis port=images)
  VITIS(HLS interface axis port=results)
  VITIS(HLS interface s_axilite port=return)
  VITIS(HLS interface s_axilite port=num_images offset=FIRST_EXIT_OFFSET_NUM_IMAGES)
  VITIS(HLS interface s_axilite port=mode offset=FIRST_EXIT_OFFSET_MODE)
  VITIS(HLS interface s_axilite port=magic offset=FIRST_EXIT_OFFSET_MAGIC)
  VITIS(HLS interface s_axilite port=version offset=FIRST_EXIT_OFFSET_VERSION)
  VITIS(HLS interface s_axilite port=build_id offset=FIRST_EXIT_OFFSET_BUILD_ID)
  VITIS(HLS interface s_axilite port=images_done offset=FIRST_EXIT_OFFSET_IMAGES_DONE)
  VITIS(HLS interface s_axilite port=error_flags offset=FIRST_EXIT_OFFSET_ERROR_FLAGS)
  magic = spec::MAGIC;
  version = spec::INTERFACE_VERSION;
  build_id = spec::BUILD_ID;
  run_batch(images, results, num_images, mode, images_done, error_flags);
}
