// The native remainder without Python: layers, programs, entropy. native.cpp binds it; the self-test runs it elsewhere.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace pynq_ee {

// A layer's outputs are a multiple of this: whoever builds a program pads weights and biases with zeros.
constexpr int kBlock = 16;
// Most inputs of a fully connected layer: what one row of a layer keeps on the stack.
constexpr int kMaxInputs = 4096;
// Most floats of one image's features, for the same reason.
constexpr int kMaxImage = 16384;
constexpr size_t kAlignment = 64;  // one cache line

struct Free {
  void operator()(float* floats) const { ::operator delete[](floats, std::align_val_t(kAlignment)); }
};
using Floats = std::unique_ptr<float[], Free>;

inline Floats allocate(size_t count) {
  return Floats(static_cast<float*>(::operator new[](std::max<size_t>(count, 1) * sizeof(float),
                                                     std::align_val_t(kAlignment))));
}

// kernel > 0: convolution of (side, side, channels), max-pool 2x2, ReLU. kernel = 0: fully connected, ReLU if `relu`.
struct Layer {
  int kernel, channels, side;  // of a convolution
  int inputs, outputs;         // inputs of one output: taps of a convolution
  bool relu;
  Floats weight;  // panels: (outputs / width, inputs, width)
  Floats bias;    // (outputs)

  int half() const { return (side - kernel + 1) / 2; }
  int image() const { return side * side * channels; }
  int results() const { return kernel ? half() * half() * outputs : outputs; }  // floats of one image
};

struct Kernels {
  int width;  // outputs of one panel
  void (*expand_planes)(const Layer&, const uint8_t*, float*);
  void (*expand_nibbles)(const Layer&, const uint8_t*, float*);
  void (*convolve)(const Layer&, const float*, float*);
  void (*connect)(const Layer&, const float*, size_t, float*, size_t);
};

namespace baseline {
#define LANES 4
#include "native_kernels.h"
#undef LANES
}  // namespace baseline

// A wheel for x86-64 must run on any x86-64, so the better instructions are chosen when the program is built.
#if defined(__x86_64__) && defined(__GNUC__)
#define PYNQ_EE_AVX2 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace avx2 {
#define LANES 8
#include "native_kernels.h"
#undef LANES
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

struct InstructionSet {
  const char* name;
  const Kernels* kernels;
};

// The instruction sets that this machine can run, the best one first.
inline std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> sets;
#if PYNQ_EE_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back({"AVX2", &avx2::kKernels});
#endif
#if defined(__x86_64__)
  sets.push_back({"SSE2", &baseline::kKernels});
#elif defined(__ARM_NEON)
  sets.push_back({"NEON", &baseline::kKernels});
#else
  sets.push_back({"none", &baseline::kKernels});
#endif
  return sets;
}

// Layers in the order in which they run. A convolution can only be the first one. After `body` of them the hidden state
// is complete; the last one gives the logits.
struct Program {
  const Kernels* kernels;
  std::vector<Layer> layers;
  size_t body;
};

// Weights (inputs, outputs) to panels (outputs / width, inputs, width).
inline Floats pack(const float* weight, int inputs, int outputs, int width) {
  Floats panels = allocate(static_cast<size_t>(inputs) * outputs);
  float* to = panels.get();
  for (int output = 0; output < outputs; output += width)
    for (int input = 0; input < inputs; ++input, to += width)
      std::memcpy(to, weight + static_cast<size_t>(input) * outputs + output, width * sizeof(float));
  return panels;
}

inline Floats copy(const float* from, size_t count) {
  Floats floats = allocate(count);
  std::memcpy(floats.get(), from, count * sizeof(float));
  return floats;
}

enum class Input { kPlanes, kNibbles, kHidden };

// Run a program over `rows` images.
//
// inputs: of each image, planes (channels, side, side) of uint8, nibbles (side * side * channels / 2) as the circuit
// returns them, or the hidden state that the program before this one left. hidden: (rows, results of the body), not
// touched if the body is empty. logits: (rows, classes), classes at most the last layer's outputs.
inline void run(const Program& program, Input kind, const void* inputs, size_t rows, float* hidden, float* logits,
                int classes) {
  constexpr size_t kChunk = 24;  // images whose activations stay in the cache from layer to layer
  const Kernels& kernels = *program.kernels;
  const std::vector<Layer>& layers = program.layers;
  size_t widest = 0;
  for (const Layer& layer : layers) widest = std::max<size_t>(widest, layer.results());
  const size_t chunk = std::min(rows, kChunk);
  Floats scratch[2] = {allocate(chunk * widest), allocate(chunk * widest)};
  const auto* features = static_cast<const uint8_t*>(inputs);
  const auto* state = static_cast<const float*>(inputs);

  for (size_t start = 0; start < rows; start += kChunk) {
    const size_t count = std::min(kChunk, rows - start);
    const float* current = kind == Input::kHidden ? state + start * layers[0].inputs : nullptr;
    size_t stride = layers[0].inputs;
    for (size_t number = 0; number < layers.size(); ++number) {
      const Layer& layer = layers[number];
      const size_t results = layer.results();
      float* target = number + 1 == program.body ? hidden + start * results : scratch[number % 2].get();
      if (layer.kernel) {
        alignas(kAlignment) float image[kMaxImage];
        const size_t bytes = kind == Input::kPlanes ? layer.image() : layer.image() / 2;
        for (size_t row = 0; row < count; ++row) {
          const uint8_t* from = features + (start + row) * bytes;
          (kind == Input::kPlanes ? kernels.expand_planes : kernels.expand_nibbles)(layer, from, image);
          kernels.convolve(layer, image, target + row * results);
        }
      } else {
        kernels.connect(layer, current, stride, target, count);
      }
      current = target;
      stride = results;
    }
    for (size_t row = 0; row < count; ++row)
      std::memcpy(logits + (start + row) * classes, current + row * stride, classes * sizeof(float));
  }
}

// Softmax, entropy and threshold of logits -----------------------------------------------------------------------------
//
// With d_i the maximum less logit i, Z = sum exp(-d_i): H = ln Z + (1 / Z) sum d_i exp(-d_i), all in double precision.

struct Decision {
  double* entropy;   // nats
  int64_t* label;    // the first of the largest logits
  uint8_t* leaves;   // whether the entropy is below the threshold
};

// exp(-d * scale) for every difference d of two int16 values, as the product of two table entries.
struct ExponentialTable {
  double scale;
  double low[256], high[256];

  explicit ExponentialTable(double scale_of_one) : scale(scale_of_one) {
    for (int step = 0; step < 256; ++step) {
      low[step] = std::exp(-step * scale);
      high[step] = std::exp(-step * 256.0 * scale);
    }
  }
};

inline void finish_decision(const Decision& out, size_t row, double total, double weighted, int64_t label,
                            double threshold) {
  const double entropy = std::max(std::log(total) + weighted / total, 0.0);
  out.entropy[row] = entropy;
  out.label[row] = label;
  out.leaves[row] = entropy < threshold;
}

// kClasses: number of classes where the compiler may know it and unroll the loops over them, else 0.
template <int kClasses>
void decide_rows(const ExponentialTable& table, const char* logits, ptrdiff_t stride, size_t rows, int any_classes,
                 double threshold, const Decision& out) {
  const int classes = kClasses ? kClasses : any_classes;
  for (size_t row = 0; row < rows; ++row, logits += stride) {
    const auto* values = reinterpret_cast<const int16_t*>(logits);
    int largest = values[0];
    for (int i = 1; i < classes; ++i) largest = std::max<int>(largest, values[i]);
    int label = 0;
    for (int i = classes - 1; i >= 0; --i) label = values[i] == largest ? i : label;  // no branch to mispredict
    double total = 0, weighted = 0;
    for (int i = 0; i < classes; ++i) {
      const int difference = largest - values[i];
      const double exponential = table.high[difference >> 8] * table.low[difference & 255];
      total += exponential;
      weighted += exponential * difference;
    }
    finish_decision(out, row, total, weighted * table.scale, label, threshold);
  }
}

// Logits int16 (rows, classes), `stride` bytes from row to row, each standing for logit * table.scale.
inline void decide(const ExponentialTable& table, const char* logits, ptrdiff_t stride, size_t rows, int classes,
                   double threshold, const Decision& out) {
  (classes == 10 ? decide_rows<10> : decide_rows<0>)(table, logits, stride, rows, classes, threshold, out);
}

// Logits float (rows, classes), contiguous. False, and no defined result, if one of them is NaN or infinite.
inline bool decide(const float* logits, size_t rows, int classes, double threshold, const Decision& out) {
  for (size_t row = 0; row < rows; ++row, logits += classes) {
    const int64_t label = std::max_element(logits, logits + classes) - logits;
    const double largest = logits[label];
    double total = 0, weighted = 0;
    for (int i = 0; i < classes; ++i) {
      if (!std::isfinite(logits[i])) return false;
      const double difference = largest - logits[i];
      const double exponential = std::exp(-difference);
      total += exponential;
      weighted += exponential * difference;
    }
    finish_decision(out, row, total, weighted, label, threshold);
  }
  return true;
}

}  // namespace pynq_ee
