// Entropy, label and verdict of logits, as pynq_ee/exits/softmax_entropy.py and rule.py define them.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#if defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace pynq_ee {

constexpr int kUnitBits = 20;       // exponentials and logarithms are in units of 2**-20
constexpr int kDifferenceBits = 8;  // differences of logits in units of 2**-8
constexpr int kLogarithmBits = 8;
constexpr int kMaxClasses = 4095;  // whose exponentials' sum 32 bits hold

// The tables of pynq_ee.exits.softmax_entropy, and the exponent of one exit's logits.
struct DecisionTable {
  uint32_t left, half, right;  // logits to units of 1/256: ((logits << left) + half) >> right
  std::vector<uint32_t> exponentials;  // the last one is 0
  std::vector<uint32_t> logarithms;    // of 1 + i / 256

  // Beyond a shift of 12 to the left one logit is more than the table, beyond 18 to the right all of them are zero.
  DecisionTable(int exponent, std::vector<uint32_t> exponentials_of, std::vector<uint32_t> logarithms_of)
      : left(std::clamp(exponent + kDifferenceBits, 0, 12)),
        half(0),
        right(std::clamp(-exponent - kDifferenceBits, 0, 18)),
        exponentials(std::move(exponentials_of)),
        logarithms(std::move(logarithms_of)) {
    if (right) half = 1u << (right - 1);
  }

  // The largest logit less another one, in units of 1/256, rounded half up, and no further than the table.
  uint32_t difference(int32_t logits) const {
    const auto last = static_cast<uint32_t>(exponentials.size() - 1);
    return std::min(((static_cast<uint32_t>(logits) << left) + half) >> right, last);
  }

  // ln(total / 2**20) in units of 2**-20.
  uint32_t logarithm(uint32_t total) const {
    const int octave = 31 - kUnitBits - __builtin_clz(total);
    const uint32_t below = (total >> octave) - (1u << kUnitBits);
    constexpr int fine = kUnitBits - kLogarithmBits;
    const uint32_t place = below >> fine;
    const uint32_t slope = logarithms[place + 1] - logarithms[place];
    return octave * logarithms.back() + logarithms[place] + ((slope * (below & ((1u << fine) - 1))) >> fine);
  }
};

struct Decision {
  double* entropy;  // nats
  int64_t* label;   // the first of the largest logits
  uint8_t* leaves;  // whether the entropy is below the threshold
};

// A whole number below 2**53, exactly: a 32-bit processor has no conversion of 64 bits.
inline double exact(uint64_t number) {
  return static_cast<double>(static_cast<uint32_t>(number >> 32)) * 4294967296.0 +
         static_cast<double>(static_cast<uint32_t>(number));
}

// What the definition makes of one row: its differences of logits, as DecisionTable::difference gives them, which are 0
// at `label`.
inline void decide_row(const DecisionTable& table, const uint16_t* differences, int classes, int label,
                       double threshold, const Decision& out, size_t row) {
  const uint32_t* exponentials = table.exponentials.data();
  uint32_t total = 0;
  uint64_t weighted = 0;
  for (int i = 0; i < classes; ++i) {
    const uint32_t difference = differences[i], exponential = exponentials[difference];
    total += exponential;
    weighted += static_cast<uint64_t>(exponential) * difference;
  }
  const uint64_t numerator =
      static_cast<uint64_t>(total) * table.logarithm(total) + (weighted << (kUnitBits - kDifferenceBits));
  const double entropy = exact(numerator) / (static_cast<double>(total) * (1 << kUnitBits));
  out.entropy[row] = entropy;
  out.label[row] = label;
  out.leaves[row] = entropy < threshold;
}

// Logits int16 (rows, classes), `stride` bytes from row to row. kFixed: number of classes where the compiler may know it
// and unroll the loops over them, else 0.
template <int kFixed>
void decision_1__plain(const DecisionTable& table, const char* logits, ptrdiff_t stride, size_t rows, int any_classes,
                       double threshold, const Decision& out) {
  const int classes = kFixed ? kFixed : any_classes;
  uint16_t differences[kFixed ? kFixed : kMaxClasses];
  for (size_t row = 0; row < rows; ++row, logits += stride) {
    const auto* values = reinterpret_cast<const int16_t*>(logits);
    int32_t largest = values[0];
    for (int i = 1; i < classes; ++i) largest = std::max<int32_t>(largest, values[i]);
    int label = 0;
    for (int i = classes - 1; i >= 0; --i) {
      label = values[i] == largest ? i : label;  // no branch to mispredict
      differences[i] = static_cast<uint16_t>(table.difference(largest - values[i]));
    }
    decide_row(table, differences, classes, label, threshold, out, row);
  }
}

#if defined(__ARM_NEON)
// The same for ten classes, whose differences and label are found at once.
inline void decision_10__neon(const DecisionTable& table, const char* logits, ptrdiff_t stride, size_t rows,
                              double threshold, const Decision& out) {
  static const uint16_t kPlaces[] = {1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 0, 0};
  const uint16x8_t places = vld1q_u16(kPlaces);
  const uint16x4_t last_places = vld1_u16(kPlaces + 8);
  // To the left with saturation, or to the right with rounding: whichever way, what DecisionTable::difference computes.
  const int16x8_t shift = vdupq_n_s16(static_cast<int16_t>(static_cast<int>(table.left) - static_cast<int>(table.right)));
  const uint16x8_t last = vdupq_n_u16(static_cast<uint16_t>(table.exponentials.size() - 1));
  for (size_t row = 0; row < rows; ++row, logits += stride) {
    const auto* values = reinterpret_cast<const int16_t*>(logits);
    const int16x8_t eight = vld1q_s16(values);
    const int16x4_t two = vreinterpret_s16_s32(vld1_dup_s32(reinterpret_cast<const int32_t*>(values + 8)));
    int16x4_t most = vmax_s16(vmax_s16(vget_low_s16(eight), vget_high_s16(eight)), two);
    most = vpmax_s16(most, most);
    most = vpmax_s16(most, most);
    const int16x8_t largest = vcombine_s16(most, most);
    const uint16x8_t eight_equal = vandq_u16(vceqq_s16(eight, largest), places);
    const uint16x4_t two_equal = vand_u16(vceq_s16(two, most), last_places);
    uint16x4_t equal = vorr_u16(vorr_u16(vget_low_u16(eight_equal), vget_high_u16(eight_equal)), two_equal);
    equal = vpadd_u16(equal, equal);
    equal = vpadd_u16(equal, equal);
    uint16_t differences[12];
    const uint16x8_t first = vreinterpretq_u16_s16(vsubq_s16(largest, eight));
    vst1q_u16(differences, vminq_u16(vqrshlq_u16(first, shift), last));
    const uint16x4_t rest = vreinterpret_u16_s16(vsub_s16(most, two));
    vst1_u16(differences + 8, vmin_u16(vqrshl_u16(rest, vget_low_s16(shift)), vget_low_u16(last)));
    decide_row(table, differences, 10, __builtin_ctz(vget_lane_u16(equal, 0)), threshold, out, row);
  }
}
#endif

inline void decide(const DecisionTable& table, const char* logits, ptrdiff_t stride, size_t rows, int classes,
                   double threshold, const Decision& out) {
  if (classes != 10) return decision_1__plain<0>(table, logits, stride, rows, classes, threshold, out);
#if defined(__ARM_NEON)
  decision_10__neon(table, logits, stride, rows, threshold, out);
#else
  decision_1__plain<10>(table, logits, stride, rows, classes, threshold, out);
#endif
}

}  // namespace pynq_ee
