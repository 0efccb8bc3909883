// AVX2: bytes by pairs (vpmaddubsw), four taps a group, convolutions' sums in 16 bits.
//
// A tile is one pooled position: four sums of kHalves registers, eight outputs in each, whose two 16-bit lanes are added
// at the end.

static bool supported() { return __builtin_cpu_supports("avx2"); }

// Four taps to every lane.
static inline __m256i four_taps(const uint8_t* from) {
  int32_t taps;
  std::memcpy(&taps, from, sizeof taps);
  return _mm256_set1_epi32(taps);
}

// Requantize 16 sums of 16 bits to 16 activations.
static inline void requantize(const Convolution& layer, __m256i sums, uint8_t* outputs) {
  __m256i parts[2] = {_mm256_cvtepi16_epi32(_mm256_castsi256_si128(sums)),
                      _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sums, 1))};
  for (int part = 0; part < 2; ++part) {
    const auto* bias = reinterpret_cast<const __m256i*>(layer.bias + 8 * part);
    const auto* shift = reinterpret_cast<const __m256i*>(layer.shift + 8 * part);
    parts[part] = _mm256_add_epi32(parts[part], _mm256_loadu_si256(bias));
    parts[part] = _mm256_srav_epi32(parts[part], _mm256_loadu_si256(shift));
  }
  // Saturation keeps the order, so the clip may come last; 0xD8 undoes the interleaving of the 128-bit halves.
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(parts[0], parts[1]), 0xD8);
  const __m128i clipped = _mm_min_epu8(
      _mm_packus_epi16(_mm256_castsi256_si128(_mm256_min_epu16(words, _mm256_set1_epi16(255))),
                       _mm256_extracti128_si256(_mm256_min_epu16(words, _mm256_set1_epi16(255)), 1)),
      _mm_set1_epi8(static_cast<char>(layer.largest)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(outputs), clipped);
}

// kHalves: registers that the outputs take, eight in each.
template <int kHalves>
static void convolution_4x8n__avx2(const Convolution& layer, const uint8_t* image, uint8_t* outputs, Places places) {
  const int half = layer.half(), pitch = layer.pitch(), channels = layer.channels;
  const __m256i zero = _mm256_setzero_si256();
  __m256i start[kHalves];
  for (int part = 0; part < kHalves; ++part)
    start[part] = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(layer.start + 8 * part)));
  for (int y = 0; y < half; ++y)
    for (int x = 0; x < half; ++x) {
      __m256i sums[4][kHalves];
      for (int position = 0; position < 4; ++position)
        for (int part = 0; part < kHalves; ++part) sums[position][part] = start[part];
      const int8_t* weight = layer.narrow.data();
      for (int row = 0; row < layer.kernel; ++row) {
        const uint8_t* top = image + (2 * y + row) * pitch + 2 * x * channels;
        for (int group = 0; group < layer.run_groups; ++group, top += 4, weight += 4 * kPanel) {
          const __m256i inputs[4] = {four_taps(top), four_taps(top + channels), four_taps(top + pitch),
                                     four_taps(top + pitch + channels)};
          for (int part = 0; part < kHalves; ++part) {
            const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight + 32 * part));
            for (int position = 0; position < 4; ++position)
              sums[position][part] =
                  _mm256_add_epi16(sums[position][part], _mm256_maddubs_epi16(inputs[position], weights));
          }
        }
      }
      __m256i whole[4];
      for (int position = 0; position < 4; ++position)
        whole[position] = _mm256_hadd_epi16(sums[position][0], kHalves == 2 ? sums[position][kHalves - 1] : zero);
      const __m256i pooled = _mm256_max_epi16(_mm256_max_epi16(whole[0], whole[1]), _mm256_max_epi16(whole[2], whole[3]));
      requantize(layer, _mm256_permute4x64_epi64(pooled, 0xD8), outputs + y * places.line + x * places.step);
    }
}

static void convolution_4x16__avx2(const Convolution& layer, const uint8_t* image, uint8_t* outputs, Places places) {
  (layer.outputs <= 8 ? convolution_4x8n__avx2<1> : convolution_4x8n__avx2<2>)(layer, image, outputs, places);
}

static void connection_1x16__avx2(const Connection& layer, const uint8_t* inputs, size_t stride, size_t count,
                                  uint8_t* activations, int16_t* logits) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (int panel = 0; panel < layer.panels; ++panel) {
    const int8_t* panel_weight = layer.weight.data() + static_cast<size_t>(panel) * layer.groups * 4 * kPanel;
    for (size_t row = 0; row < count; ++row) {
      const uint8_t* from = inputs + row * stride;
      __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
      const int8_t* weight = panel_weight;
      for (int group = 0; group < layer.groups; ++group, from += 4, weight += 4 * kPanel) {
        const __m256i taps = four_taps(from);
        for (int part = 0; part < 2; ++part) {
          const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight + 32 * part));
          sums[part] = _mm256_add_epi32(sums[part], _mm256_madd_epi16(_mm256_maddubs_epi16(taps, weights), ones));
        }
      }
      int32_t whole[kPanel];
      for (int part = 0; part < 2; ++part) _mm256_storeu_si256(reinterpret_cast<__m256i*>(whole + 8 * part), sums[part]);
      finish(layer, panel, whole, activations, logits, row);
    }
  }
}

static const Kernels kKernels = {
    "avx2", supported, false, 4, 4, 4, convolution_4x16__avx2, convolution_4x16__avx2, connection_1x16__avx2};
