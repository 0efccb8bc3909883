// The kernel: AXI4-Stream framing around the core, and the registers.

#include "first_exit.h"

#include "checksum.h"
#include "pragmas.h"
#include "processes.h"

namespace {

using fabric::BatchPosition;
using fabric::FLAGS_BITS;
using fabric::Word;
using Flags = uint16_t;

// The core always gets every word of num_images images. After an early TLAST these are zeros, and the images that
// lack pixels are flagged; after a missing one, surplus beats are dropped up to the next TLAST.
void unframe(hls::stream<Beat>& images, hls::stream<Word>& words, hls::stream<Flags>& flags, uint32_t num_images,
             uint32_t& images_done, uint32_t& error_flags, uint32_t& images_crc) {
  VITIS(HLS inline off)
  bool ended = num_images == 0;
  bool short_batch = false;
  uint32_t done = 0;
  uint32_t crc = fabric::CRC_START;

each_beat:
  for (BatchPosition batch; !batch.is(num_images, 0); batch.advance(spec::IMAGE_BEATS)) {
    VITIS(HLS pipeline II=1 style=stp)
    Word word = 0;
    const bool missing = ended;
    if (!ended) {
      const Beat received = images.read();
      word = Word(received.data);
      crc = fabric::next_crc(crc, word);
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
    const Beat received = images.read();
    crc = fabric::next_crc(crc, Word(received.data));
    ended = received.last == 1;
  }
  images_done = done;
  images_crc = ~crc;
  error_flags = (short_batch ? spec::ERROR_SHORT_BATCH : 0) | (long_batch ? spec::ERROR_LONG_BATCH : 0);
}

// Adds what the framing knows to each image's flags, and TLAST to the batch's last beat.
void frame(hls::stream<Word>& merged, hls::stream<Flags>& flags, hls::stream<Beat>& results, uint32_t num_images,
           uint32_t mode, uint32_t& results_crc) {
  VITIS(HLS inline off)
  const bool with_features = (mode & spec::MODE_FEATURES) != 0;
  const ap_uint<8> image_steps = spec::RESULT_BEATS + (with_features ? spec::FEATURE_BEATS : 0);
  bool follow = false;
  uint32_t crc = fabric::CRC_START;

each_beat:
  for (BatchPosition batch; !batch.is(num_images, 0); batch.advance(image_steps)) {
    VITIS(HLS pipeline II=1 style=stp)
    const bool of_record = batch.step < spec::RESULT_BEATS, record_ends = batch.step == spec::RESULT_BEATS - 1;
    if (of_record || follow) {
      Word word = merged.read();
      if (record_ends) {
        word |= Word(flags.read()) << (spec::BEAT_BITS - FLAGS_BITS);
        follow = fabric::features_follow(word);
      }
      crc = fabric::next_crc(crc, word);
      Beat sent;
      sent.data = word;
      sent.keep = -1;
      sent.strb = -1;
      const bool image_ends = record_ends ? !follow : batch.image_ends(image_steps);
      sent.last = image_ends && batch.images == num_images - 1;
      results.write(sent);
    }
  }
  results_crc = ~crc;
}

void run_batch(hls::stream<Beat>& images, hls::stream<Beat>& results, uint32_t num_images, uint32_t mode,
               uint16_t feature_margin, uint32_t& images_done, uint32_t& error_flags, uint32_t& images_crc,
               uint32_t& results_crc) {
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

  unframe(images, words, flags, num_images, images_done, error_flags, images_crc);
  first_exit_core(words, merged, num_images, mode, feature_margin);
  frame(merged, flags, results, num_images, mode, results_crc);
}

}  // namespace

void first_exit(hls::stream<Beat>& images, hls::stream<Beat>& results, uint32_t num_images, uint32_t mode,
                uint16_t feature_margin, uint32_t& magic, uint32_t& version, uint32_t& build_id, uint32_t& images_done,
                uint32_t& error_flags, uint32_t& images_crc, uint32_t& results_crc) {
  VITIS(HLS interface axis port=images)
  VITIS(HLS interface axis port=results)
  VITIS(HLS interface s_axilite port=return)
  VITIS(HLS interface s_axilite port=num_images offset=FIRST_EXIT_OFFSET_NUM_IMAGES)
  VITIS(HLS interface s_axilite port=mode offset=FIRST_EXIT_OFFSET_MODE)
  VITIS(HLS interface s_axilite port=feature_margin offset=FIRST_EXIT_OFFSET_FEATURE_MARGIN)
  VITIS(HLS interface s_axilite port=magic offset=FIRST_EXIT_OFFSET_MAGIC)
  VITIS(HLS interface s_axilite port=version offset=FIRST_EXIT_OFFSET_VERSION)
  VITIS(HLS interface s_axilite port=build_id offset=FIRST_EXIT_OFFSET_BUILD_ID)
  VITIS(HLS interface s_axilite port=images_done offset=FIRST_EXIT_OFFSET_IMAGES_DONE)
  VITIS(HLS interface s_axilite port=error_flags offset=FIRST_EXIT_OFFSET_ERROR_FLAGS)
  VITIS(HLS interface s_axilite port=images_crc offset=FIRST_EXIT_OFFSET_IMAGES_CRC)
  VITIS(HLS interface s_axilite port=results_crc offset=FIRST_EXIT_OFFSET_RESULTS_CRC)
  magic = spec::MAGIC;
  version = spec::INTERFACE_VERSION;
  build_id = spec::BUILD_ID;
  run_batch(images, results, num_images, mode, feature_margin, images_done, error_flags, images_crc, results_crc);
}
