// Layers as every kernel takes them, and how their weights are laid out.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pynq_ee {

// Outputs of a layer are padded with zeros to a multiple of this: what one panel of packed weights holds.
constexpr int kPanel = 16;
// Bytes of one padded image, at most.
constexpr int kMaxImage = 16384;
// Bytes behind an array of activations that a kernel may read, and never uses.
constexpr size_t kSlack = 64;

inline int rounded_up(int value, int step) { return (value + step - 1) / step * step; }

// floor(value / 2**shift + 1/2), the half being in `value` already, then 0 to `largest`.
inline uint8_t activation(int32_t value, int shift, int largest) {
  return static_cast<uint8_t>(std::min(std::max(value >> shift, 0), largest));
}

// Where a convolution puts its results: bytes from one position to the next, and from one line of positions to the next.
// It writes up to kPanel bytes a position, zeros behind its outputs, position after position: what is too much for `step`
// is overwritten by the next one.
struct Places {
  int step, line;
};

// Convolution, max-pool 2x2, requantization: (side + 2 padding)^2 pixels of `channels` bytes, the padding in place, to
// (half, half) positions.
//
// weight: for each tap of a kernel row, kernel row by kernel row, each padded to whole groups:
// (kernel, run_groups, kPanel, group). A group is what a kernel multiplies at once of one output: 1, 2 or 4 taps.
struct Convolution {
  int kernel, padding, channels, side, outputs, largest;
  int run_groups;              // groups of one kernel row
  std::vector<int16_t> wide;   // weight, where the kernel takes 16 bits
  std::vector<int8_t> narrow;  // weight, where it takes 8
  // A sum of 16 bits starts here: it then stays in range whatever the inputs, since no convolution spans 2**16, and what
  // wraps in between does not matter.
  int16_t start[kPanel];
  int32_t bias[kPanel];  // less the start, with the rounding half
  int32_t shift[kPanel];

  int pitch() const { return (side + 2 * padding) * channels; }  // bytes of one row of the image
  int run() const { return kernel * channels; }                  // taps of one kernel row
  int half() const { return (side + 2 * padding - kernel + 1) / 2; }
  int image() const { return (side + 2 * padding) * pitch(); }
  int results() const { return half() * half() * kPanel; }
  Places dense() const { return {kPanel, half() * kPanel}; }
};

// Fully connected layer: `inputs` bytes, at most 127, to activations, or to logits where `largest` is 0.
//
// weight: (panels, groups, kPanel, group).
struct Connection {
  int inputs, outputs, largest;
  int groups, panels;
  std::vector<int8_t> weight;
  std::vector<int32_t> bias;   // (panels * kPanel), with the rounding half
  std::vector<int32_t> shift;  // (panels * kPanel)

  int results() const { return panels * kPanel; }
};

// Requantize the sums of one panel of a fully connected layer for one row of its outputs.
inline void finish(const Connection& layer, int panel, const int32_t* sums, uint8_t* activations, int16_t* logits,
                   size_t row) {
  const int first = panel * kPanel;
  if (layer.largest) {
    for (int i = 0; i < kPanel; ++i)
      activations[row * layer.results() + first + i] = activation(sums[i] + layer.bias[first + i], layer.shift[first + i], layer.largest);
    return;
  }
  for (int i = first; i < std::min(layer.outputs, first + kPanel); ++i)
    logits[row * layer.outputs + i] = static_cast<int16_t>(
        std::min(std::max((sums[i - first] + layer.bias[i]) >> layer.shift[i], INT16_MIN), INT16_MAX));
}

// What an instruction set has: how it wants weights, and its code. Images are of one image, rows of `count` images.
struct Kernels {
  const char* name;
  bool (*supported)();
  bool wide;               // a convolution's weights have 16 bits
  int convolution_group, connection_group;
  int row_taps;            // a kernel row's taps are padded with zeros to a multiple of this, itself one of the group
  // The first layer, whose only channel is the pixel, and every other convolution.
  void (*convolve_pixels)(const Convolution&, const uint8_t* image, uint8_t* outputs, Places);
  void (*convolve)(const Convolution&, const uint8_t* image, uint8_t* outputs, Places);
  // Rows `stride` bytes apart, each with kSlack bytes behind it; exactly one of the outputs is written, (count, results)
  // activations or (count, outputs) logits.
  void (*connect)(const Connection&, const uint8_t* inputs, size_t stride, size_t count, uint8_t* activations,
                  int16_t* logits);
};

}  // namespace pynq_ee
