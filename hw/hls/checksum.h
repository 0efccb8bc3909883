// CRC-32 as zlib computes it, a beat at a time. Its definition is pynq_ee/network/spec.py.

#ifndef FIRST_EXIT_CHECKSUM_H
#define FIRST_EXIT_CHECKSUM_H

#include <cstdint>

#include "first_exit_spec.h"
#include "pragmas.h"

namespace fabric {

constexpr uint32_t CRC_START = 0xffffffff;  // and the end is all bits flipped

// Sum without carry of terms[FIRST] .. terms[FIRST + COUNT - 1], as a balanced tree.
template <int FIRST, int COUNT>
struct ParityTree {
  static uint32_t sum(const uint32_t (&terms)[spec::BEAT_BITS]) {
    VITIS(HLS inline)
    return ParityTree<FIRST, COUNT / 2>::sum(terms) ^ ParityTree<FIRST + COUNT / 2, COUNT - COUNT / 2>::sum(terms);
  }
};

template <int FIRST>
struct ParityTree<FIRST, 1> {
  static uint32_t sum(const uint32_t (&terms)[spec::BEAT_BITS]) {
    VITIS(HLS inline)
    return terms[FIRST];
  }
};

// What the bits of a word bring into the next state.
inline uint32_t crc_of(spec::Word word) {
  VITIS(HLS inline)
  uint32_t terms[spec::BEAT_BITS];
  VITIS(HLS array_partition variable=terms complete)
crc_bits:
  for (int bit = 0; bit < spec::BEAT_BITS; ++bit) {
    VITIS(HLS unroll)
    terms[bit] = (word >> bit & 1) != 0 ? spec::CRC_COLUMN[bit] : 0;
  }
  return ParityTree<0, spec::BEAT_BITS>::sum(terms);
}

// The state behind one more word. The word's part does not wait for the state, whose way to itself is so the shortest.
inline uint32_t next_crc(uint32_t crc, spec::Word word) {
  VITIS(HLS inline)
  return crc_of(word) ^ crc_of(spec::Word(crc));
}

}  // namespace fabric

#endif  // FIRST_EXIT_CHECKSUM_H
