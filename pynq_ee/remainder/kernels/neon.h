// NEON, of 32-bit and 64-bit ARM alike: convolutions by vmla.i16 with the input in a lane, sums in 16 bits; fully
// connected layers by pairs of bytes (vmull.s8, vmlal.s8), whose 16 bits vpadal.s16 adds to sums of 32.

static bool supported() { return true; }

// Bytes to 16 bits, for `count` rounded up to 16.
static inline void widen(const uint8_t* from, int count, int16_t* to) {
  for (int i = 0; i < count; i += 16) {
    const uint8x16_t bytes = vld1q_u8(from + i);
    vst1q_s16(to + i, vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))));
    vst1q_s16(to + i + 8, vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(bytes))));
  }
}

// Requantize eight sums of 16 bits to eight activations. Saturation keeps the order, so the clip may come last.
static inline void requantize(const Convolution& layer, int first, int16x8_t sums, uint8_t* outputs) {
  const int32_t *bias = layer.bias + first, *shift = layer.shift + first;
  const int32x4_t low = vshlq_s32(vaddw_s16(vld1q_s32(bias), vget_low_s16(sums)), vnegq_s32(vld1q_s32(shift)));
  const int32x4_t high = vshlq_s32(vaddw_s16(vld1q_s32(bias + 4), vget_high_s16(sums)), vnegq_s32(vld1q_s32(shift + 4)));
  const uint16x8_t words = vcombine_u16(vqmovun_s32(low), vqmovun_s32(high));
  vst1_u8(outputs + first, vmin_u8(vqmovn_u16(words), vdup_n_u8(static_cast<uint8_t>(layer.largest))));
}

// One tap of the four positions of a tile, whose inputs are in a lane of `inputs`.
#define PYNQ_EE_TAP(lane)                                                           \
  {                                                                                 \
    const int16x8_t left = vld1q_s16(weight), right = vld1q_s16(weight + 8);        \
    weight += kPanel;                                                               \
    sums0 = vmlaq_lane_s16(sums0, left, inputs0, lane);                             \
    sums1 = vmlaq_lane_s16(sums1, right, inputs0, lane);                            \
    sums2 = vmlaq_lane_s16(sums2, left, inputs1, lane);                             \
    sums3 = vmlaq_lane_s16(sums3, right, inputs1, lane);                            \
    sums4 = vmlaq_lane_s16(sums4, left, inputs2, lane);                             \
    sums5 = vmlaq_lane_s16(sums5, right, inputs2, lane);                            \
    sums6 = vmlaq_lane_s16(sums6, left, inputs3, lane);                             \
    sums7 = vmlaq_lane_s16(sums7, right, inputs3, lane);                            \
  }

// A tile is one pooled position: its four sums of sixteen outputs stay in eight registers.
static void convolve(const Convolution& layer, const uint8_t* bytes, uint8_t* outputs) {
  int16_t image[kMaxImage + kSlack];
  widen(bytes, layer.image(), image);
  const int half = layer.half(), pitch = layer.pitch(), channels = layer.channels, run = layer.run();
  const int16x8_t start_left = vld1q_s16(layer.start), start_right = vld1q_s16(layer.start + 8);
  for (int y = 0; y < half; ++y)
    for (int x = 0; x < half; ++x, outputs += kPanel) {
      int16x8_t sums0 = start_left, sums2 = start_left, sums4 = start_left, sums6 = start_left;
      int16x8_t sums1 = start_right, sums3 = start_right, sums5 = start_right, sums7 = start_right;
      const int16_t* weight = layer.wide.data();
      for (int row = 0; row < layer.kernel; ++row) {
        const int16_t* top = image + (2 * y + row) * pitch + 2 * x * channels;
        for (int tap = 0; tap < run; tap += 4, top += 4) {
          const int16x4_t inputs0 = vld1_s16(top), inputs1 = vld1_s16(top + channels);
          const int16x4_t inputs2 = vld1_s16(top + pitch), inputs3 = vld1_s16(top + pitch + channels);
          PYNQ_EE_TAP(0)
          if (tap + 1 < run) PYNQ_EE_TAP(1)
          if (tap + 2 < run) {
            PYNQ_EE_TAP(2)
            if (tap + 3 < run) PYNQ_EE_TAP(3)
          }
        }
      }
      requantize(layer, 0, vmaxq_s16(vmaxq_s16(sums0, sums2), vmaxq_s16(sums4, sums6)), outputs);
      requantize(layer, 8, vmaxq_s16(vmaxq_s16(sums1, sums3), vmaxq_s16(sums5, sums7)), outputs);
    }
}
#undef PYNQ_EE_TAP

// The first layer, of eight outputs at most: a tile is two pooled positions, eight sums of eight outputs. Pixel j of the
// eight that a kernel row's tile sees is lane j % 4 of `near` (0 to 3) or `far` (4 to 7).
#define PYNQ_EE_COLUMN(weights, sums, tap)                                                                              \
  sums[0] = vmlaq_lane_s16(sums[0], weights, tap < 4 ? near : far, tap % 4);                                            \
  sums[1] = vmlaq_lane_s16(sums[1], weights, tap + 1 < 4 ? near : far, (tap + 1) % 4);                                  \
  sums[2] = vmlaq_lane_s16(sums[2], weights, tap + 2 < 4 ? near : far, (tap + 2) % 4);                                  \
  sums[3] = vmlaq_lane_s16(sums[3], weights, tap + 3 < 4 ? near : far, (tap + 3) % 4);

static void convolve_pixels(const Convolution& layer, const uint8_t* bytes, uint8_t* outputs) {
  const int half = layer.half(), pitch = layer.pitch();
  if (layer.outputs > 8 || layer.kernel != 5 || half % 2) return convolve(layer, bytes, outputs);
  int16_t image[kMaxImage + kSlack];
  widen(bytes, layer.image(), image);
  const int16x8_t start = vld1q_s16(layer.start);
  for (int y = 0; y < half; ++y)
    for (int x = 0; x < half; x += 2, outputs += 2 * kPanel) {
      int16x8_t upper[4] = {start, start, start, start}, lower[4] = {start, start, start, start};
      const int16_t* weight = layer.wide.data();
      const int16_t* top = image + 2 * y * pitch + 2 * x;
      for (int row = 0; row < 5; ++row, top += pitch, weight += 5 * kPanel) {
        const int16x8_t weights0 = vld1q_s16(weight), weights1 = vld1q_s16(weight + kPanel);
        const int16x8_t weights2 = vld1q_s16(weight + 2 * kPanel), weights3 = vld1q_s16(weight + 3 * kPanel);
        const int16x8_t weights4 = vld1q_s16(weight + 4 * kPanel);
        {
          const int16x4_t near = vld1_s16(top), far = vld1_s16(top + 4);
          PYNQ_EE_COLUMN(weights0, upper, 0)
          PYNQ_EE_COLUMN(weights1, upper, 1)
          PYNQ_EE_COLUMN(weights2, upper, 2)
          PYNQ_EE_COLUMN(weights3, upper, 3)
          PYNQ_EE_COLUMN(weights4, upper, 4)
        }
        {
          const int16x4_t near = vld1_s16(top + pitch), far = vld1_s16(top + pitch + 4);
          PYNQ_EE_COLUMN(weights0, lower, 0)
          PYNQ_EE_COLUMN(weights1, lower, 1)
          PYNQ_EE_COLUMN(weights2, lower, 2)
          PYNQ_EE_COLUMN(weights3, lower, 3)
          PYNQ_EE_COLUMN(weights4, lower, 4)
        }
      }
      for (int pair = 0; pair < 2; ++pair) {
        const int16x8_t rows = vmaxq_s16(upper[2 * pair], upper[2 * pair + 1]);
        requantize(layer, 0, vmaxq_s16(rows, vmaxq_s16(lower[2 * pair], lower[2 * pair + 1])), outputs + pair * kPanel);
      }
    }
}
#undef PYNQ_EE_COLUMN

// Two inputs to every lane of 16 bits.
static inline int8x8_t two_inputs(const uint8_t* from) {
  return vreinterpret_s8_s16(vld1_dup_s16(reinterpret_cast<const int16_t*>(from)));
}

// Four inputs and sixteen outputs at a time: a layer's inputs are a multiple of sixteen.
static void connect(const Connection& layer, const uint8_t* inputs, size_t stride, size_t count, uint8_t* activations,
                    int16_t* logits) {
  for (size_t row = 0; row < count; ++row) {
    const int8_t* weight = layer.weight.data();
    for (int panel = 0; panel < layer.panels; ++panel) {
      const uint8_t* from = inputs + row * stride;
      int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
      for (int group = 0; group < layer.groups; group += 2, from += 4, weight += 4 * kPanel) {
        const int8x8_t first = two_inputs(from), second = two_inputs(from + 2);
        for (int part = 0; part < 2; ++part) {
          const int8x16_t left = vld1q_s8(weight + 16 * part), right = vld1q_s8(weight + 32 + 16 * part);
          const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(left), first), vget_low_s8(right), second);
          const int16x8_t high = vmlal_s8(vmull_s8(vget_high_s8(left), first), vget_high_s8(right), second);
          sums[2 * part] = vpadalq_s16(sums[2 * part], low);
          sums[2 * part + 1] = vpadalq_s16(sums[2 * part + 1], high);
        }
      }
      int32_t whole[kPanel];
      for (int part = 0; part < 4; ++part) vst1q_s32(whole + 4 * part, sums[part]);
      finish(layer, panel, whole, activations, logits, row);
    }
  }
}

static const Kernels kKernels = {"neon", supported, true, 1, 2, convolve_pixels, convolve, connect};
