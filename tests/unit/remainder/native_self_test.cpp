// Runs native_engine.h against vectors that test_native_cross.py wrote, on any processor and without Python.
//
//     native_self_test FILE
//
// Prints the instruction sets and the largest differences; the first mismatch is printed with its indices, and the exit
// status is 1. The file's layout is that of write_vectors() in test_native_cross.py.

#include "native_engine.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace pynq_ee;

// Batches around the six rows of a tile and the 24 images of a chunk.
constexpr size_t kBatches[] = {0, 1, 2, 5, 6, 7, 12, 23, 24, 25, 31};

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

struct RawLayer {
  std::vector<int32_t> numbers;  // kernel, channels, side, relu, inputs, outputs
  std::vector<float> weight, bias;
};

struct RawStage {
  int32_t body;
  std::vector<RawLayer> layers;
  std::vector<float> logits;  // expected, (rows, classes)
};

Program build(const RawStage& stage, const Kernels* kernels) {
  Program program{kernels, {}, static_cast<size_t>(stage.body)};
  for (const RawLayer& raw : stage.layers) {
    const int inputs = raw.numbers[4], outputs = raw.numbers[5];
    program.layers.push_back({raw.numbers[0], raw.numbers[1], raw.numbers[2], inputs, outputs, raw.numbers[3] != 0,
                              pack(raw.weight.data(), inputs, outputs, kernels->width),
                              copy(raw.bias.data(), outputs)});
  }
  return program;
}

[[noreturn]] void mismatch(const std::string& what, size_t row, size_t column, double found, double expected) {
  std::printf("MISMATCH %s [%zu][%zu]: found %.9g, expected %.9g\n", what.c_str(), row, column, found, expected);
  std::exit(1);
}

// `tolerance` is a part of the greatest expected value, or of 1 if that is less.
void check(const std::string& what, const float* found, const float* expected, size_t rows, size_t columns,
           double tolerance, double* largest) {
  double greatest = 1;
  for (size_t i = 0; i < rows * columns; ++i) greatest = std::max<double>(greatest, std::abs(expected[i]));
  for (size_t i = 0; i < rows * columns; ++i) {
    const double difference = std::abs(static_cast<double>(found[i]) - expected[i]) / greatest;
    if (!(difference <= tolerance)) mismatch(what, i / columns, i % columns, found[i], expected[i]);
    *largest = std::max(*largest, difference);
  }
}

void check_network(Reader& vectors, size_t rows, int classes, double tolerance) {
  const int32_t plane_bytes = vectors.one<int32_t>();
  const auto planes = vectors.many<uint8_t>(rows * plane_bytes);
  const auto nibbles = vectors.many<uint8_t>(rows * plane_bytes / 2);
  std::vector<RawStage> stages(vectors.one<int32_t>());
  for (RawStage& stage : stages) {
    stage.body = vectors.one<int32_t>();
    stage.layers.resize(vectors.one<int32_t>());
    for (RawLayer& layer : stage.layers) {
      layer.numbers = vectors.many<int32_t>(6);
      layer.weight = vectors.many<float>(static_cast<size_t>(layer.numbers[4]) * layer.numbers[5]);
      layer.bias = vectors.many<float>(layer.numbers[5]);
    }
    stage.logits = vectors.many<float>(rows * classes);
  }
  for (const InstructionSet& set : instruction_sets()) {
    double largest = 0;
    for (size_t batch : kBatches)
      for (Input kind : {Input::kPlanes, Input::kNibbles}) {
        if (batch > rows) Reader::fail("too few rows for the batches");
        const void* inputs = kind == Input::kPlanes ? planes.data() : nibbles.data();
        std::vector<float> state;
        for (size_t number = 0; number < stages.size(); ++number) {
          const Program program = build(stages[number], set.kernels);
          // Exactly as long as they must be, so that the address sanitizer sees a write past the end.
          std::vector<float> hidden(program.body ? batch * program.layers[program.body - 1].results() : 0);
          std::vector<float> logits(batch * classes);
          run(program, number ? Input::kHidden : kind, number ? state.data() : inputs, batch, hidden.data(),
              logits.data(), classes);
          check(std::string(set.name) + ", stage " + std::to_string(number) + ", batch " + std::to_string(batch),
                logits.data(), stages[number].logits.data(), batch, classes, tolerance, &largest);
          if (program.body) state = std::move(hidden);
        }
      }
    std::printf("%s: logits within %.3g of the greatest\n", set.name, largest);
  }
}

void check_decisions(Reader& vectors, size_t rows, double tolerance) {
  const double scale = vectors.one<double>(), threshold = vectors.one<double>();
  const int32_t classes = vectors.one<int32_t>(), stride = vectors.one<int32_t>();
  const auto records = vectors.many<char>(rows * stride);
  const auto entropy = vectors.many<double>(rows);
  const auto labels = vectors.many<int64_t>(rows);
  const auto leaves = vectors.many<uint8_t>(rows);

  std::vector<float> reals(rows * classes);
  for (size_t row = 0; row < rows; ++row)
    for (int i = 0; i < classes; ++i) {
      int16_t logit;
      std::memcpy(&logit, records.data() + row * stride + i * sizeof logit, sizeof logit);
      reals[row * classes + i] = static_cast<float>(logit * scale);
    }
  double largest = 0;
  for (bool integer : {true, false}) {
    std::vector<double> found(rows);
    std::vector<int64_t> label(rows);
    std::vector<uint8_t> leave(rows);
    const Decision out = {found.data(), label.data(), leave.data()};
    if (integer)
      decide(ExponentialTable(scale), records.data(), stride, rows, classes, threshold, out);
    else if (!decide(reals.data(), rows, classes, threshold, out))
      Reader::fail("finite logits are called infinite");
    for (size_t row = 0; row < rows; ++row) {
      if (!(std::abs(found[row] - entropy[row]) <= tolerance)) mismatch("entropy", row, 0, found[row], entropy[row]);
      if (label[row] != labels[row]) mismatch("label", row, 0, label[row], labels[row]);
      if (leave[row] != leaves[row]) mismatch("leaves", row, 0, leave[row], leaves[row]);
      largest = std::max(largest, std::abs(found[row] - entropy[row]));
    }
    reals[0] = NAN;
    if (rows && !integer && decide(reals.data(), rows, classes, threshold, out)) Reader::fail("NaN is called finite");
    reals[0] = static_cast<float>(reinterpret_cast<const int16_t*>(records.data())[0] * scale);
  }
  std::printf("decision of %d classes: entropy within %.3g\n", classes, largest);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) Reader::fail("usage: native_self_test FILE");
  Reader vectors(arguments[1]);
  const int32_t rows = vectors.one<int32_t>(), classes = vectors.one<int32_t>();
  const double logit_tolerance = vectors.one<double>(), entropy_tolerance = vectors.one<double>();
  const int32_t networks = vectors.one<int32_t>(), decisions = vectors.one<int32_t>();
  for (int32_t i = 0; i < networks; ++i) check_network(vectors, rows, classes, logit_tolerance);
  for (int32_t i = 0; i < decisions; ++i) check_decisions(vectors, rows, entropy_tolerance);
  vectors.expect_end();
  std::printf("ok\n");
  return 0;
}
