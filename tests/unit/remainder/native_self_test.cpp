// Runs engine.h and decision.h against vectors that test_native_cross.py wrote, on any processor and without Python.
//
//     native_self_test FILE
//
// Prints the kernels that it ran; the first mismatch is printed with its indices, and the exit status is 1. The file's
// layout is that of write_vectors() in test_native_cross.py.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "decision.h"
#include "stored.h"

namespace {

using namespace pynq_ee;

// Batches around the rows of a tile and the 24 images of a chunk.
constexpr size_t kBatches[] = {0, 1, 2, 3, 4, 5, 7, 12, 23, 24, 25, 31};

[[noreturn]] void mismatch(const std::string& what, size_t index, double found, double expected) {
  std::printf("MISMATCH %s [%zu]: found %.17g, expected %.17g\n", what.c_str(), index, found, expected);
  std::exit(1);
}

template <typename T>
void check(const std::string& what, const T* found, const T* expected, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (found[i] != expected[i]) mismatch(what, i, static_cast<double>(found[i]), static_cast<double>(expected[i]));
}

void check_kernels(const StoredNetwork& stored, const Kernels& kernels, size_t rows, int classes) {
  const Network network = build(stored, kernels);
  for (size_t batch : kBatches) {
    if (batch > rows) Reader::fail("too few rows for the batches");
    const std::string name = std::string(kernels.name) + ", batch " + std::to_string(batch);
    // Exactly as long as they must be, so that the address sanitizer sees a write past the end.
    std::vector<uint8_t> packed(batch * stored.features / 2);
    std::vector<int16_t> logits(batch * classes);
    in_threads(batch, 1 + batch % 2, [&](size_t first, size_t last) {
      run_first_exit(network, stored.images.data() + first * stored.pixels, last - first,
                     packed.data() + first * stored.features / 2, logits.data() + first * classes);
    });
    check(name + ", features", packed.data(), stored.nibbles.data(), packed.size());
    check(name + ", exit 1", logits.data(), stored.logits.data(), logits.size());
    for (Input kind : {Input::kPlanes, Input::kNibbles}) {
      std::vector<uint8_t> state;
      for (size_t number = 0; number < stored.stages.size(); ++number) {
        const Stage& stage = network.stages[number];
        const uint8_t* inputs = number ? state.data() : (kind == Input::kPlanes ? stored.planes : stored.nibbles).data();
        std::vector<uint8_t> hidden(stage.body || stage.convolution ? batch * stage.hidden() : 0);
        run_stage(network, stage, number ? Input::kHidden : kind, inputs, batch, hidden.data(), logits.data());
        check(name + ", stage " + std::to_string(number), logits.data(), stored.stages[number].logits.data(),
              batch * classes);
        if (!hidden.empty()) state = std::move(hidden);
      }
    }
  }
}

void check_decisions(Reader& vectors, size_t rows, const std::vector<uint32_t>& exponentials,
                     const std::vector<uint32_t>& logarithms) {
  const double threshold = vectors.one<double>();
  const int32_t exponent = vectors.one<int32_t>();
  const int32_t classes = vectors.one<int32_t>(), stride = vectors.one<int32_t>();
  const auto records = vectors.many<char>(rows * stride);
  const auto entropy = vectors.many<double>(rows);
  const auto labels = vectors.many<int64_t>(rows);
  const auto leaves = vectors.many<uint8_t>(rows);
  std::vector<double> found(rows);
  std::vector<int64_t> label(rows);
  std::vector<uint8_t> leave(rows);
  decide(DecisionTable(exponent, exponentials, logarithms), records.data(), stride, rows, classes, threshold,
         {found.data(), label.data(), leave.data()});
  check("entropy", found.data(), entropy.data(), rows);
  check("label", label.data(), labels.data(), rows);
  check("leaves", leave.data(), leaves.data(), rows);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) Reader::fail("usage: native_self_test FILE");
  Reader vectors(arguments[1]);
  const int32_t rows = vectors.one<int32_t>(), classes = vectors.one<int32_t>();
  const int32_t networks = vectors.one<int32_t>(), decisions = vectors.one<int32_t>();
  std::vector<StoredNetwork> stored;
  for (int32_t i = 0; i < networks; ++i) stored.push_back(read_network(vectors, rows, classes));
  for (const Kernels* kernels : kernels_of_this_machine()) {
    for (const StoredNetwork& network : stored) check_kernels(network, *kernels, rows, classes);
    std::printf("%s: equal\n", kernels->name);
  }
  const int32_t exponentials = vectors.one<int32_t>(), logarithms = vectors.one<int32_t>();
  const auto exponential_table = vectors.many<uint32_t>(exponentials);
  const auto logarithm_table = vectors.many<uint32_t>(logarithms);
  for (int32_t i = 0; i < decisions; ++i) check_decisions(vectors, rows, exponential_table, logarithm_table);
  vectors.expect_end();
  std::printf("ok\n");
  return 0;
}
