// The processes of the first exit and what flows between them: native words only, no TLAST, no registers.
//
//   words -> trunk -> tokens -> branch -> pooled -> classifier -> records -> merge -> merged
//                 \-> feature_tokens -> pack_features -> features -------/
//
// A process is one loop without an end of its own but the count of images. Behind its last input it goes on for as
// many iterations as its results lag behind its input, without reading, so the images of a batch follow each other
// without a gap. No bound depends on a pixel, and one thing alone does that is read or written: whether the features
// that merge takes go on to the output. An image's iterations are the same either way.
//
// Every FIFO between them is bound to shift registers: left to itself, HLS takes block RAM for those above 1024 bits.
// Only the features, which wait for their record, have a block RAM.

#ifndef FIRST_EXIT_PROCESSES_H
#define FIRST_EXIT_PROCESSES_H

#include <ap_int.h>
#include <hls_stream.h>

#include <cstdint>

#include "first_exit_spec.h"
#include "pragmas.h"

namespace fabric {

using Word = spec::Word;

// A token of trunk or branch: activations, position-major, the first one in the lowest bits.
using Token = uint64_t;

constexpr int FLAGS_BITS = 16;  // the highest of a record's last word

constexpr int MOST_IMAGE_STEPS = 256;  // of an image, that a BatchPosition counts
static_assert(spec::IMAGE_BEATS <= MOST_IMAGE_STEPS, "an image's iterations must fit their count");
static_assert(spec::FEATURE_BEATS + spec::RESULT_BEATS <= spec::IMAGE_BEATS, "the output must keep up with the input");

// Where a process stands in its batch. Images and the iterations of one are counted apart: their product would be a
// multiplier in each process, and one count of all iterations a wide one. Iterations that lag behind the last image's
// are fewer than those of an image.
struct BatchPosition {
  uint32_t images = 0;  // whose iterations are over
  ap_uint<8> step = 0;  // iterations of the next image that are over

  // Whether `num_images` images and `lag` iterations are over, exactly.
  bool is(uint32_t num_images, int lag) const {
    VITIS(HLS inline)
    return images == num_images && step == lag;
  }

  // Whether at least `lag` iterations are over.
  bool is_past(int lag) const {
    VITIS(HLS inline)
    return images != 0 || step >= lag;
  }

  bool image_ends(int image_steps) const {
    VITIS(HLS inline)
    return step == image_steps - 1;
  }

  void advance(int image_steps) {
    VITIS(HLS inline)
    const bool ends = image_ends(image_steps);
    if (ends) ++images;
    step = ends ? ap_uint<8>(0) : ap_uint<8>(step + 1);
  }
};

// Whether the features of an image follow its record, of which this is the last word.
inline bool features_follow(Word record_end) {
  VITIS(HLS inline)
  return (uint32_t(record_end >> (spec::BEAT_BITS - FLAGS_BITS)) & spec::RESULT_FEATURES) != 0;
}

void trunk(hls::stream<Word>& words, hls::stream<Token>& tokens, hls::stream<Token>& feature_tokens,
           uint32_t num_images, uint32_t mode);
void branch(hls::stream<Token>& tokens, hls::stream<Token>& pooled, uint32_t num_images);
void classifier(hls::stream<Token>& pooled, hls::stream<Word>& records, uint32_t num_images, uint32_t mode,
                uint16_t feature_margin);
void pack_features(hls::stream<Token>& feature_tokens, hls::stream<Word>& features, uint32_t num_images,
                   uint32_t mode);
void merge(hls::stream<Word>& features, hls::stream<Word>& records, hls::stream<Word>& merged, uint32_t num_images,
           uint32_t mode);

}  // namespace fabric

// All of the above: num_images images in, and for each its result record out, and its features behind it if they may be
// needed.
void first_exit_core(hls::stream<spec::Word>& words, hls::stream<spec::Word>& merged, uint32_t num_images,
                     uint32_t mode, uint16_t feature_margin);

#endif  // FIRST_EXIT_PROCESSES_H
