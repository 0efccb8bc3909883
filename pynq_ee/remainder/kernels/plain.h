// Plain C++: what runs where there is nothing better, and what the other kernels are read against. Its vectors are the
// compiler's own (GCC and Clang), for any processor.

typedef uint16_t Words __attribute__((vector_size(8 * sizeof(uint16_t))));

static inline Words load(const int16_t* from) {
  Words words;
  std::memcpy(&words, from, sizeof words);
  return words;
}

static bool supported() { return true; }

// Sums of one position, of 16 bits, which wrap as Convolution::start allows.
static inline void sum_position(const Convolution& layer, const uint8_t* from, int16_t* outputs) {
  const int run = layer.run(), pitch = layer.pitch();
  Words left = load(layer.start), right = load(layer.start + 8);
  const int16_t* weight = layer.wide.data();
  for (int row = 0; row < layer.kernel; ++row, from += pitch)
    for (int tap = 0; tap < run; ++tap, weight += kPanel) {
      left += load(weight) * static_cast<uint16_t>(from[tap]);
      right += load(weight + 8) * static_cast<uint16_t>(from[tap]);
    }
  std::memcpy(outputs, &left, sizeof left);
  std::memcpy(outputs + 8, &right, sizeof right);
}

static void convolution_1x16__plain(const Convolution& layer, const uint8_t* image, uint8_t* outputs, Places places) {
  const int half = layer.half(), pitch = layer.pitch();
  for (int y = 0; y < half; ++y)
    for (int x = 0; x < half; ++x) {
      uint8_t* to = outputs + y * places.line + x * places.step;
      const uint8_t* from = image + 2 * y * pitch + 2 * x * layer.channels;
      int16_t sums[4][kPanel];
      sum_position(layer, from, sums[0]);
      sum_position(layer, from + layer.channels, sums[1]);
      sum_position(layer, from + pitch, sums[2]);
      sum_position(layer, from + pitch + layer.channels, sums[3]);
      for (int i = 0; i < kPanel; ++i) {
        const int16_t largest = std::max(std::max(sums[0][i], sums[1][i]), std::max(sums[2][i], sums[3][i]));
        to[i] = activation(largest + layer.bias[i], layer.shift[i], layer.largest);
      }
    }
}

// Most inputs are zero behind a ReLU, and their weights need not be read.
static void connection_1x16__plain(const Connection& layer, const uint8_t* inputs, size_t stride, size_t count,
                                   uint8_t* activations, int16_t* logits) {
  for (size_t row = 0; row < count; ++row) {
    const uint8_t* from = inputs + row * stride;
    for (int panel = 0; panel < layer.panels; ++panel) {
      int32_t sums[kPanel] = {};
      const int8_t* weight = layer.weight.data() + static_cast<size_t>(panel) * layer.groups * kPanel;
      for (int input = 0; input < layer.inputs; ++input, weight += kPanel)
        if (from[input])
          for (int i = 0; i < kPanel; ++i) sums[i] += from[input] * weight[i];
      finish(layer, panel, sums, activations, logits, row);
    }
  }
}

static const Kernels kKernels = {
    "plain", supported, true, 1, 1, 1, convolution_1x16__plain, convolution_1x16__plain, connection_1x16__plain};
