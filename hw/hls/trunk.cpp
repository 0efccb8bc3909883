// The trunk: convolution 5x5, 1 -> 6 channels, padding 2; max-pool 2; ReLU; four bits.
//
// Pixels are worked on in groups of four, of which no image row has a fraction. A shift register holds the newest
// groups of the stream; the group that is convolved lies a constant distance behind the newest, and its neighbours
// are at constant places too. The image's borders are masked, so padding costs no beat.
//
// A group gives two horizontally pooled positions, and with the group below (one row of groups later) it gives a
// token. With one group a beat, tokens come in every beat of an odd row. With two, a row pair takes seven beats and
// completes its seven tokens in the last four; the k-th is taken k groups behind the newest, which makes it one a beat.

#include "arithmetic.h"
#include "first_exit_weights.h"
#include "processes.h"

namespace fabric {

namespace {

constexpr int CHANNELS = spec::TRUNK_OUT_CHANNELS;
constexpr int KERNEL = spec::TRUNK_KERNEL;
constexpr int PADDING = spec::TRUNK_PADDING;
constexpr int SIDE = spec::TRUNK_SIDE;
constexpr int GROUP = spec::GROUP_PIXELS;
constexpr int GROUP_BITS = GROUP * spec::PIXEL_BITS;
constexpr int GROUPS = spec::BEAT_BITS / GROUP_BITS;          // a beat
constexpr int ROW_GROUPS = SIDE / GROUP;                      // a row
constexpr int ROW_PAIR_BEATS = spec::POOL * ROW_GROUPS / GROUPS;
constexpr int REACH = PADDING * ROW_GROUPS + 1;               // groups from the convolved one to its farthest neighbour
constexpr int LAG_BEATS = (REACH + GROUPS - 1) / GROUPS;      // from the newest beat to the convolved one
constexpr int WINDOW = LAG_BEATS * GROUPS + GROUPS + REACH;   // groups held
constexpr int TOKEN_LAG_BEATS = GROUPS == 1 ? 0 : ROW_GROUPS / GROUPS;
constexpr int LAG = LAG_BEATS + TOKEN_LAG_BEATS;              // from the newest beat to the token
constexpr int TOKEN_LAG_GROUPS = GROUPS == 1 ? 1 : ROW_GROUPS;
constexpr int POSITION_BITS = CHANNELS * spec::ACTIVATION_BITS;
constexpr int TOKEN_ACTIVATIONS = spec::TOKEN_POSITIONS * CHANNELS;
constexpr int PATCH_COLUMNS = GROUP + KERNEL - 1;

static_assert(spec::TRUNK_IN_CHANNELS == 1, "the image has one channel");
static_assert(GROUP_BITS == 32, "a group is one 32-bit word");
static_assert(GROUPS == 1 || GROUPS == 2, "a beat holds one or two groups");
static_assert(SIDE % GROUP == 0, "no group may straddle two rows");
static_assert(GROUP >= PADDING, "a group's neighbours must reach over the padding");
static_assert(spec::POOL == 2 && spec::TOKEN_POSITIONS * spec::POOL == GROUP, "a token pools one group of two rows");
static_assert(LAG < spec::IMAGE_BEATS, "the batch's end must not be an image's");
static_assert(TOKEN_ACTIVATIONS * spec::ACTIVATION_BITS <= 64, "a token must fit its stream");

// Where a group stands in its image; it wraps from image to image.
struct GroupPosition {
  ap_uint<5> row;
  ap_uint<3> column;

  void advance(int groups) {
    VITIS(HLS inline)
    const ap_uint<4> next = column + groups;
    const bool wraps = next >= ROW_GROUPS;
    column = wraps ? ap_uint<3>(next - ROW_GROUPS) : ap_uint<3>(next);
    if (wraps) row = row == SIDE - 1 ? ap_uint<5>(0) : ap_uint<5>(row + 1);
  }
};

// The pixels around a group, zero beyond the image. `centre` is the group's place in the window.
void cut_patch(const uint32_t (&window)[WINDOW], int centre, const GroupPosition& position,
               uint8_t (&patch)[KERNEL][PATCH_COLUMNS]) {
  VITIS(HLS inline)
patch_rows:
  for (int row = 0; row < KERNEL; ++row) {
    VITIS(HLS unroll)
    const int image_row = int(position.row) + row - PADDING;
    const bool inside = image_row >= 0 && image_row < SIDE;
    const int place = centre - (row - PADDING) * ROW_GROUPS;
    const uint32_t left = inside && position.column != 0 ? window[place + 1] : 0;
    const uint32_t middle = inside ? window[place] : 0;
    const uint32_t right = inside && position.column != ROW_GROUPS - 1 ? window[place - 1] : 0;
  patch_columns:
    for (int column = 0; column < PATCH_COLUMNS; ++column) {
      VITIS(HLS unroll)
      const int pixel = column - PADDING;
      patch[row][column] = uint8_t(pixel < 0       ? field<spec::PIXEL_BITS>(left, pixel + GROUP)
                                   : pixel < GROUP ? field<spec::PIXEL_BITS>(middle, pixel)
                                                   : field<spec::PIXEL_BITS>(right, pixel - GROUP));
    }
  }
}

int32_t convolve(const uint8_t (&patch)[KERNEL][PATCH_COLUMNS], int channel, int pixel) {
  VITIS(HLS inline)
  int32_t products[KERNEL * KERNEL];
  VITIS(HLS array_partition variable=products complete)
product_rows:
  for (int row = 0; row < KERNEL; ++row) {
    VITIS(HLS unroll)
  product_columns:
    for (int column = 0; column < KERNEL; ++column) {
      VITIS(HLS unroll)
      products[row * KERNEL + column] =
          product(weights::TRUNK_WEIGHT[channel][0][row][column], patch[row][pixel + column]);
    }
  }
  return narrow<spec::TRUNK_ACCUMULATOR_BITS>(adder_tree(products));
}

// Convolution of a group, pooled horizontally: the activations of its two positions.
Token convolve_group(const uint8_t (&patch)[KERNEL][PATCH_COLUMNS]) {
  VITIS(HLS inline)
  Token token = 0;
positions:
  for (int position = 0; position < spec::TOKEN_POSITIONS; ++position) {
    VITIS(HLS unroll)
  channels:
    for (int channel = 0; channel < CHANNELS; ++channel) {
      VITIS(HLS unroll)
      const int32_t greater = maximum(convolve(patch, channel, spec::POOL * position),
                                      convolve(patch, channel, spec::POOL * position + 1));
      const Token value = activation<spec::TRUNK_ACCUMULATOR_BITS>(greater, weights::TRUNK_BIAS[channel],
                                                                   weights::TRUNK_SHIFT[channel]);
      token |= value << (position * POSITION_BITS + channel * spec::ACTIVATION_BITS);
    }
  }
  return token;
}

}  // namespace

void trunk(hls::stream<Word>& words, hls::stream<Token>& tokens, hls::stream<Token>& feature_tokens,
           uint32_t num_images, uint32_t mode) {
  VITIS(HLS inline off)
  const bool with_features = (mode & spec::MODE_FEATURES) != 0;

  uint32_t window[WINDOW] = {0};  // pixel groups, the newest first
  VITIS(HLS array_partition variable=window complete)
  Token rows[ROW_GROUPS + GROUPS] = {0};  // groups pooled horizontally, the newest first
  VITIS(HLS array_partition variable=rows complete)
  Token pooled[TOKEN_LAG_GROUPS] = {0};  // groups pooled in both directions, the newest first
  VITIS(HLS array_partition variable=pooled complete)

  // The loop starts as if another image had gone before, at the place where this leads to the first group in time.
  constexpr int START = SIDE * ROW_GROUPS - LAG_BEATS * GROUPS;
  GroupPosition position = {START / ROW_GROUPS, START % ROW_GROUPS};
  ap_uint<4> pair_beat = (START / GROUPS) % ROW_PAIR_BEATS;  // beat of the convolved groups in their row pair

each_beat:
  for (BatchPosition batch; !batch.is(num_images, LAG); batch.advance(spec::IMAGE_BEATS)) {
    VITIS(HLS pipeline II=1 style=stp)
    Word word = 0;
    if (batch.images != num_images) word = words.read();

  shift_window:
    for (int place = WINDOW - 1; place >= GROUPS; --place) {
      VITIS(HLS unroll)
      window[place] = window[place - GROUPS];
    }
  shift_rows:
    for (int place = ROW_GROUPS + GROUPS - 1; place >= GROUPS; --place) {
      VITIS(HLS unroll)
      rows[place] = rows[place - GROUPS];
    }
  shift_pooled:
    for (int place = TOKEN_LAG_GROUPS - 1; place >= GROUPS; --place) {
      VITIS(HLS unroll)
      pooled[place] = pooled[place - GROUPS];
    }

  groups:
    for (int group = 0; group < GROUPS; ++group) {
      VITIS(HLS unroll)
      window[GROUPS - 1 - group] = field<GROUP_BITS>(word, group);
    }
  convolved_groups:
    for (int group = 0; group < GROUPS; ++group) {
      VITIS(HLS unroll)
      const int newest = GROUPS - 1 - group;
      uint8_t patch[KERNEL][PATCH_COLUMNS];
      VITIS(HLS array_partition variable=patch complete dim=0)
      cut_patch(window, LAG_BEATS * GROUPS + newest, position, patch);
      position.advance(1);
      rows[newest] = convolve_group(patch);
    }
  pooled_groups:
    for (int newest = 0; newest < GROUPS; ++newest) {
      VITIS(HLS unroll)
      pooled[newest] = maximum_activations<TOKEN_ACTIVATIONS>(rows[newest], rows[newest + ROW_GROUPS]);
    }

    // Token k of a row pair leaves in beat ROW_GROUPS / GROUPS + k of that pair: with one group a beat in the odd
    // row, at once; with two it runs on into the next pair, k groups behind the newest.
    constexpr int FIRST_BEAT = ROW_GROUPS / GROUPS;
    const bool odd_row = pair_beat >= FIRST_BEAT;
    const ap_uint<3> index = odd_row ? ap_uint<3>(pair_beat - FIRST_BEAT)
                                     : ap_uint<3>(pair_beat + ROW_PAIR_BEATS - FIRST_BEAT);
    const Token token = GROUPS == 1 ? pooled[0] : pooled[index];
    if (batch.is_past(LAG) && (GROUPS == 2 || odd_row)) {
      tokens.write(token);
      if (with_features) feature_tokens.write(token);
    }
    pair_beat = pair_beat == ROW_PAIR_BEATS - 1 ? ap_uint<4>(0) : ap_uint<4>(pair_beat + 1);
  }
}

}  // namespace fabric
