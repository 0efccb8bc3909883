// The branch: convolution 3x3, 6 -> C channels, padding 1; max-pool 2; ReLU; four bits.
//
// A token of the trunk holds two positions of a row. As in the trunk, a shift register holds the newest tokens, the
// convolved one lies a constant distance behind, and borders are masked. A token's two positions are pooled at once,
// and with the token below they give one pooled position of the output. Where a token may take two clocks, each
// clock convolves one of its positions with the same adders.

#include "arithmetic.h"
#include "first_exit_weights.h"
#include "processes.h"

namespace fabric {

namespace {

constexpr int IN_CHANNELS = spec::BRANCH_IN_CHANNELS;
constexpr int CHANNELS = spec::BRANCH_OUT_CHANNELS;
constexpr int KERNEL = spec::BRANCH_KERNEL;
constexpr int SIDE = spec::BRANCH_SIDE;
constexpr int POSITIONS = spec::TOKEN_POSITIONS;
constexpr int ROW_TOKENS = SIDE / POSITIONS;
constexpr int PHASES = spec::BRANCH_INTERVAL;
constexpr int PHASE_POSITIONS = POSITIONS / PHASES;
constexpr int LAG = ROW_TOKENS + 1;    // tokens from the newest to the convolved one
constexpr int WINDOW = 2 * LAG + 1;    // tokens held
constexpr int IMAGE_STEPS = spec::TRUNK_TOKENS * PHASES;
constexpr int POSITION_BITS = IN_CHANNELS * spec::ACTIVATION_BITS;
constexpr int PATCH_COLUMNS = POSITIONS + KERNEL - 1;
constexpr int TAPS = KERNEL * KERNEL * IN_CHANNELS;

static_assert(IMAGE_STEPS <= MOST_IMAGE_STEPS, "an image's iterations must fit their count");
static_assert(KERNEL == 3 && spec::BRANCH_PADDING == 1, "the neighbours of a token are one position away");
static_assert(SIDE % POSITIONS == 0, "no token may straddle two rows");
static_assert(POSITIONS == 2 && spec::POOL == 2, "a token is pooled as a whole");
static_assert(PHASES == 1 || PHASES == 2, "a phase convolves both positions of a token, or one");
static_assert(spec::TRUNK_TOKENS == SIDE * ROW_TOKENS, "the trunk's tokens tile its output");
static_assert(LAG * PHASES < IMAGE_STEPS, "the batch's end must not be an image's");
static_assert(CHANNELS * spec::ACTIVATION_BITS <= 64, "a pooled position must fit its stream");

using Accumulator = ap_int<spec::BRANCH_ACCUMULATOR_BITS>;

// Positions around the token at `centre` of the window, zero beyond the image.
void cut_patch(const Token (&window)[WINDOW], int row, int column, uint32_t (&patch)[KERNEL][PATCH_COLUMNS]) {
  VITIS(HLS inline)
patch_rows:
  for (int patch_row = 0; patch_row < KERNEL; ++patch_row) {
    VITIS(HLS unroll)
    const int image_row = row + patch_row - 1;
    const bool inside = image_row >= 0 && image_row < SIDE;
    const int place = LAG - (patch_row - 1) * ROW_TOKENS;
    patch[patch_row][0] = inside && column != 0 ? field<POSITION_BITS>(window[place + 1], 1) : 0;
    patch[patch_row][1] = inside ? field<POSITION_BITS>(window[place], 0) : 0;
    patch[patch_row][2] = inside ? field<POSITION_BITS>(window[place], 1) : 0;
    patch[patch_row][3] = inside && column != ROW_TOKENS - 1 ? field<POSITION_BITS>(window[place - 1], 0) : 0;
  }
}

int32_t convolve(const uint8_t (&activations)[TAPS], int channel) {
  VITIS(HLS inline)
  int32_t products[TAPS];
  VITIS(HLS array_partition variable=products complete)
product_channels:
  for (int in = 0; in < IN_CHANNELS; ++in) {
    VITIS(HLS unroll)
  product_taps:
    for (int tap = 0; tap < KERNEL * KERNEL; ++tap) {
      VITIS(HLS unroll)
      products[in * KERNEL * KERNEL + tap] = product(weights::BRANCH_WEIGHT[channel][in][tap / KERNEL][tap % KERNEL],
                                                     activations[in * KERNEL * KERNEL + tap]);
    }
  }
  return narrow<spec::BRANCH_ACCUMULATOR_BITS>(adder_tree(products));
}

// The activations that the kernel covers when it is centred on one position of the token, input channel first.
void select_activations(const uint32_t (&patch)[KERNEL][PATCH_COLUMNS], bool right, uint8_t (&activations)[TAPS]) {
  VITIS(HLS inline)
select_taps:
  for (int tap = 0; tap < KERNEL * KERNEL; ++tap) {
    VITIS(HLS unroll)
    const int row = tap / KERNEL, column = tap % KERNEL;
    const uint32_t position = right ? patch[row][column + 1] : patch[row][column];
  select_channels:
    for (int in = 0; in < IN_CHANNELS; ++in) {
      VITIS(HLS unroll)
      activations[in * KERNEL * KERNEL + tap] = uint8_t(field<spec::ACTIVATION_BITS>(position, in));
    }
  }
}

}  // namespace

void branch(hls::stream<Token>& tokens, hls::stream<Token>& pooled, uint32_t num_images) {
  VITIS(HLS inline off)
  Token window[WINDOW] = {0};  // the newest first
  VITIS(HLS array_partition variable=window complete)
  Token above[ROW_TOKENS] = {0};  // tokens of the row above, pooled horizontally, the newest first
  VITIS(HLS array_partition variable=above complete)
  Accumulator greatest[CHANNELS];
  VITIS(HLS array_partition variable=greatest complete)

  // The loop starts as if another image had gone before.
  constexpr int START = SIDE * ROW_TOKENS - LAG;
  ap_uint<4> row = START / ROW_TOKENS;
  ap_uint<3> column = START % ROW_TOKENS;
  ap_uint<2> phase = 0;

each_step:
  for (BatchPosition batch; !batch.is(num_images, LAG * PHASES); batch.advance(IMAGE_STEPS)) {
    VITIS(HLS pipeline II=1 style=stp)
    const bool first_phase = phase == 0, last_phase = phase == PHASES - 1;
    if (first_phase) {
    shift_window:
      for (int place = WINDOW - 1; place >= 1; --place) {
        VITIS(HLS unroll)
        window[place] = window[place - 1];
      }
      Token newest = 0;
      if (batch.images != num_images) newest = tokens.read();
      window[0] = newest;
    }

    uint32_t patch[KERNEL][PATCH_COLUMNS];
    VITIS(HLS array_partition variable=patch complete dim=0)
    cut_patch(window, row, column, patch);
  positions:
    for (int position = 0; position < PHASE_POSITIONS; ++position) {
      VITIS(HLS unroll)
      uint8_t activations[TAPS];
      VITIS(HLS array_partition variable=activations complete)
      select_activations(patch, position == 1 || !first_phase, activations);
    channels:
      for (int channel = 0; channel < CHANNELS; ++channel) {
        VITIS(HLS unroll)
        const int32_t sum = convolve(activations, channel);
        greatest[channel] = first_phase && position == 0 ? sum : maximum<int32_t>(greatest[channel], sum);
      }
    }

    if (last_phase) {
      Token token = 0;
    activations:
      for (int channel = 0; channel < CHANNELS; ++channel) {
        VITIS(HLS unroll)
        const Token value = activation<spec::BRANCH_ACCUMULATOR_BITS>(
            greatest[channel], weights::BRANCH_BIAS[channel], weights::BRANCH_SHIFT[channel]);
        token |= value << (channel * spec::ACTIVATION_BITS);
      }
      if (batch.is_past(LAG * PHASES) && row[0] == 1) {
        pooled.write(maximum_activations<CHANNELS>(token, above[ROW_TOKENS - 1]));
      }
    shift_above:
      for (int place = ROW_TOKENS - 1; place >= 1; --place) {
        VITIS(HLS unroll)
        above[place] = above[place - 1];
      }
      above[0] = token;
      if (column == ROW_TOKENS - 1) row = row == SIDE - 1 ? ap_uint<4>(0) : ap_uint<4>(row + 1);
      column = column == ROW_TOKENS - 1 ? ap_uint<3>(0) : ap_uint<3>(column + 1);
    }
    phase = last_phase ? ap_uint<2>(0) : ap_uint<2>(phase + 1);
  }
}

}  // namespace fabric
