// RTL simulation: the core's Verilog under Verilator, against the same vectors as the C simulation.
//
//   cosim SEED FILE.vectors...
//
// The core knows no TLAST, so only the batches that arrive whole are run: once with both streams always ready, which
// measures clocks, and some times with random stalls of both. Exit status as that of the testbench.

#include <verilated.h>

#include <cstdio>
#include <memory>
#include <random>

#include "Vcosim_top.h"
#include "vectors.h"

namespace {

constexpr int STALLED_RUNS = 4;
constexpr uint64_t HANG_CLOCKS = 5000;  // without a beat in or out

struct Run {
  std::vector<uint64_t> output;
  uint64_t clocks;
  bool hangs;
};

// One batch from reset to done. `share` is the probability that a stream is ready in a clock.
Run simulate(const vectors::Case& one, double share, std::mt19937& random) {
  const std::unique_ptr<VerilatedContext> context(new VerilatedContext);
  const std::unique_ptr<Vcosim_top> top(new Vcosim_top(context.get()));
  std::bernoulli_distribution ready(share);
  const auto settle = [&](int clock) {
    top->clock = clock;
    top->eval();
  };
  top->num_images = one.num_images;
  top->mode = one.mode;
  top->feature_margin = one.feature_margin;
  top->reset = 1;
  for (int clock = 0; clock < 10; ++clock) {
    settle(0);
    settle(1);
  }
  top->reset = 0;

  Run run = {{}, 0, false};
  size_t sent = 0;
  bool done = false;
  uint64_t moved_at = 0;
  // More beats than are expected are an error already, and a wrong circuit may never end to give them.
  for (; !(done && run.output.size() >= one.output.size()) && run.output.size() <= one.output.size(); ++run.clocks) {
    settle(0);
    top->start = run.clocks == 0;
    // A beat once offered stays offered; an end that is not ready yet may become so.
    if (!top->words_valid) top->words_valid = sent < one.input.size() && ready(random);
    if (top->words_valid) top->words_data = one.input[sent].word;
    top->merged_ready = ready(random);
    top->eval();
    const bool takes = top->words_valid && top->words_ready, gives = top->merged_valid && top->merged_ready;
    if (gives) run.output.push_back(top->merged_data);
    done |= top->done;
    settle(1);
    if (takes) {
      ++sent;
      top->words_valid = 0;
    }
    if (takes || gives) moved_at = run.clocks;
    if (run.clocks - moved_at > HANG_CLOCKS) {
      run.hangs = true;
      break;
    }
  }
  top->final();
  return run;
}

bool agrees(const vectors::Case& one, const Run& run, const char* how) {
  for (size_t beat = 0; beat < run.output.size() && beat < one.output.size(); ++beat) {
    const uint64_t expected = one.output[beat].word, got = run.output[beat];
    if (expected == got) continue;
    std::printf("  %s, %s: %s, in output beat %zu: expected %#llx, got %#llx\n", one.name.c_str(), how,
                vectors::field_of(one, beat, expected ^ got).c_str(), beat, (unsigned long long)expected,
                (unsigned long long)got);
    return false;
  }
  if (run.hangs) {
    std::printf("  %s, %s: hangs after %zu of %zu output beats\n", one.name.c_str(), how, run.output.size(),
                one.output.size());
    return false;
  }
  if (run.output.size() == one.output.size()) return true;
  std::printf("  %s, %s: %zu output beats, expected %zu\n", one.name.c_str(), how, run.output.size(),
              one.output.size());
  return false;
}

bool arrives_whole(const vectors::Case& one) {
  return one.num_images != 0 && one.consumed == uint64_t(one.num_images) * spec::IMAGE_BEATS;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: cosim SEED FILE.vectors...\n");
    return 2;
  }
  std::mt19937 random(uint32_t(std::stoul(arguments[1])));
  int runs = 0, failures = 0;
  for (int index = 2; index < count; ++index) {
    for (vectors::Case& one : vectors::Reader(arguments[index]).read()) {
      if (!arrives_whole(one)) continue;
      one.input.resize(one.consumed);
      const Run free = simulate(one, 1.0, random);
      ++runs;
      if (!agrees(one, free, "no stalls")) {
        ++failures;
        continue;
      }
      std::printf("  %s, mode %u, margin %u: %u images in %llu clocks (measured)\n", one.name.c_str(), one.mode, one.feature_margin,
                  one.num_images,
                  (unsigned long long)free.clocks);
      for (int run = 0; run < STALLED_RUNS; ++run, ++runs) {
        const double share = (run + 1.0) / (STALLED_RUNS + 1);
        if (!agrees(one, simulate(one, share, random), "random stalls")) ++failures;
      }
    }
  }
  std::printf("%d of %d runs agree\n", runs - failures, runs);
  return failures || !runs ? 1 : 0;
}
