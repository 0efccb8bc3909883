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
#include "engine.h"

namespace {

using namespace pynq_ee;

// Batches around the rows of a tile and the 24 images of a chunk.
constexpr size_t kBatches[] = {0, 1, 2, 3, 4, 5, 7, 12, 23, 24, 25, 31};

class Reader {
 public:
  explicit Reader(const char* path) : file_(std::fopen(path, "rb")) {
    if (!file_) fail("cannot open the vectors");
  }
  ~Reader() { std::fclose(file_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  template <typename T>
  std::vector<T> many(size_t count) {
    std::vector<T> values(count);
    if (std::fread(values.data(), sizeof(T), count, file_) != count) fail("the vectors end too early");
    return values;
  }
  template <typename T>
  T one() {
    return many<T>(1)[0];
  }
  void expect_end() {
    if (std::fgetc(file_) != EOF) fail("the vectors are too long");
  }
  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(2);
  }

 private:
  std::FILE* file_;
};

struct StoredLayer {
  std::vector<int32_t> numbers;  // kernel, padding, channels, side, input_max, largest, taps, outputs
  std::vector<int8_t> weight;
  std::vector<int32_t> bias;
  std::vector<uint8_t> shift;

  explicit StoredLayer(Reader& vectors)
      : numbers(vectors.many<int32_t>(8)),
        weight(vectors.many<int8_t>(static_cast<size_t>(numbers[6]) * numbers[7])),
        bias(vectors.many<int32_t>(numbers[7])),
        shift(vectors.many<uint8_t>(numbers[7])) {}

  RawLayer raw() const {
    return {numbers[0], numbers[1], numbers[2],    numbers[3],  numbers[5],
            numbers[6], numbers[7], weight.data(), bias.data(), shift.data()};
  }
  Convolution convolution(const Kernels& kernels) const { return pack_convolution(raw(), numbers[4], kernels); }
  Connection connection(int channels, const Kernels& kernels) const { return pack_connection(raw(), channels, kernels); }
};

struct StoredStage {
  bool convolution;
  int32_t body;
  std::vector<StoredLayer> layers;
  std::vector<int16_t> logits;  // expected, (rows, classes)
};

struct StoredNetwork {
  std::vector<uint8_t> images, planes, nibbles;
  size_t pixels, features;
  std::vector<int16_t> logits;
  std::vector<StoredLayer> first_exit;
  std::vector<StoredStage> stages;
};

StoredNetwork read_network(Reader& vectors, size_t rows, int classes) {
  StoredNetwork stored{};
  stored.pixels = vectors.one<int32_t>();
  stored.features = vectors.one<int32_t>();
  stored.images = vectors.many<uint8_t>(rows * stored.pixels);
  stored.planes = vectors.many<uint8_t>(rows * stored.features);
  stored.nibbles = vectors.many<uint8_t>(rows * stored.features / 2);
  stored.logits = vectors.many<int16_t>(rows * classes);
  for (int layer = 0; layer < 3; ++layer) stored.first_exit.emplace_back(vectors);
  const int32_t stages = vectors.one<int32_t>();
  for (int32_t number = 0; number < stages; ++number) {
    StoredStage stage{};
    stage.convolution = vectors.one<int32_t>() != 0;
    stage.body = vectors.one<int32_t>();
    const int32_t layers = vectors.one<int32_t>();
    for (int32_t layer = 0; layer < layers; ++layer) stage.layers.emplace_back(vectors);
    stage.logits = vectors.many<int16_t>(rows * classes);
    stored.stages.push_back(std::move(stage));
  }
  return stored;
}

Network build(const StoredNetwork& stored, const Kernels& kernels) {
  Network network{&kernels, std::make_unique<FirstExit>(), {}};
  network.first_exit->trunk = stored.first_exit[0].convolution(kernels);
  network.first_exit->branch = stored.first_exit[1].convolution(kernels);
  network.first_exit->classifier = stored.first_exit[2].connection(network.first_exit->branch.outputs, kernels);
  int channels = 0;
  for (const StoredStage& from : stored.stages) {
    Stage stage;
    size_t first = 0;
    if (from.convolution) {
      stage.convolution = std::make_unique<Convolution>(from.layers[first++].convolution(kernels));
      channels = stage.convolution->outputs;
    }
    stage.body = from.body;
    int of_layer = channels;
    for (; first < from.layers.size(); ++first) {
      stage.connections.push_back(from.layers[first].connection(of_layer, kernels));
      of_layer = stage.connections.back().outputs;
      if (stage.connections.size() == stage.body) channels = of_layer;
    }
    network.stages.push_back(std::move(stage));
  }
  return network;
}

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
