// Runs one task of the native engine once, for an emulator that counts its instructions (pynq_ee/bench/host/instructions.py).
//
//     counted FILE TASK COUNT
//
// TASK is "first-exit", "remainder", "decision" or "copy", of COUNT images of the network in FILE, which stored.py wrote;
// behind the network stand the tables of the exit rule. With 0 images nothing is called: what is then counted is to be
// subtracted. A copy is NumPy's into the DMA's buffer: one call of memmove.

#include <cstring>
#include <string>

#include "decision.h"
#include "stored.h"

using namespace pynq_ee;

int main(int count, char** arguments) {
  if (count != 4) Reader::fail("usage: counted FILE TASK COUNT");
  Reader file(arguments[1]);
  const std::string task = arguments[2];
  const size_t taken = std::strtoul(arguments[3], nullptr, 10);
  const int32_t rows = file.one<int32_t>(), classes = file.one<int32_t>();
  const StoredNetwork stored = read_network(file, rows, classes);
  const Network network = build(stored, *kernels_of_this_machine()[0]);
  const int32_t exponent = file.one<int32_t>(), exponentials = file.one<int32_t>(), logarithms = file.one<int32_t>();
  const auto exponential_table = file.many<uint32_t>(exponentials);
  const DecisionTable table(exponent, exponential_table, file.many<uint32_t>(logarithms));
  if (taken > static_cast<size_t>(rows)) Reader::fail("the file has fewer images");
  const Stage& stage = network.stages[0];
  std::vector<uint8_t> features(rows * stored.features / 2), hidden(rows * stage.hidden()), leaves(rows);
  std::vector<int16_t> logits(rows * classes);
  std::vector<double> entropy(rows);
  std::vector<int64_t> labels(rows);
  std::vector<uint8_t> slot(stored.images.size());
  if (!taken) return 0;
  if (task == "first-exit") {
    run_first_exit(network, stored.images.data(), taken, features.data(), logits.data());
  } else if (task == "remainder") {
    run_stage(network, stage, Input::kNibbles, stored.nibbles.data(), taken, hidden.data(), logits.data());
  } else if (task == "decision") {
    const Decision out = {entropy.data(), labels.data(), leaves.data()};
    decide(table, reinterpret_cast<const char*>(stored.logits.data()), sizeof(int16_t) * classes, taken, classes, 0.5, out);
  } else if (task == "copy") {
    std::memmove(slot.data(), stored.images.data(), stored.images.size() / rows * taken);
    asm volatile("" : : "r"(slot.data()) : "memory");  // which nobody reads
  } else {
    Reader::fail("no such task");
  }
  return 0;
}
