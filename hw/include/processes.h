// The processes of the first exit and what flows between them: native words only, no TLAST, no registers.
//
//   words -> trunk -> tokens -> branch -> pooled -> classifier -> records -> merge -> merged
//                 \-> feature_tokens -> pack_features -> features -------/
//
// A process is one loop without an end of its own but the count of images. Behind its last input it goes on for as
// many iterations as its results lag behind its input, without reading, so the images of a batch follow each other
// without a gap. No bound and no branch depends on a pixel.

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

// Counts iterations of a batch: 32 bits of images times at most 256 iterations an image, and what lags behind.
using BatchCount = ap_uint<41>;
static_assert(spec::IMAGE_BEATS <= 256, "an image's iterations must fit the count");
static_assert(spec::FEATURE_BEATS + spec::RESULT_BEATS <= spec::IMAGE_BEATS, "the output must keep up with the input");

// Iterations of a batch. The factor is a constant, so that no multiplier is needed.
inline BatchCount batch_count(uint32_t num_images, int image_iterations) {
  VITIS(HLS inline)
  return uint64_t(num_images) * uint64_t(image_iterations);
}

// Beats that a batch gives back.
inline BatchCount batch_output_beats(uint32_t num_images, bool with_features) {
  VITIS(HLS inline)
  return with_features ? batch_count(num_images, spec::FEATURE_BEATS + spec::RESULT_BEATS)
                       : batch_count(num_images, spec::RESULT_BEATS);
}

void trunk(hls::stream<Word>& words, hls::stream<Token>& tokens, hls::stream<Token>& feature_tokens,
           uint32_t num_images, uint32_t mode);
void branch(hls::stream<Token>& tokens, hls::stream<Token>& pooled, uint32_t num_images);
void classifier(hls::stream<Token>& pooled, hls::stream<Word>& records, uint32_t num_images);
void pack_features(hls::stream<Token>& feature_tokens, hls::stream<Word>& features, uint32_t num_images,
                   uint32_t mode);
void merge(hls::stream<Word>& features, hls::stream<Word>& records, hls::stream<Word>& merged, uint32_t num_images,
           uint32_t mode);

}  // namespace fabric

// All of the above: num_images images in, and for each [features,] result record out.
void first_exit_core(hls::stream<spec::Word>& words, hls::stream<spec::Word>& merged, uint32_t num_images,
                     uint32_t mode);

#endif  // FIRST_EXIT_PROCESSES_H
