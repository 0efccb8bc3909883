// A small generator of random numbers, the same on every machine (xorshift64*, S. Vigna, 2016).
#pragma once

#include <cstdint>

class RandomBits {
 public:
  explicit RandomBits(uint64_t seed = 1) { restart(seed); }

  void restart(uint64_t seed) { state_ = (seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u) | 1; }

  // 0 to limit - 1.
  uint32_t below(uint32_t limit) { return limit < 2 ? 0 : uint32_t((uint64_t(next()) * limit) >> 32); }

  // True so often, in 65,536ths.
  bool chance(uint32_t share) { return share != 0 && (next() >> 16) < share; }

 private:
  uint32_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return uint32_t((state_ * 0x2545F4914F6CDD1Du) >> 32);
  }

  uint64_t state_;
};
