// NEON: convolutions by products of 16 bits with a lane, sums in 16 bits; fully connected layers by pairs of bytes
// (vmull.s8, vmlal.s8), whose 16 bits vpadal.s16 adds to sums of 32. ARMv7 has sixteen registers of 128 bits: a tile's
// sums take eight.

static bool supported() { return true; }

// Load, and step on. The compiler must not see that the addresses of two loads differ by a constant: it would compute
// every one of them, where ARMv7's loads step on by themselves.
template <int kStep = 8>
static inline int16x8_t take8(const int16_t*& from) {
  const int16x8_t words = vld1q_s16(from);
  from += kStep;
  asm("" : "+r"(from));
  return words;
}
static inline int16x4_t take4(const int16_t*& from) {
  const int16x4_t words = vld1_s16(from);
  from += 4;
  asm("" : "+r"(from));
  return words;
}
static inline int8x16_t take16(const int8_t*& from) {
  const int8x16_t bytes = vld1q_s8(from);
  from += 16;
  asm("" : "+r"(from));
  return bytes;
}
// Two inputs to every lane of 16 bits.
static inline int8x8_t take_pair(const uint8_t*& from) {
  const int8x8_t pairs = vreinterpret_s8_s16(vld1_dup_s16(reinterpret_cast<const int16_t*>(from)));
  from += 2;
  asm("" : "+r"(from));
  return pairs;
}

// Bytes to 16 bits, for `count` rounded up to 16.
static inline void widen(const uint8_t* from, int count, int16_t* to) {
  for (int i = 0; i < count; i += 16, from += 16, to += 16) {
    const uint8x16_t bytes = vld1q_u8(from);
    vst1q_s16(to, vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))));
    vst1q_s16(to + 8, vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(bytes))));
  }
}

// Requantize eight sums to eight activations. Saturation keeps the order, so the clip may come last.
static inline void requantize(int32x4_t low, int32x4_t high, const int32_t* bias, const int32_t* shift, int largest,
                              uint8_t* outputs) {
  low = vshlq_s32(vaddq_s32(low, vld1q_s32(bias)), vnegq_s32(vld1q_s32(shift)));
  high = vshlq_s32(vaddq_s32(high, vld1q_s32(bias + 4)), vnegq_s32(vld1q_s32(shift + 4)));
  const uint16x8_t words = vcombine_u16(vqmovun_s32(low), vqmovun_s32(high));
  vst1_u8(outputs, vmin_u8(vqmovn_u16(words), vdup_n_u8(static_cast<uint8_t>(largest))));
}

static inline void requantize(const Convolution& layer, int first, int16x8_t sums, uint8_t* outputs) {
  requantize(vmovl_s16(vget_low_s16(sums)), vmovl_s16(vget_high_s16(sums)), layer.bias + first, layer.shift + first,
             layer.largest, outputs + first);
}

// One tap of the four positions of a tile, whose inputs are in a lane of `inputs`.
#define PYNQ_EE_TAP(lane)                              \
  {                                                    \
    const int16x8_t left = take8(weight);              \
    sums0 = vmlaq_lane_s16(sums0, left, inputs0, lane); \
    sums2 = vmlaq_lane_s16(sums2, left, inputs1, lane); \
    sums4 = vmlaq_lane_s16(sums4, left, inputs2, lane); \
    sums6 = vmlaq_lane_s16(sums6, left, inputs3, lane); \
    const int16x8_t right = take8(weight);             \
    sums1 = vmlaq_lane_s16(sums1, right, inputs0, lane); \
    sums3 = vmlaq_lane_s16(sums3, right, inputs1, lane); \
    sums5 = vmlaq_lane_s16(sums5, right, inputs2, lane); \
    sums7 = vmlaq_lane_s16(sums7, right, inputs3, lane); \
  }

// A tile is one pooled position: its four sums of sixteen outputs. A kernel row is an even number of taps.
static void convolution_4x16__neon(const Convolution& layer, const uint8_t* bytes, uint8_t* outputs,
                                    Places places) {
  int16_t image[kMaxImage + kSlack];
  widen(bytes, layer.image(), image);
  const int half = layer.half(), pitch = layer.pitch(), channels = layer.channels, taps = layer.run_groups;
  const int16x8_t start_left = vld1q_s16(layer.start), start_right = vld1q_s16(layer.start + 8);
  for (int y = 0; y < half; ++y, outputs += places.line) {
    uint8_t* to = outputs;
    for (int x = 0; x < half; ++x, to += places.step) {
      int16x8_t sums0 = start_left, sums2 = start_left, sums4 = start_left, sums6 = start_left;
      int16x8_t sums1 = start_right, sums3 = start_right, sums5 = start_right, sums7 = start_right;
      const int16_t* weight = layer.wide.data();
      const int16_t* corner = image + 2 * y * pitch + 2 * x * channels;
      for (int row = 0; row < layer.kernel; ++row, corner += pitch) {
        const int16_t *top = corner, *next = corner + channels;
        const int16_t *below = corner + pitch, *diagonal = below + channels;
        for (int tap = taps; tap >= 4; tap -= 4) {
          const int16x4_t inputs0 = take4(top), inputs1 = take4(next), inputs2 = take4(below), inputs3 = take4(diagonal);
          PYNQ_EE_TAP(0)
          PYNQ_EE_TAP(1)
          PYNQ_EE_TAP(2)
          PYNQ_EE_TAP(3)
        }
        if (taps % 4) {
          const int16x4_t inputs0 = take4(top), inputs1 = take4(next), inputs2 = take4(below), inputs3 = take4(diagonal);
          PYNQ_EE_TAP(0)
          PYNQ_EE_TAP(1)
        }
      }
      requantize(layer, 0, vmaxq_s16(vmaxq_s16(sums0, sums2), vmaxq_s16(sums4, sums6)), to);
      requantize(layer, 8, vmaxq_s16(vmaxq_s16(sums1, sums3), vmaxq_s16(sums5, sums7)), to);
    }
  }
}
#undef PYNQ_EE_TAP

// One kernel row of four positions side by side: pixel j of the eight that they see is lane j % 4 of `near` (0 to 3) or
// `far` (4 to 7).
#define PYNQ_EE_COLUMN(weights, sums, tap)                                                             \
  sums##0 = vmlaq_lane_s16(sums##0, weights, tap < 4 ? near : far, tap % 4);                            \
  sums##1 = vmlaq_lane_s16(sums##1, weights, tap + 1 < 4 ? near : far, (tap + 1) % 4);                  \
  sums##2 = vmlaq_lane_s16(sums##2, weights, tap + 2 < 4 ? near : far, (tap + 2) % 4);                  \
  sums##3 = vmlaq_lane_s16(sums##3, weights, tap + 3 < 4 ? near : far, (tap + 3) % 4);
#define PYNQ_EE_ROW(sums, pixels)                                 \
  {                                                               \
    const int16x4_t near = take4(pixels), far = vld1_s16(pixels); \
    PYNQ_EE_COLUMN(weights0, sums, 0)                             \
    PYNQ_EE_COLUMN(weights1, sums, 1)                             \
    PYNQ_EE_COLUMN(weights2, sums, 2)                             \
    PYNQ_EE_COLUMN(weights3, sums, 3)                             \
    PYNQ_EE_COLUMN(weights4, sums, 4)                             \
  }

// Pixels under a kernel of 5x5, at most eight outputs: a tile is two pooled positions, eight sums of eight outputs. The
// weights of a kernel row stay in registers for both of the tile's lines. Other layers go the way of every convolution.
static void convolution_8x8__neon(const Convolution& layer, const uint8_t* bytes, uint8_t* outputs,
                                    Places places) {
  const int half = layer.half(), pitch = layer.pitch();
  if (layer.outputs > 8 || layer.kernel != 5 || layer.channels != 1 || half % 2)
    return convolution_4x16__neon(layer, bytes, outputs, places);
  int16_t image[kMaxImage + kSlack];
  widen(bytes, layer.image(), image);
  const int16x8_t start = vld1q_s16(layer.start);
  for (int y = 0; y < half; ++y, outputs += places.line) {
    uint8_t* to = outputs;
    for (int x = 0; x < half; x += 2, to += 2 * places.step) {
      int16x8_t upper0 = start, upper1 = start, upper2 = start, upper3 = start;
      int16x8_t lower0 = start, lower1 = start, lower2 = start, lower3 = start;
      const int16_t* weight = layer.wide.data();
      const int16_t* corner = image + 2 * y * pitch + 2 * x;
      for (int row = 0; row < 5; ++row, corner += pitch, weight += kPanel) {  // the sixth tap is padding
        const int16x8_t weights0 = take8<kPanel>(weight), weights1 = take8<kPanel>(weight);
        const int16x8_t weights2 = take8<kPanel>(weight), weights3 = take8<kPanel>(weight);
        const int16x8_t weights4 = take8<kPanel>(weight);
        const int16_t *top = corner, *below = corner + pitch;
        PYNQ_EE_ROW(upper, top)
        PYNQ_EE_ROW(lower, below)
      }
      const int16x8_t left = vmaxq_s16(vmaxq_s16(upper0, upper1), vmaxq_s16(lower0, lower1));
      const int16x8_t right = vmaxq_s16(vmaxq_s16(upper2, upper3), vmaxq_s16(lower2, lower3));
      requantize(layer, 0, left, to);
      requantize(layer, 0, right, to + places.step);
    }
  }
}
#undef PYNQ_EE_ROW
#undef PYNQ_EE_COLUMN

// Four inputs and sixteen outputs at a time: a layer's inputs are a multiple of sixteen.
static void connection_1x16__neon(const Connection& layer, const uint8_t* inputs, size_t stride, size_t count,
                                  uint8_t* activations, int16_t* logits) {
  for (size_t row = 0; row < count; ++row, inputs += stride) {
    const int8_t* weight = layer.weight.data();
    for (int panel = 0; panel < layer.panels; ++panel) {
      const uint8_t* from = inputs;
      int32x4_t sums0 = vdupq_n_s32(0), sums1 = sums0, sums2 = sums0, sums3 = sums0;
      for (int group = layer.groups; group > 0; group -= 2) {
        const int8x8_t first = take_pair(from), second = take_pair(from);
        const int8x16_t left0 = take16(weight), left1 = take16(weight);
        const int8x16_t right0 = take16(weight), right1 = take16(weight);
        sums0 = vpadalq_s16(sums0, vmlal_s8(vmull_s8(vget_low_s8(left0), first), vget_low_s8(right0), second));
        sums1 = vpadalq_s16(sums1, vmlal_s8(vmull_s8(vget_high_s8(left0), first), vget_high_s8(right0), second));
        sums2 = vpadalq_s16(sums2, vmlal_s8(vmull_s8(vget_low_s8(left1), first), vget_low_s8(right1), second));
        sums3 = vpadalq_s16(sums3, vmlal_s8(vmull_s8(vget_high_s8(left1), first), vget_high_s8(right1), second));
      }
      const int first = panel * kPanel;
      if (layer.largest) {
        uint8_t* to = activations + row * layer.results() + first;
        requantize(sums0, sums1, layer.bias.data() + first, layer.shift.data() + first, layer.largest, to);
        requantize(sums2, sums3, layer.bias.data() + first + 8, layer.shift.data() + first + 8, layer.largest, to + 8);
      } else {
        int32_t whole[kPanel];
        vst1q_s32(whole, sums0);
        vst1q_s32(whole + 4, sums1);
        vst1q_s32(whole + 8, sums2);
        vst1q_s32(whole + 12, sums3);
        finish(layer, panel, whole, activations, logits, row);
      }
    }
  }
}

static const Kernels kKernels = {
    "neon", supported, true, 1, 2, 2, convolution_8x8__neon, convolution_4x16__neon, connection_1x16__neon};
