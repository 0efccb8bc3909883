// A network in a file, for programs that run the native engine without Python. pynq_ee/bench/host/stored.py writes it.

#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "engine.h"

namespace pynq_ee {

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

inline StoredNetwork read_network(Reader& vectors, size_t rows, int classes) {
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

inline Network build(const StoredNetwork& stored, const Kernels& kernels) {
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

}  // namespace pynq_ee
