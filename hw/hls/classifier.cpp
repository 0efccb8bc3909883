// The classifier: fully connected, 49 C -> 10 logits, signed 16-bit; and the result record.
//
// A token holds the C activations of one position. It is kept for PHASES clocks, each of which adds it to the
// accumulators of a few of the classes. The finished record leaves word by word during the next image's first
// clocks, so that no clock writes more than one word. Its flags say whether the image's features follow it.
//
// Each clock reads the weights of PHASE_CLASSES classes. A memory has two ports, so each of these classes has a ROM of
// its own: the rate then rests on no partition of an array, which is sure only where the array is local.

#include "arithmetic.h"
#include "first_exit_weights.h"
#include "processes.h"

namespace fabric {

namespace {

constexpr int CHANNELS = spec::BRANCH_OUT_CHANNELS;
constexpr int PHASES = spec::CLASSIFIER_INTERVAL;
constexpr int PHASE_CLASSES = weights::CLASSIFIER_PHASE_CLASSES;
constexpr int IMAGE_STEPS = spec::BRANCH_TOKENS * PHASES;
constexpr int WEIGHT_BITS = 4;
constexpr int WORD_FIELDS = spec::BEAT_BITS / spec::LOGIT_BITS;
constexpr int RECORD_FIELDS = spec::CLASSES + 2;  // logits, sequence number, flags
constexpr int LOGIT_MAX = (1 << (spec::LOGIT_BITS - 1)) - 1;
constexpr int LOGIT_MIN = -LOGIT_MAX - 1;

static_assert(IMAGE_STEPS <= MOST_IMAGE_STEPS, "an image's iterations must fit their count");
static_assert(spec::CLASSIFIER_IN_CHANNELS == spec::BRANCH_TOKENS * CHANNELS, "every activation has its weights");
static_assert(PHASE_CLASSES * PHASES >= spec::CLASSES, "every class has its phase");
static_assert(CHANNELS * WEIGHT_BITS <= 64, "the weights of one position and class must fit a word of the ROM");
static_assert(spec::RESULT_BEATS * WORD_FIELDS == RECORD_FIELDS, "the record is whole beats");
static_assert(spec::RESULT_BEATS < IMAGE_STEPS, "a record must leave before the next one is ready");
static_assert(spec::SEQUENCE_BITS == spec::LOGIT_BITS, "the record has equal fields");

// Whether the logits are so close that the image may have to stay in the network: its features are sent then.
bool may_stay(const uint16_t (&logits)[PHASES * PHASE_CLASSES], uint16_t feature_margin) {
  VITIS(HLS inline)
  int32_t largest = LOGIT_MIN, second = LOGIT_MIN;
two_largest:
  for (int index = 0; index < spec::CLASSES; ++index) {
    VITIS(HLS unroll)
    const int32_t logit = int16_t(logits[index]);
    const int32_t lesser = logit < largest ? logit : largest;
    second = maximum(second, lesser);
    largest = maximum(largest, logit);
  }
  return feature_margin == spec::FEATURES_ALWAYS || largest - second < int32_t(feature_margin);
}

using Accumulator = ap_int<spec::CLASSIFIER_ACCUMULATOR_BITS>;

// Products of one position's activations with one class's weights, summed.
int32_t multiply(Token activations, uint64_t row) {
  VITIS(HLS inline)
  int32_t products[CHANNELS];
  VITIS(HLS array_partition variable=products complete)
product_channels:
  for (int channel = 0; channel < CHANNELS; ++channel) {
    VITIS(HLS unroll)
    const ap_int<WEIGHT_BITS> weight = field<WEIGHT_BITS>(row, channel);
    const ap_uint<spec::ACTIVATION_BITS> activation = field<spec::ACTIVATION_BITS>(activations, channel);
    products[channel] = product(weight, activation);
  }
  return adder_tree(products);
}

}  // namespace

void classifier(hls::stream<Token>& pooled, hls::stream<Word>& records, uint32_t num_images, uint32_t mode,
                uint16_t feature_margin) {
  VITIS(HLS inline off)
  const bool with_features = (mode & spec::MODE_FEATURES) != 0;
  // Both rotate by PHASE_CLASSES a clock, so that a class is found at the same place in its phase.
  Accumulator accumulators[PHASES * PHASE_CLASSES];
  VITIS(HLS array_partition variable=accumulators complete)
  uint16_t logits[PHASES * PHASE_CLASSES] = {0};
  VITIS(HLS array_partition variable=logits complete)
  Word record[spec::RESULT_BEATS] = {0};  // what is left of the record, the next word first
  VITIS(HLS array_partition variable=record complete)

  Token token = 0;
  ap_uint<3> phase = 0;
  uint16_t sequence = 0;

each_step:
  for (BatchPosition batch; !batch.is(num_images, spec::RESULT_BEATS); batch.advance(IMAGE_STEPS)) {
    VITIS(HLS pipeline II=1 style=stp)
    const int image_step = batch.step;
    if (image_step == 0) {
      const uint16_t flags = with_features && may_stay(logits, feature_margin) ? spec::RESULT_FEATURES : 0;
    pack_words:
      for (int word = 0; word < spec::RESULT_BEATS; ++word) {
        VITIS(HLS unroll)
        record[word] = 0;
      pack_fields:
        for (int place = 0; place < WORD_FIELDS; ++place) {
          VITIS(HLS unroll)
          const int index = word * WORD_FIELDS + place;
          const uint16_t value = index < spec::CLASSES ? logits[index] : index == spec::CLASSES ? sequence : flags;
          record[word] |= Word(value) << (place * spec::LOGIT_BITS);
        }
      }
    }
    if (batch.images != 0 && image_step < spec::RESULT_BEATS) {
      records.write(record[0]);
      if (image_step == spec::RESULT_BEATS - 1) ++sequence;
    }
  shift_record:
    for (int word = 0; word < spec::RESULT_BEATS - 1; ++word) {
      VITIS(HLS unroll)
      record[word] = record[word + 1];
    }

    if (phase == 0 && batch.images != num_images) token = pooled.read();
    if (image_step == 0) {
    start_accumulators:
      for (int index = 0; index < PHASES * PHASE_CLASSES; ++index) {
        VITIS(HLS unroll)
        accumulators[index] = weights::CLASSIFIER_BIAS[index] + rounding_half(weights::CLASSIFIER_SHIFT);
      }
    }
    int32_t sums[PHASE_CLASSES];
    VITIS(HLS array_partition variable=sums complete)
  classes:
    for (int index = 0; index < PHASE_CLASSES; ++index) {
      VITIS(HLS unroll)
      sums[index] = narrow<spec::CLASSIFIER_ACCUMULATOR_BITS>(
          int32_t(accumulators[index]) + multiply(token, weights::classifier_weights(index, image_step)));
    }
  rotate_accumulators:
    for (int index = 0; index < PHASES * PHASE_CLASSES; ++index) {
      VITIS(HLS unroll)
      accumulators[index] = index + PHASE_CLASSES < PHASES * PHASE_CLASSES
                                ? accumulators[index + PHASE_CLASSES]
                                : Accumulator(sums[index + PHASE_CLASSES - PHASES * PHASE_CLASSES]);
    }
    if (image_step >= IMAGE_STEPS - PHASES) {
    rotate_logits:
      for (int index = 0; index < PHASES * PHASE_CLASSES; ++index) {
        VITIS(HLS unroll)
        const int from = index + PHASE_CLASSES;
        const bool inside = from < PHASES * PHASE_CLASSES;
        const int32_t sum = sums[inside ? 0 : from - PHASES * PHASE_CLASSES];
        logits[index] = inside ? logits[inside ? from : 0]
                               : uint16_t(saturate(sum >> weights::CLASSIFIER_SHIFT, LOGIT_MIN, LOGIT_MAX));
      }
    }
    phase = phase == PHASES - 1 ? ap_uint<3>(0) : ap_uint<3>(phase + 1);
  }
}

}  // namespace fabric
