// C simulation: runs the kernel on test vectors and compares every beat, TLAST and register.
//
//   testbench FILE.vectors...
//
// Exit status 0: all equal; 1: a mismatch, the first of each case printed with its indices; 2: no usable vectors.

#include <cstdio>

#include "library.h"
#include "vectors.h"

namespace {

const char* const REGISTER_NAMES[vectors::REGISTERS] = {"magic",       "version",    "build_id",   "images_done",
                                                        "error_flags", "images_crc", "results_crc"};

bool differs(const vectors::Case& one, const char* what, uint64_t expected, uint64_t got) {
  if (expected == got) return false;
  std::printf("  %s: %s: expected %#llx, got %#llx\n", one.name.c_str(), what, (unsigned long long)expected,
              (unsigned long long)got);
  return true;
}

bool passes(const vectors::Case& one) {
  const uint32_t bytes = first_exit_beat_bytes();
  std::vector<uint8_t> input, input_last, output, output_last;
  for (const vectors::Beat& beat : one.input) {
    for (uint32_t byte = 0; byte < bytes; ++byte) input.push_back(uint8_t(beat.word >> (8 * byte)));
    input_last.push_back(beat.last);
  }
  const uint64_t most = uint64_t(one.num_images) * (spec::RESULT_BEATS + spec::FEATURE_BEATS) + 1;
  output.resize(most * bytes);
  output_last.resize(most);
  uint64_t consumed = 0, produced = 0;
  first_exit_registers registers = {};
  const int status = first_exit_run(input.data(), input_last.data(), input_last.size(), one.num_images, one.mode,
                                    one.feature_margin, output.data(), output_last.data(), output_last.size(),
                                    &consumed, &produced, &registers);
  if (differs(one, "status", FIRST_EXIT_DONE, uint64_t(status))) return false;
  if (differs(one, "beats consumed", one.consumed, consumed)) return false;
  if (differs(one, "beats produced", one.output.size(), produced)) return false;
  for (uint64_t beat = 0; beat < produced; ++beat) {
    uint64_t word = 0;
    for (uint32_t byte = 0; byte < bytes; ++byte) word |= uint64_t(output[beat * bytes + byte]) << (8 * byte);
    const uint64_t expected = one.output[beat].word;
    const std::string field = vectors::field_of(one, beat, word ^ expected);
    if (differs(one, (field + ", in output beat " + std::to_string(beat)).c_str(), expected, word)) return false;
    if (differs(one, ("TLAST of output beat " + std::to_string(beat)).c_str(), one.output[beat].last,
                output_last[beat])) {
      return false;
    }
  }
  const uint32_t got[vectors::REGISTERS] = {registers.magic, registers.version, registers.build_id,
                                            registers.images_done, registers.error_flags, registers.images_crc,
                                            registers.results_crc};
  for (int index = 0; index < vectors::REGISTERS; ++index) {
    if (differs(one, REGISTER_NAMES[index], one.registers[index], got[index])) return false;
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: testbench FILE.vectors...\n");
    return 2;
  }
  int cases = 0, failures = 0;
  for (int index = 1; index < count; ++index) {
    for (const vectors::Case& one : vectors::Reader(arguments[index]).read()) {
      ++cases;
      if (!passes(one)) ++failures;
    }
  }
  std::printf("%d of %d cases agree\n", cases - failures, cases);
  return failures ? 1 : 0;
}
