// CRC-32 as zlib, Ethernet and the circuit compute it (polynomial 0x04C11DB7, bits reflected, ones before and behind).
//
// Of 784,000 bytes on an x86 server, folding takes 53 us, Debian's zlib 182 and the tables 296 (measured). With tables
// it is still here, in the pass that reads the results anyway: those are some 80 bytes an image.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pynq_ee {

constexpr uint32_t kReflectedPolynomial = 0xEDB88320u;

// Slicing by eight (Kounavis and Berry, 2005): slice[n][b] is the register after byte b and n bytes of zero behind it.
struct Slices {
  uint32_t slice[8][256];
  constexpr Slices() : slice() {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ kReflectedPolynomial : value >> 1;
      slice[0][byte] = value;
    }
    for (int zeros = 1; zeros < 8; ++zeros)
      for (int byte = 0; byte < 256; ++byte)
        slice[zeros][byte] = slice[zeros - 1][byte] >> 8 ^ slice[0][slice[zeros - 1][byte] & 0xFF];
  }
};
inline constexpr Slices kSlices;

// All of these take the register, and return it after `size` bytes; the register begins and ends inverted.

inline uint32_t crc32_plain(uint32_t value, const uint8_t* bytes, size_t size) {
  const auto& slice = kSlices.slice;
  for (; size >= 8; bytes += 8, size -= 8) {
    const uint32_t low = value ^ (bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24);
    value = slice[7][low & 0xFF] ^ slice[6][low >> 8 & 0xFF] ^ slice[5][low >> 16 & 0xFF] ^ slice[4][low >> 24] ^
            slice[3][bytes[4]] ^ slice[2][bytes[5]] ^ slice[1][bytes[6]] ^ slice[0][bytes[7]];
  }
  for (; size; ++bytes, --size) value = value >> 8 ^ slice[0][(value ^ *bytes) & 0xFF];
  return value;
}

#if defined(__x86_64__)
// Folding by carry-less products (Gopal et al., Intel, 2009): 64 bytes become 64 bytes of the same remainder, 512 bits
// further on; the last 16 bytes go through the table.
__attribute__((target("pclmul,sse4.1"))) inline __m128i fold(__m128i value, __m128i constants, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(value, constants, 0x00);
  const __m128i high = _mm_clmulepi64_si128(value, constants, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

__attribute__((target("pclmul,sse4.1"))) inline uint32_t crc32_pclmul(uint32_t value, const uint8_t* bytes,
                                                                      size_t size) {
  if (size < 64) return crc32_plain(value, bytes, size);
  // x**(512 + 32), x**(512 - 32), x**(128 + 32), x**(128 - 32) modulo the polynomial, reflected and shifted by one.
  const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
  const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  const auto load = [](const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); };
  __m128i a = _mm_xor_si128(load(bytes), _mm_cvtsi32_si128(static_cast<int>(value)));
  __m128i b = load(bytes + 16), c = load(bytes + 32), d = load(bytes + 48);
  for (bytes += 64, size -= 64; size >= 64; bytes += 64, size -= 64) {
    a = fold(a, by_512, load(bytes));
    b = fold(b, by_512, load(bytes + 16));
    c = fold(c, by_512, load(bytes + 32));
    d = fold(d, by_512, load(bytes + 48));
  }
  a = fold(fold(fold(a, by_128, b), by_128, c), by_128, d);
  for (; size >= 16; bytes += 16, size -= 16) a = fold(a, by_128, load(bytes));
  uint8_t rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), a);
  return crc32_plain(crc32_plain(0, rest, sizeof rest), bytes, size);
}
#endif

using Crc32 = uint32_t (*)(uint32_t, const uint8_t*, size_t);

// The fastest one that this processor has.
inline Crc32 best_crc32() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) return crc32_pclmul;
#endif
  return crc32_plain;
}

inline uint32_t crc32(Crc32 implementation, const uint8_t* bytes, size_t size) {
  return ~implementation(~0u, bytes, size);
}

}  // namespace pynq_ee
