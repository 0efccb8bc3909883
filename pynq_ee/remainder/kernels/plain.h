// Plain C++: what runs where there is nothing better, and what the other kernels are read against.

static bool supported() { return true; }

// One pooled position: four sums of 16 bits for each output, which wrap as Convolution::start allows.
static void convolve(const Convolution& layer, const uint8_t* image, uint8_t* outputs) {
  const int half = layer.half(), pitch = layer.pitch(), run = layer.run();
  for (int y = 0; y < half; ++y)
    for (int x = 0; x < half; ++x, outputs += kPanel) {
      uint16_t sums[4][kPanel];
      for (auto& of_position : sums)
        for (int i = 0; i < kPanel; ++i) of_position[i] = static_cast<uint16_t>(layer.start[i]);
      const int16_t* weight = layer.wide.data();
      for (int row = 0; row < layer.kernel; ++row) {
        const uint8_t* top = image + (2 * y + row) * pitch + 2 * x * layer.channels;
        for (int tap = 0; tap < run; ++tap, weight += kPanel) {
          const uint16_t inputs[4] = {top[tap], top[tap + layer.channels], top[tap + pitch],
                                      top[tap + pitch + layer.channels]};
          for (int position = 0; position < 4; ++position)
            for (int i = 0; i < kPanel; ++i)
              sums[position][i] = static_cast<uint16_t>(sums[position][i] + inputs[position] * weight[i]);
        }
      }
      for (int i = 0; i < kPanel; ++i) {
        const auto value = [&](int position) { return static_cast<int16_t>(sums[position][i]); };
        const int16_t largest = std::max(std::max(value(0), value(1)), std::max(value(2), value(3)));
        outputs[i] = activation(largest + layer.bias[i], layer.shift[i], layer.largest);
      }
    }
}

// Most inputs are zero behind a ReLU, and their weights need not be read.
static void connect(const Connection& layer, const uint8_t* inputs, size_t stride, size_t count, uint8_t* activations,
                    int16_t* logits) {
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

static const Kernels kKernels = {"plain", supported, true, 1, 1, convolve, convolve, connect};
