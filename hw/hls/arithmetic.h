// The integer arithmetic of the first exit. Its definition is pynq_ee/network/quantize.py.

#ifndef FIRST_EXIT_ARITHMETIC_H
#define FIRST_EXIT_ARITHMETIC_H

#include <ap_int.h>

#include <cstdint>

#include "first_exit_spec.h"
#include "pragmas.h"

namespace fabric {

constexpr int ACTIVATION_MAX = (1 << spec::ACTIVATION_BITS) - 1;

// Sum of terms[FIRST] .. terms[FIRST + COUNT - 1] as a balanced tree of additions.
template <int FIRST, int COUNT>
struct AdderTree {
  template <typename Sum, int SIZE>
  static Sum sum(const Sum (&terms)[SIZE]) {
    VITIS(HLS inline)
    static_assert(FIRST >= 0 && FIRST + COUNT <= SIZE, "the tree must stay inside its terms");
    const Sum left = AdderTree<FIRST, COUNT / 2>::sum(terms);
    const Sum right = AdderTree<FIRST + COUNT / 2, COUNT - COUNT / 2>::sum(terms);
    return left + right;
  }
};

template <int FIRST>
struct AdderTree<FIRST, 1> {
  template <typename Sum, int SIZE>
  static Sum sum(const Sum (&terms)[SIZE]) {
    VITIS(HLS inline)
    return terms[FIRST];
  }
};

template <typename Sum, int SIZE>
Sum adder_tree(const Sum (&terms)[SIZE]) {
  VITIS(HLS inline)
  return AdderTree<0, SIZE>::sum(terms);
}

// A sum of which it is known that it fits BITS: synthesis drops the bits above, back to the adders that make it.
template <int BITS>
int32_t narrow(int32_t sum) {
  VITIS(HLS inline)
  return ap_int<BITS>(sum);
}

// A product in look-up tables: a part has few DSPs, and they are left to whoever puts something beside this circuit.
template <typename Weight, typename Activation>
int32_t product(Weight weight, Activation activation) {
  VITIS(HLS inline)
  int32_t result;
  VITIS(HLS bind_op variable=result op=mul impl=fabric)
  result = weight * activation;
  return result;
}

template <typename Value>
Value maximum(Value a, Value b) {
  VITIS(HLS inline)
  return a > b ? a : b;
}

// Half of 2**shift: added before a right shift, it rounds to the nearest, halves up.
constexpr int32_t rounding_half(int shift) { return (int32_t(1) << shift) >> 1; }

inline int32_t saturate(int32_t value, int32_t low, int32_t high) {
  VITIS(HLS inline)
  return value < low ? low : value > high ? high : value;
}

// ReLU and requantization of a sum of products to an unsigned activation.
template <int SUM_BITS>
uint8_t activation(int32_t sum, int32_t bias, int shift) {
  VITIS(HLS inline)
  const int32_t rounded = narrow<SUM_BITS>(sum + bias + rounding_half(shift));
  return uint8_t(saturate(rounded >> shift, 0, ACTIVATION_MAX));
}

// Field `index` of a word of equal fields, the first one in the lowest bits.
template <int BITS>
uint32_t field(uint64_t word, int index) {
  VITIS(HLS inline)
  static_assert(BITS >= 1 && BITS <= 32, "a field must fit 32 bits");
  return uint32_t(word >> (index * BITS)) & uint32_t((uint64_t(1) << BITS) - 1);
}

// The greater of each pair of activations of two words that hold COUNT of them.
template <int COUNT>
uint64_t maximum_activations(uint64_t a, uint64_t b) {
  VITIS(HLS inline)
  static_assert(COUNT * spec::ACTIVATION_BITS <= 64, "the activations must fit one word");
  uint64_t result = 0;
maximum_each:
  for (int index = 0; index < COUNT; ++index) {
    VITIS(HLS unroll)
    const uint64_t greater = maximum(field<spec::ACTIVATION_BITS>(a, index), field<spec::ACTIVATION_BITS>(b, index));
    result |= greater << (index * spec::ACTIVATION_BITS);
  }
  return result;
}

}  // namespace fabric

#endif  // FIRST_EXIT_ARITHMETIC_H
