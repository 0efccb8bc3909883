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

// A tile is one pooled position: its four sums of sixteen outputs.
static void convolution_4x16__avx512vnni(const Convolution& layer, const uint8_t* image, uint8_t* outputs,
                                         Places places) {
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

// Pixels under a kernel of 5x5, at most eight outputs: groups of four taps would leave twelve of forty empty if all of them
// lay in kernel rows. So `pillars` has the four pixels under each other of every place: five of them take the upper four
// kernel rows, and the last row is two groups.
constexpr int kPillarsPitch = 32;

// Four kernel rows' weights of one column: eight outputs.
static inline __m256i column_weights(const Convolution& layer, int column) {
  __m256i weights = _mm256_setzero_si256();
  for (int row = 0; row < 4; ++row) {
    const int8_t* group = layer.narrow.data() + (row * layer.run_groups + column / 4) * 4 * kPanel;
    const __m256i taps = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group));
    const __m256i tap = _mm256_and_si256(_mm256_srli_epi32(taps, 8 * (column % 4)), _mm256_set1_epi32(255));
    weights = _mm256_or_si256(weights, _mm256_slli_epi32(tap, 8 * row));
  }
  return weights;
}

static inline void stack_pillars(const uint8_t* image, int pitch, int lines, uint32_t* pillars) {
  for (int y = 0; y < lines; ++y, image += pitch, pillars += kPillarsPitch) {
    __m256i rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(image + i * pitch));
    const __m256i upper[2] = {_mm256_unpacklo_epi8(rows[0], rows[1]), _mm256_unpackhi_epi8(rows[0], rows[1])};
    const __m256i lower[2] = {_mm256_unpacklo_epi8(rows[2], rows[3]), _mm256_unpackhi_epi8(rows[2], rows[3])};
    for (int part = 0; part < 2; ++part) {  // each has four columns of the left half and four of the right one
      const __m256i near = _mm256_unpacklo_epi16(upper[part], lower[part]);
      const __m256i far = _mm256_unpackhi_epi16(upper[part], lower[part]);
      auto* to = reinterpret_cast<__m256i*>(pillars + 8 * part);
      _mm256_storeu_si256(to, _mm256_permute2x128_si256(near, far, 0x20));
      _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(near, far, 0x31));
    }
  }
}

// A tile is a row of kPooled pooled positions, so that no sum waits for itself. weights: five columns, and the last row.
template <int kPooled>
static void convolution_4nx8__avx512vnni(const Convolution& layer, const __m256i* weights, const uint32_t* pillars,
                                         const uint8_t* last_row, uint8_t* outputs, int step) {
  constexpr int kWide = 2 * kPooled;
  const int pitch = layer.pitch();
  const __m256i start = _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(layer.start)));
  __m256i sums[2][kWide];
  for (int line = 0; line < 2; ++line)
    for (int x = 0; x < kWide; ++x) sums[line][x] = start;
  for (int column = 0; column < 5; ++column)
    for (int line = 0; line < 2; ++line)
      for (int x = 0; x < kWide; ++x) {
        const __m256i taps = _mm256_set1_epi32(static_cast<int>(pillars[line * kPillarsPitch + x + column]));
        sums[line][x] = _mm256_dpbusd_epi32(sums[line][x], taps, weights[column]);
      }
  for (int group = 0; group < 2; ++group)
    for (int line = 0; line < 2; ++line)
      for (int x = 0; x < kWide; ++x) {
        const __m256i taps = _mm256_set1_epi32(four_taps(last_row + line * pitch + x + 4 * group));
        sums[line][x] = _mm256_dpbusd_epi32(sums[line][x], taps, weights[5 + group]);
      }
  const __m256i bias = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(layer.bias));
  const __m256i shift = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(layer.shift));
  for (int x = 0; x < kPooled; ++x) {
    __m256i pooled = _mm256_max_epi32(_mm256_max_epi32(sums[0][2 * x], sums[0][2 * x + 1]),
                                      _mm256_max_epi32(sums[1][2 * x], sums[1][2 * x + 1]));
    pooled = _mm256_srav_epi32(_mm256_add_epi32(pooled, bias), shift);
    pooled = _mm256_min_epi32(_mm256_max_epi32(pooled, _mm256_setzero_si256()), _mm256_set1_epi32(layer.largest));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(outputs + x * step), _mm_move_epi64(_mm256_cvtepi32_epi8(pooled)));
  }
}

static void convolution_16x8__avx512vnni(const Convolution& layer, const uint8_t* image, uint8_t* outputs,
                                         Places places) {
  const int half = layer.half(), step = places.step, pitch = layer.pitch();
  if (layer.outputs > 8 || layer.kernel != 5 || layer.channels != 1 || pitch > kPillarsPitch)
    return convolution_4x16__avx512vnni(layer, image, outputs, places);
  uint32_t pillars[kPillarsPitch * kPillarsPitch];
  stack_pillars(image, pitch, 2 * half, pillars);
  __m256i weights[7];
  for (int column = 0; column < 5; ++column) weights[column] = column_weights(layer, column);
  for (int group = 0; group < 2; ++group)
    weights[5 + group] = _mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(layer.narrow.data() + (4 * layer.run_groups + group) * 4 * kPanel));
  for (int y = 0; y < half; ++y, outputs += places.line) {
    const uint32_t* from = pillars + 2 * y * kPillarsPitch;
    const uint8_t* last_row = image + (2 * y + 4) * pitch;
    int x = 0;
    for (; x + 4 <= half; x += 4)
      convolution_4nx8__avx512vnni<4>(layer, weights, from + 2 * x, last_row + 2 * x, outputs + x * step, step);
    for (; x + 2 <= half; x += 2)
      convolution_4nx8__avx512vnni<2>(layer, weights, from + 2 * x, last_row + 2 * x, outputs + x * step, step);
    for (; x < half; ++x)
      convolution_4nx8__avx512vnni<1>(layer, weights, from + 2 * x, last_row + 2 * x, outputs + x * step, step);
  }
}

// kRows at once, so that each weight that is loaded serves all of them; of one row alone four groups at once, whose sums
// do not wait for each other.
template <int kRows>
static void connection_rows(const Connection& layer, const uint8_t* inputs, size_t stride, uint8_t* activations,
                            int16_t* logits, size_t first) {
  constexpr int kParts = kRows == 1 ? 4 : 1;
  const int8_t* weight = layer.weight.data();
  for (int panel = 0; panel < layer.panels; ++panel) {
    __m512i sums[kRows][kParts];
    for (int row = 0; row < kRows; ++row)
      for (int part = 0; part < kParts; ++part) sums[row][part] = _mm512_setzero_si512();
    for (int group = 0; group < layer.groups; group += kParts)  // inputs are a multiple of sixteen
      for (int part = 0; part < kParts; ++part, weight += 4 * kPanel) {
        const __m512i weights = _mm512_loadu_si512(weight);
        for (int row = 0; row < kRows; ++row) {
          const __m512i taps = _mm512_set1_epi32(four_taps(inputs + row * stride + 4 * (group + part)));
          sums[row][part] = _mm512_dpbusd_epi32(sums[row][part], taps, weights);
        }
      }
    for (int row = 0; row < kRows; ++row) {
      __m512i whole = sums[row][0];
      for (int part = 1; part < kParts; ++part) whole = _mm512_add_epi32(whole, sums[row][part]);
      if (layer.largest) {
        whole = _mm512_add_epi32(whole, _mm512_loadu_si512(layer.bias.data() + panel * kPanel));
        whole = _mm512_srav_epi32(whole, _mm512_loadu_si512(layer.shift.data() + panel * kPanel));
        whole = _mm512_min_epi32(_mm512_max_epi32(whole, _mm512_setzero_si512()), _mm512_set1_epi32(layer.largest));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(activations + (first + row) * layer.results() + panel * kPanel),
                         _mm512_cvtepi32_epi8(whole));
      } else {
        alignas(64) int32_t words[kPanel];
        _mm512_store_si512(words, whole);
        finish(layer, panel, words, activations, logits, first + row);
      }
    }
  }
}

static void connection_4x16__avx512vnni(const Connection& layer, const uint8_t* inputs, size_t stride, size_t count,
                                        uint8_t* activations, int16_t* logits) {
  size_t row = 0;
  for (; row + 4 <= count; row += 4)
    connection_rows<4>(layer, inputs + row * stride, stride, activations, logits, row);
  for (; row < count; ++row) connection_rows<1>(layer, inputs + row * stride, stride, activations, logits, row);
}

static const Kernels kKernels = {"avx512vnni", supported, false, 4, 4, 4, convolution_16x8__avx512vnni,
                                 convolution_4x16__avx512vnni, connection_4x16__avx512vnni};
