// Entropy, label and verdict of logits, as pynq_ee/exits/rule.py defines them.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pynq_ee {

constexpr int kUnitBits = 20;       // exponentials and logarithms are in units of 2**-20
constexpr int kDifferenceBits = 8;  // differences of logits in units of 2**-8
constexpr int kLogarithmBits = 8;

// The tables of pynq_ee.exits.rule, and the exponent of one exit's logits.
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

// Logits int16 (rows, classes), `stride` bytes from row to row. kClasses: number of classes where the compiler may know
// it and unroll the loops over them, else 0.
template <int kClasses>
void decide_rows(const DecisionTable& table, const char* logits, ptrdiff_t stride, size_t rows, int any_classes,
                 double threshold, const Decision& out) {
  const int classes = kClasses ? kClasses : any_classes;
  for (size_t row = 0; row < rows; ++row, logits += stride) {
    const auto* values = reinterpret_cast<const int16_t*>(logits);
    int32_t largest = values[0];
    for (int i = 1; i < classes; ++i) largest = std::max<int32_t>(largest, values[i]);
    int label = 0;
    for (int i = classes - 1; i >= 0; --i) label = values[i] == largest ? i : label;  // no branch to mispredict
    uint32_t total = 0;
    uint64_t weighted = 0;
    for (int i = 0; i < classes; ++i) {
      const uint32_t difference = table.difference(largest - values[i]);
      const uint32_t exponential = table.exponentials[difference];
      total += exponential;
      weighted += static_cast<uint64_t>(exponential) * difference;
    }
    const uint64_t numerator =
        static_cast<uint64_t>(total) * table.logarithm(total) + (weighted << (kUnitBits - kDifferenceBits));
    const double entropy =
        static_cast<double>(numerator) / static_cast<double>(static_cast<uint64_t>(total) << kUnitBits);
    out.entropy[row] = entropy;
    out.label[row] = label;
    out.leaves[row] = entropy < threshold;
  }
}

inline void decide(const DecisionTable& table, const char* logits, ptrdiff_t stride, size_t rows, int classes,
                   double threshold, const Decision& out) {
  (classes == 10 ? decide_rows<10> : decide_rows<0>)(table, logits, stride, rows, classes, threshold, out);
}

}  // namespace pynq_ee
