// The native engine without Python: the whole network in integers. native.cpp binds it; the self-test runs it elsewhere.
//
// Activations are position-major, the channels of one position side by side, padded to kPanel; images between
// convolutions are not padded in their channels, so that the taps of one kernel row are one run of bytes.

#pragma once

#include <exception>
#include <memory>
#include <thread>

#include "kernels/dispatch.h"

namespace pynq_ee {

typedef uint8_t Bytes __attribute__((vector_size(16)));

constexpr int kMaxTaps = 4096;    // inputs of one output, at most
constexpr size_t kChunk = 24;     // images whose activations stay in the cache from layer to layer

// A layer as the model has it: weight (taps, outputs) with the taps of a convolution as (kernel row, kernel column,
// channel) and the inputs of a connection in position-major order. kernel 0 is a connection.
struct RawLayer {
  int kernel, padding, channels, side, largest;
  int taps, outputs;
  const int8_t* weight;
  const int32_t* bias;
  const uint8_t* shift;
};

inline int32_t rounding_half(int shift) { return static_cast<int32_t>((1u << shift) >> 1); }

inline Convolution pack_convolution(const RawLayer& raw, int input_max, const Kernels& kernels) {
  Convolution layer{};
  layer.kernel = raw.kernel;
  layer.padding = raw.padding;
  layer.channels = raw.channels;
  layer.side = raw.side;
  layer.outputs = raw.outputs;
  layer.largest = raw.largest;
  const int group = kernels.convolution_group, run = layer.run();
  layer.run_groups = rounded_up(run, kernels.row_taps) / group;
  std::vector<int16_t> wide(static_cast<size_t>(layer.kernel) * layer.run_groups * group * kPanel);
  for (int row = 0; row < layer.kernel; ++row)
    for (int tap = 0; tap < run; ++tap)
      for (int output = 0; output < raw.outputs; ++output)
        wide[((static_cast<size_t>(row) * layer.run_groups + tap / group) * kPanel + output) * group + tap % group] =
            raw.weight[(row * run + tap) * raw.outputs + output];
  for (int output = 0; output < raw.outputs; ++output) {
    int low = 0, high = 0;
    for (int tap = 0; tap < raw.taps; ++tap) {
      const int weight = raw.weight[tap * raw.outputs + output];
      (weight < 0 ? low : high) += weight * input_max;
    }
    layer.start[output] = static_cast<int16_t>(-(low + high) / 2);
    layer.bias[output] = raw.bias[output] + rounding_half(raw.shift[output]) - layer.start[output];
    layer.shift[output] = raw.shift[output];
  }
  if (kernels.wide)
    layer.wide = std::move(wide);
  else
    layer.narrow.assign(wide.begin(), wide.end());
  return layer;
}

// `channels`: real outputs of one position of the layer before, each position having them padded to whole panels.
inline Connection pack_connection(const RawLayer& raw, int channels, const Kernels& kernels) {
  Connection layer{};
  const int group = kernels.connection_group, stored = rounded_up(channels, kPanel);
  layer.inputs = raw.taps / channels * stored;
  layer.outputs = raw.outputs;
  layer.largest = raw.largest;
  layer.groups = rounded_up(layer.inputs, group) / group;
  layer.panels = rounded_up(raw.outputs, kPanel) / kPanel;
  layer.weight.resize(static_cast<size_t>(layer.panels) * layer.groups * group * kPanel);
  layer.bias.resize(layer.results());
  layer.shift.resize(layer.results());
  for (int output = 0; output < raw.outputs; ++output) {
    const int panel = output / kPanel, lane = output % kPanel;
    for (int tap = 0; tap < raw.taps; ++tap) {
      const int input = tap / channels * stored + tap % channels;
      layer.weight[((static_cast<size_t>(panel) * layer.groups + input / group) * kPanel + lane) * group +
                   input % group] = raw.weight[tap * raw.outputs + output];
    }
    layer.bias[output] = raw.bias[output] + rounding_half(raw.shift[output]);
    layer.shift[output] = raw.shift[output];
  }
  return layer;
}

// The layers between two exits. Only the first one of a network has a convolution; after `body` connections the hidden
// state is complete, and the last one gives the logits.
struct Stage {
  std::unique_ptr<Convolution> convolution;
  std::vector<Connection> connections;
  size_t body = 0;

  int inputs() const { return connections[0].inputs; }  // bytes of a hidden state that comes from another stage
  int hidden() const {                                   // bytes of the hidden state that it leaves
    return body ? connections[body - 1].results() : convolution ? convolution->results() : inputs();
  }
};

struct FirstExit {
  Convolution trunk, branch;
  Connection classifier;
};

struct Network {
  const Kernels* kernels;
  std::unique_ptr<FirstExit> first_exit;
  std::vector<Stage> stages;
};

// Run `work(first, last)` on parts of `rows` rows, on so many threads, this one among them. Where there are no more
// threads to be had, this one does the work of those that are missing.
template <typename Work>
void in_threads(size_t rows, size_t threads, const Work& work) {
  const size_t parts = std::max<size_t>(1, std::min(threads, (rows + kChunk - 1) / kChunk));
  if (parts == 1) return work(0, rows);
  std::vector<std::exception_ptr> failures(parts);  // an exception that leaves a thread ends the process
  const auto compute = [&](size_t part) {
    try {
      work(rows * part / parts, rows * (part + 1) / parts);
    } catch (...) {
      failures[part] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  others.reserve(parts - 1);
  try {
    while (others.size() < parts - 1) others.emplace_back(compute, others.size() + 1);
  } catch (const std::exception&) {  // and a thread that is begun must be joined before its vector goes
  }
  compute(0);
  for (size_t part = others.size() + 1; part < parts; ++part) compute(part);
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

// Features of one image as the circuit returns them: two to a byte, position-major, the low nibble first.
inline void unpack_nibbles(const uint8_t* packed, int bytes, uint8_t* image) {
  for (int byte = 0; byte < bytes; ++byte) {
    image[2 * byte] = packed[byte] & 15;
    image[2 * byte + 1] = packed[byte] >> 4;
  }
}

inline void pack_nibbles(const uint8_t* __restrict nibbles, int bytes, uint8_t* __restrict packed) {
  for (int byte = 0; byte < bytes; ++byte)
    packed[byte] = static_cast<uint8_t>(nibbles[2 * byte] | nibbles[2 * byte + 1] << 4);
}

// As memcpy, for lines of few vectors.
inline void copy_line(const uint8_t* from, int bytes, uint8_t* to) {
  constexpr int step = sizeof(Bytes);
  if (bytes < step) {
    std::memcpy(to, from, bytes);
    return;
  }
  Bytes vector;
  for (int byte = 0; byte < bytes; byte += step) {
    const int place = std::min(byte, bytes - step);  // the last one overlaps
    std::memcpy(&vector, from + place, step);
    std::memcpy(to + place, &vector, step);
  }
}

inline void interleave_planes(const uint8_t* planes, int positions, int channels, uint8_t* image) {
  for (int position = 0; position < positions; ++position)
    for (int channel = 0; channel < channels; ++channel) *image++ = planes[channel * positions + position];
}

enum class Input { kPlanes, kNibbles, kHidden };

// Run one stage over `rows` images.
//
// inputs: of each image, planes (channels, side, side), nibbles as the circuit returns them, or the hidden state that the
// stage before this one left. hidden: (rows, stage.hidden()), not touched where the stage has no body. logits: (rows,
// outputs of the last layer).
inline void run_stage(const Network& network, const Stage& stage, Input kind, const uint8_t* inputs, size_t rows,
                      uint8_t* hidden, int16_t* logits) {
  const Kernels& kernels = *network.kernels;
  size_t widest = stage.inputs();  // what a convolution leaves, too
  for (const Connection& layer : stage.connections) widest = std::max<size_t>(widest, layer.results());
  const size_t chunk = std::min(rows, kChunk);
  std::vector<uint8_t> scratch[2];
  for (auto& half : scratch) half.resize(chunk * widest + kSlack);
  std::vector<uint8_t> image(stage.convolution ? stage.convolution->image() + kSlack : 0);
  for (size_t start = 0; start < rows; start += kChunk) {
    const size_t count = std::min(kChunk, rows - start);
    uint8_t* current = scratch[0].data();
    uint8_t* other = scratch[1].data();
    size_t stride = stage.inputs();
    if (stage.convolution) {
      const Convolution& layer = *stage.convolution;
      const int bytes = kind == Input::kPlanes ? layer.image() : layer.image() / 2;
      for (size_t row = 0; row < count; ++row) {
        const uint8_t* from = inputs + (start + row) * bytes;
        if (kind == Input::kPlanes)
          interleave_planes(from, layer.side * layer.side, layer.channels, image.data());
        else
          unpack_nibbles(from, bytes, image.data());
        kernels.convolve(layer, image.data(), current + row * layer.results(), layer.dense());
      }
      stride = layer.results();
    } else {
      std::memcpy(current, inputs + start * stride, count * stride);
    }
    for (size_t number = 0; number <= stage.connections.size(); ++number) {
      if (number == stage.body && (stage.body || stage.convolution))
        std::memcpy(hidden + start * stride, current, count * stride);
      if (number == stage.connections.size()) break;
      const Connection& layer = stage.connections[number];
      kernels.connect(layer, current, stride, count, other,
                      layer.largest ? nullptr : logits + start * layer.outputs);
      std::swap(current, other);
      stride = layer.results();
    }
  }
}

// Images (rows, side, side) to features packed as the circuit returns them, and logits (rows, outputs).
inline void run_first_exit(const Network& network, const uint8_t* images, size_t rows, uint8_t* features,
                           int16_t* logits) {
  const Kernels& kernels = *network.kernels;
  const Convolution& trunk = network.first_exit->trunk;
  const Convolution& branch = network.first_exit->branch;
  const Connection& classifier = network.first_exit->classifier;
  const int side = trunk.side, line = branch.side * branch.channels;
  const size_t chunk = std::min(rows, kChunk), pooled_bytes = chunk * branch.results() + kSlack;
  const size_t pixels_bytes = trunk.image() + kSlack, maps_bytes = branch.image() + kSlack;
  std::unique_ptr<uint8_t[]> memory(new uint8_t[pixels_bytes + maps_bytes + pooled_bytes]);
  uint8_t *pixels = memory.get(), *maps = pixels + pixels_bytes, *pooled = maps + maps_bytes;
  std::memset(pixels, 0, pixels_bytes + maps_bytes);  // the padding
  uint8_t* const pixels_inside = pixels + trunk.padding * (trunk.pitch() + 1);
  uint8_t* const maps_inside = maps + branch.padding * (branch.pitch() + branch.channels);
  const Places in_maps = {branch.channels, branch.pitch()};
  for (size_t start = 0; start < rows; start += kChunk) {
    const size_t count = std::min(kChunk, rows - start);
    for (size_t row = 0; row < count; ++row) {
      for (int y = 0; y < side; ++y, images += side) copy_line(images, side, pixels_inside + y * trunk.pitch());
      kernels.convolve_pixels(trunk, pixels, maps_inside, in_maps);
      for (int y = 0; y < branch.side; ++y, features += line / 2)
        pack_nibbles(maps_inside + y * branch.pitch(), line / 2, features);
      kernels.convolve(branch, maps, pooled + row * branch.results(), branch.dense());
    }
    kernels.connect(classifier, pooled, branch.results(), count, nullptr, logits + start * classifier.outputs);
  }
}

}  // namespace pynq_ee
