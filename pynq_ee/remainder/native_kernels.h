// The remainder's layers, written with the compiler's vectors.
//
// native_engine.h includes this file once for each instruction set, inside a namespace of its own and with LANES set to
// the floats of one vector register: hence no include guard, and no include. Every tile below keeps its sums in at most
// 12 registers of the 16 that the smallest targets (SSE2, AVX2, 32-bit NEON) have.

typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float Unaligned __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

constexpr int kWidth = 2 * LANES;  // outputs of one panel of packed weights: two registers
static_assert(kBlock % kWidth == 0, "a layer's outputs are a whole number of panels");

static inline __attribute__((always_inline)) Vector load(const float* from) {
  return *reinterpret_cast<const Unaligned*>(from);
}

static inline __attribute__((always_inline)) void store(float* to, Vector value) {
  *reinterpret_cast<Unaligned*>(to) = value;
}

static inline __attribute__((always_inline)) Vector larger(Vector a, Vector b) { return a > b ? a : b; }

// Features of one image, planes (channels, side, side), to floats (side, side, channels).
static void expand_planes(const Layer& layer, const uint8_t* planes, float* image) {
  const int positions = layer.side * layer.side;
  for (int position = 0; position < positions; ++position)
    for (int channel = 0; channel < layer.channels; ++channel)
      *image++ = planes[channel * positions + position];
}

// Features of one image as the circuit returns them, two to a byte, low nibble first, to floats (side, side, channels).
static void expand_nibbles(const Layer& layer, const uint8_t* packed, float* image) {
  const int bytes = layer.side * layer.side * layer.channels / 2;
  for (int byte = 0; byte < bytes; ++byte) {
    image[2 * byte] = packed[byte] & 15;
    image[2 * byte + 1] = packed[byte] >> 4;
  }
}

// Convolution without padding, max-pool 2x2, ReLU, of one image: (side, side, channels) to (half, half, outputs).
//
// A tile is one pooled position: its four sums stay in registers until they are pooled. Channels come last, so that
// the taps of one kernel row are one run of consecutive floats.
static void convolve(const Layer& layer, const float* image, float* outputs) {
  const int run = layer.kernel * layer.channels;
  const int row = layer.side * layer.channels;
  const int half = layer.half();
  const float* panel = layer.weight.get();
  for (int output = 0; output < layer.outputs; output += kWidth, panel += layer.kernel * run * kWidth)
    for (int y = 0; y < half; ++y)
      for (int x = 0; x < half; ++x) {
        Vector sums[2][2][2] = {};
        const float* weight = panel;
        for (int kernel_row = 0; kernel_row < layer.kernel; ++kernel_row) {
          const float* top = image + (2 * y + kernel_row) * row + 2 * x * layer.channels;
          const float* bottom = top + row;
          for (int tap = 0; tap < run; ++tap, weight += kWidth) {
            const Vector left = load(weight), right = load(weight + LANES);
            sums[0][0][0] += left * top[tap];
            sums[0][0][1] += right * top[tap];
            sums[0][1][0] += left * top[tap + layer.channels];
            sums[0][1][1] += right * top[tap + layer.channels];
            sums[1][0][0] += left * bottom[tap];
            sums[1][0][1] += right * bottom[tap];
            sums[1][1][0] += left * bottom[tap + layer.channels];
            sums[1][1][1] += right * bottom[tap + layer.channels];
          }
        }
        for (int part = 0; part < 2; ++part) {
          const int channel = output + part * LANES;
          const Vector pooled = larger(larger(sums[0][0][part], sums[0][1][part]),
                                       larger(sums[1][0][part], sums[1][1][part]));
          store(outputs + (y * half + x) * layer.outputs + channel,
                larger(Vector{}, pooled + load(layer.bias.get() + channel)));
        }
      }
}

// Write one tile's sums: bias and ReLU.
static inline __attribute__((always_inline)) void finish(const Layer& layer, int output, const Vector* sums,
                                                         float* outputs) {
  for (int part = 0; part < 2; ++part) {
    const Vector value = sums[part] + load(layer.bias.get() + output + part * LANES);
    store(outputs + output + part * LANES, layer.relu ? larger(Vector{}, value) : value);
  }
}

// Fully connected layer, for kRows rows at once: each weight that is loaded serves all of them.
constexpr int kRows = 6;

static void connect_rows(const Layer& layer, const float* inputs, size_t input_stride, float* outputs) {
  const float* weight = layer.weight.get();
  for (int output = 0; output < layer.outputs; output += kWidth) {
    Vector sums[kRows][2] = {};
    for (int input = 0; input < layer.inputs; ++input, weight += kWidth) {
      const Vector left = load(weight), right = load(weight + LANES);
      for (int row = 0; row < kRows; ++row) {
        sums[row][0] += left * inputs[row * input_stride + input];
        sums[row][1] += right * inputs[row * input_stride + input];
      }
    }
    for (int row = 0; row < kRows; ++row) finish(layer, output, sums[row], outputs + row * layer.outputs);
  }
}

// Fully connected layer, for one row: four sums of each output, so that an addition need not wait for the one before.
// Reading the weights is what takes the time here, and those of an input that ReLU made zero need not be read.
static void connect_row(const Layer& layer, const float* inputs, float* outputs) {
  constexpr int kSums = 4;
  int taps[kMaxInputs];
  int count = 0;
  for (int input = 0; input < layer.inputs; ++input) {
    taps[count] = input;
    count += inputs[input] != 0;
  }
  const float* panel = layer.weight.get();
  for (int output = 0; output < layer.outputs; output += kWidth, panel += layer.inputs * kWidth) {
    Vector sums[kSums][2] = {};
    int tap = 0;
    for (; tap + kSums <= count; tap += kSums)
      for (int sum = 0; sum < kSums; ++sum) {
        const int input = taps[tap + sum];
        sums[sum][0] += load(panel + input * kWidth) * inputs[input];
        sums[sum][1] += load(panel + input * kWidth + LANES) * inputs[input];
      }
    for (; tap < count; ++tap) {
      sums[0][0] += load(panel + taps[tap] * kWidth) * inputs[taps[tap]];
      sums[0][1] += load(panel + taps[tap] * kWidth + LANES) * inputs[taps[tap]];
    }
    for (int part = 0; part < 2; ++part) sums[0][part] += sums[1][part] + (sums[2][part] + sums[3][part]);
    finish(layer, output, sums[0], outputs);
  }
}

// Fully connected layer: (rows, inputs) to (rows, outputs).
static void connect(const Layer& layer, const float* inputs, size_t input_stride, float* outputs, size_t rows) {
  size_t row = 0;
  for (; row + kRows <= rows; row += kRows)
    connect_rows(layer, inputs + row * input_stride, input_stride, outputs + row * layer.outputs);
  for (; row < rows; ++row) connect_row(layer, inputs + row * input_stride, outputs + row * layer.outputs);
}

static const Kernels kKernels = {kWidth, expand_planes, expand_nibbles, convolve, connect};
