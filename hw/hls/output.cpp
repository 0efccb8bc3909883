// Features to beats, and the order of the output: for each image its result record, and its features if they follow it.

#include "pragmas.h"
#include "processes.h"

namespace fabric {

namespace {

constexpr int TOKEN_BITS = spec::TOKEN_POSITIONS * spec::TRUNK_OUT_CHANNELS * spec::ACTIVATION_BITS;
constexpr int PHASES = spec::BRANCH_INTERVAL;  // clocks a token
constexpr int IMAGE_STEPS = spec::TRUNK_TOKENS * PHASES;
constexpr int WHOLE_BEATS = spec::TRUNK_TOKENS * TOKEN_BITS / spec::BEAT_BITS;
constexpr bool HAS_PARTIAL_BEAT = spec::FEATURE_BEATS != WHOLE_BEATS;
constexpr int PENDING_BITS = TOKEN_BITS + spec::BEAT_BITS;
constexpr int UNIT = 16;  // divides a token and a beat, so that few positions are left to shift to

static_assert(IMAGE_STEPS <= MOST_IMAGE_STEPS, "an image's iterations must fit their count");
static_assert(TOKEN_BITS % UNIT == 0 && spec::BEAT_BITS % UNIT == 0, "tokens and beats are whole units");
static_assert(spec::FEATURE_BEATS - WHOLE_BEATS == 0 || spec::FEATURE_BEATS - WHOLE_BEATS == 1,
              "the features are whole beats, and perhaps a partial one");
static_assert(TOKEN_BITS < spec::BEAT_BITS || !HAS_PARTIAL_BEAT,
              "the step that sends a partial beat must not have a whole one of the next image to send");
static_assert(PENDING_BITS / UNIT <= 7, "the units that wait must fit their count");
static_assert(TOKEN_BITS <= PHASES * spec::BEAT_BITS, "a token must leave in the clocks that it has");

}  // namespace

// Tokens to beats without a gap between them. An image's last, partial beat is filled with zeros and leaves with the
// first token of the next image, which has no whole beat to send yet.
void pack_features(hls::stream<Token>& feature_tokens, hls::stream<Word>& features, uint32_t num_images,
                   uint32_t mode) {
  VITIS(HLS inline off)
  const bool enabled = (mode & spec::MODE_FEATURES) != 0;
  const uint32_t images = enabled ? num_images : 0;
  const int lag = HAS_PARTIAL_BEAT && images != 0 ? 1 : 0;

  ap_uint<PENDING_BITS> pending = 0;
  ap_uint<3> pending_units = 0;
  ap_uint<2> phase = 0;

each_step:
  for (BatchPosition batch; !batch.is(images, lag); batch.advance(IMAGE_STEPS)) {
    VITIS(HLS pipeline II=1 style=stp)
    const bool partial = HAS_PARTIAL_BEAT && batch.step == 0 && batch.images != 0;
    const Word partial_beat = Word(pending.range(spec::BEAT_BITS - 1, 0).to_uint64());
    if (partial) {
      pending = 0;
      pending_units = 0;
    }
    if (phase == 0 && batch.images != images) {
      pending |= ap_uint<PENDING_BITS>(feature_tokens.read()) << int(pending_units * UNIT);
      pending_units += TOKEN_BITS / UNIT;
    }
    const bool whole = pending_units >= spec::BEAT_BITS / UNIT;
    const Word whole_beat = Word(pending.range(spec::BEAT_BITS - 1, 0).to_uint64());
    if (partial || whole) features.write(partial ? partial_beat : whole_beat);
    if (whole) {
      pending >>= spec::BEAT_BITS;
      pending_units -= spec::BEAT_BITS / UNIT;
    }
    phase = phase == PHASES - 1 ? ap_uint<2>(0) : ap_uint<2>(phase + 1);
  }
}

// All features are taken, and those that are not needed dropped, a beat a clock: an image's output takes as long either
// way, and less than its input.
void merge(hls::stream<Word>& features, hls::stream<Word>& records, hls::stream<Word>& merged, uint32_t num_images,
           uint32_t mode) {
  VITIS(HLS inline off)
  const bool with_features = (mode & spec::MODE_FEATURES) != 0;
  const ap_uint<8> feature_beats = with_features ? spec::FEATURE_BEATS : 0;
  const ap_uint<8> image_steps = spec::RESULT_BEATS + feature_beats;
  bool follow = false;

each_beat:
  for (BatchPosition batch; !batch.is(num_images, 0); batch.advance(image_steps)) {
    VITIS(HLS pipeline II=1 style=stp)
    const bool of_record = batch.step < spec::RESULT_BEATS;
    Word word;
    if (of_record) {
      word = records.read();
    } else {
      word = features.read();
    }
    if (batch.step == spec::RESULT_BEATS - 1) follow = features_follow(word);
    if (of_record || follow) merged.write(word);
  }
}

}  // namespace fabric
