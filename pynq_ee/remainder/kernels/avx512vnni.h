// AVX-512 VNNI: four products of bytes added to a sum of 32 bits at once (vpdpbusd), four taps a group.

static bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

static inline int32_t four_taps(const uint8_t* from) {
  int32_t taps;
  std::memcpy(&taps, from, sizeof taps);
  return taps;
}

// The first layer: eight outputs at most, a row of kPooled pooled positions at once, so that no sum waits for itself.
template <int kPooled>
static void convolve_pixels_row(const Convolution& layer, const uint8_t* image, uint8_t* outputs, int step) {
  constexpr int kWide = 2 * kPooled;
  const int pitch = layer.pitch();
  const __m256i start = _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(layer.start)));
  __m256i sums[2][kWide];
  for (auto& line : sums)
    for (__m256i& sum : line) sum = start;
  const int8_t* weight = layer.narrow.data();
  for (int row = 0; row < layer.kernel; ++row)
    for (int group = 0; group < layer.run_groups; ++group, weight += 4 * kPanel) {
      const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight));
      const uint8_t* top = image + row * pitch + 4 * group;
      for (int line = 0; line < 2; ++line)
        for (int x = 0; x < kWide; ++x)
          sums[line][x] = _mm256_dpbusd_epi32(sums[line][x], _mm256_set1_epi32(four_taps(top + line * pitch + x)), weights);
    }
  const __m256i bias = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(layer.bias));
  const __m256i shift = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(layer.shift));
  for (int x = 0; x < kPooled; ++x) {
    __m256i pooled = _mm256_max_epi32(_mm256_max_epi32(sums[0][2 * x], sums[0][2 * x + 1]),
                                      _mm256_max_epi32(sums[1][2 * x], sums[1][2 * x + 1]));
    pooled = _mm256_srav_epi32(_mm256_add_epi32(pooled, bias), shift);
    pooled = _mm256_min_epi32(_mm256_max_epi32(pooled, _mm256_setzero_si256()), _mm256_set1_epi32(layer.largest));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(outputs + x * step),
                     _mm_move_epi64(_mm256_cvtepi32_epi8(pooled)));
  }
}

static void convolve(const Convolution& layer, const uint8_t* image, uint8_t* outputs, Places places) {
  const int half = layer.half(), pitch = layer.pitch(), channels = layer.channels;
  const __m512i start = _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(layer.start)));
  const __m512i bias = _mm512_loadu_si512(layer.bias), shift = _mm512_loadu_si512(layer.shift);
  for (int y = 0; y < half; ++y)
    for (int x = 0; x < half; ++x) {
      __m512i sums[4] = {start, start, start, start};
      const int8_t* weight = layer.narrow.data();
      for (int row = 0; row < layer.kernel; ++row) {
        const uint8_t* top = image + (2 * y + row) * pitch + 2 * x * channels;
        for (int group = 0; group < layer.run_groups; ++group, top += 4, weight += 4 * kPanel) {
          const __m512i weights = _mm512_loadu_si512(weight);
          sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_set1_epi32(four_taps(top)), weights);
          sums[1] = _mm512_dpbusd_epi32(sums[1], _mm512_set1_epi32(four_taps(top + channels)), weights);
          sums[2] = _mm512_dpbusd_epi32(sums[2], _mm512_set1_epi32(four_taps(top + pitch)), weights);
          sums[3] = _mm512_dpbusd_epi32(sums[3], _mm512_set1_epi32(four_taps(top + pitch + channels)), weights);
        }
      }
      __m512i pooled = _mm512_max_epi32(_mm512_max_epi32(sums[0], sums[1]), _mm512_max_epi32(sums[2], sums[3]));
      pooled = _mm512_srav_epi32(_mm512_add_epi32(pooled, bias), shift);
      pooled = _mm512_min_epi32(_mm512_max_epi32(pooled, _mm512_setzero_si512()), _mm512_set1_epi32(layer.largest));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(outputs + y * places.line + x * places.step),
                       _mm512_cvtepi32_epi8(pooled));
    }
}

static void convolve_pixels(const Convolution& layer, const uint8_t* image, uint8_t* outputs, Places places) {
  if (layer.outputs > 8) return convolve(layer, image, outputs, places);
  const int half = layer.half(), step = places.step;
  for (int y = 0; y < half; ++y, image += 2 * layer.pitch(), outputs += places.line) {
    int x = 0;
    for (; x + 4 <= half; x += 4) convolve_pixels_row<4>(layer, image + 2 * x, outputs + x * step, step);
    for (; x + 2 <= half; x += 2) convolve_pixels_row<2>(layer, image + 2 * x, outputs + x * step, step);
    for (; x < half; ++x) convolve_pixels_row<1>(layer, image + 2 * x, outputs + x * step, step);
  }
}

// kRows at once: each weight that is loaded serves all of them.
template <int kRows>
static void connect_rows(const Connection& layer, const uint8_t* inputs, size_t stride, uint8_t* activations,
                         int16_t* logits, size_t first) {
  const int8_t* weight = layer.weight.data();
  for (int panel = 0; panel < layer.panels; ++panel) {
    __m512i sums[kRows];
    for (__m512i& sum : sums) sum = _mm512_setzero_si512();
    for (int group = 0; group < layer.groups; ++group, weight += 4 * kPanel) {
      const __m512i weights = _mm512_loadu_si512(weight);
      for (int row = 0; row < kRows; ++row)
        sums[row] = _mm512_dpbusd_epi32(sums[row], _mm512_set1_epi32(four_taps(inputs + row * stride + 4 * group)), weights);
    }
    for (int row = 0; row < kRows; ++row) {
      alignas(64) int32_t whole[kPanel];
      _mm512_store_si512(whole, sums[row]);
      finish(layer, panel, whole, activations, logits, first + row);
    }
  }
}

static void connect(const Connection& layer, const uint8_t* inputs, size_t stride, size_t count, uint8_t* activations,
                    int16_t* logits) {
  size_t row = 0;
  for (; row + 4 <= count; row += 4)
    connect_rows<4>(layer, inputs + row * stride, stride, activations, logits, row);
  for (; row < count; ++row) connect_rows<1>(layer, inputs + row * stride, stride, activations, logits, row);
}

static const Kernels kKernels = {"avx512vnni", supported, false, 4, 4, 4, convolve_pixels, convolve, connect};
