// Reads the test vectors that pynq_ee/sim/vectors.py writes, and refuses any that are not whole or not of this kernel.

#ifndef FIRST_EXIT_VECTORS_H
#define FIRST_EXIT_VECTORS_H

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "first_exit_spec.h"

namespace vectors {

struct Beat {
  uint64_t word;
  bool last;
};

struct Case {
  std::string name;
  uint32_t num_images, mode, feature_margin;
  uint64_t consumed;
  std::vector<uint32_t> registers;  // in the order of the testbench's names
  std::vector<Beat> input, output;
};

constexpr int REGISTERS = 7;

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(path) {
    if (!file_) fail("there is no such file, or it cannot be read; `make vectors` writes it");
  }

  std::vector<Case> read() {
    expect("first_exit_vectors");
    if (number(10) != 2) fail("another format version; write it again with `make vectors`");
    check("build_id", 16, spec::BUILD_ID);
    check("beat_bits", 10, spec::BEAT_BITS);
    check("image_beats", 10, spec::IMAGE_BEATS);
    check("feature_beats", 10, spec::FEATURE_BEATS);
    check("result_beats", 10, spec::RESULT_BEATS);
    std::vector<Case> cases(named("cases"));
    if (cases.empty()) fail("it holds no case");
    for (Case& one : cases) read_case(one);
    expect("end");
    return cases;
  }

 private:
  void read_case(Case& one) {
    expect("case");
    one.name = token();
    one.num_images = uint32_t(named("num_images"));
    one.mode = uint32_t(named("mode"));
    one.feature_margin = uint32_t(named("feature_margin"));
    one.input.resize(named("input"));
    one.consumed = named("consumed");
    one.output.resize(named("output"));
    expect("registers");
    for (int index = 0; index < REGISTERS; ++index) one.registers.push_back(uint32_t(number(16)));
    for (std::vector<Beat>* beats : {&one.input, &one.output}) {
      for (Beat& beat : *beats) {
        beat.word = number(16);
        beat.last = number(10) != 0;
      }
    }
  }

  std::string token() {
    std::string text;
    if (!(file_ >> text)) fail("it ends too early; write it again with `make vectors`");
    return text;
  }

  uint64_t number(int base) {
    const std::string text = token();
    size_t used = 0;
    uint64_t value = 0;
    try {
      value = std::stoull(text, &used, base);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != text.size()) fail("'" + text + "' stands where a number should");
    return value;
  }

  void expect(const std::string& wanted) {
    const std::string text = token();
    if (text != wanted) fail("'" + text + "' stands where '" + wanted + "' should");
  }

  // A count; bounded, so that a damaged file cannot ask for all of the memory.
  uint64_t named(const std::string& name) {
    expect(name);
    const uint64_t value = number(10);
    if (value > (1 << 24)) fail(name + " is " + std::to_string(value) + "; at most " + std::to_string(1 << 24));
    return value;
  }

  void check(const std::string& name, int base, uint64_t wanted) {
    expect(name);
    const uint64_t value = number(base);
    if (value != wanted) {
      fail(name + " is " + std::to_string(value) + ", the kernel's is " + std::to_string(wanted) +
           "; write the vectors again with `make vectors`, of the model that hw/generated was written from");
    }
  }

  [[noreturn]] void fail(const std::string& message) {
    std::cerr << path_ << ": " << message << std::endl;
    std::exit(2);
  }

  std::string path_;
  std::ifstream file_;
};

// Which value of an image's output a beat's bit belongs to, for the report of a mismatch.
inline std::string field_of(const Case& one, uint64_t output_beat, uint64_t difference) {
  uint64_t image = 0, beat = output_beat;  // in the image's own part of the output
  for (uint64_t start = 0;; ++image) {
    const uint64_t flags = one.output.at(start + spec::RESULT_BEATS - 1).word >> (spec::BEAT_BITS - spec::LOGIT_BITS);
    const uint64_t beats = spec::RESULT_BEATS + ((flags & spec::RESULT_FEATURES) != 0 ? spec::FEATURE_BEATS : 0);
    if (beat < beats) break;
    beat -= beats;
    start += beats;
  }
  int bit = 0;
  while (bit < 63 && !(difference >> bit & 1)) ++bit;
  const std::string where = "image " + std::to_string(image) + ", ";
  if (beat >= uint64_t(spec::RESULT_BEATS)) {
    const uint64_t index = ((beat - spec::RESULT_BEATS) * spec::BEAT_BITS + bit) / spec::ACTIVATION_BITS;
    const uint64_t position = index / spec::TRUNK_OUT_CHANNELS;
    if (position >= uint64_t(spec::BRANCH_SIDE) * spec::BRANCH_SIDE) return where + "padding of the features";
    return where + "feature of channel " + std::to_string(index % spec::TRUNK_OUT_CHANNELS) + ", row " +
           std::to_string(position / spec::BRANCH_SIDE) + ", column " + std::to_string(position % spec::BRANCH_SIDE);
  }
  const uint64_t field = (beat * spec::BEAT_BITS + bit) / spec::LOGIT_BITS;
  if (field < uint64_t(spec::CLASSES)) return where + "logit of class " + std::to_string(field);
  return where + (field == uint64_t(spec::CLASSES) ? "sequence number" : "flags");
}

}  // namespace vectors

#endif  // FIRST_EXIT_VECTORS_H
