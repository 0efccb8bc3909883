// Workers and callers on jobs that count how often each row is computed: once, whoever does it, and errors come through.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "beside.h"

using namespace pynq_ee;

static void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

static void check(size_t threads, size_t callers) {
  Workers workers(threads);
  std::vector<std::thread> others;
  for (size_t caller = 0; caller < callers; ++caller)
    others.emplace_back([&, caller] {
      for (size_t rows = 0; rows < 40; ++rows) {
        std::vector<int> times(rows, 0);  // plain: two threads on one row would be a race
        auto job = std::make_shared<Job>(rows, [&](size_t first, size_t last) {
          for (size_t row = first; row < last; ++row) ++times[row];
        });
        workers.hand_over(job);
        if ((rows + caller) % 3 == 0) {
          workers.drop(*job);
          for (int each : times) expect(each <= 1, "a row of a dropped job is computed at most once");
        } else {
          workers.finish(*job);
          for (int each : times) expect(each == 1, "a row is computed once");
        }
      }
    });
  for (std::thread& each : others) each.join();
  auto failing = std::make_shared<Job>(9, [](size_t first, size_t) {
    if (first != 0) throw std::runtime_error("of a row");
  });
  workers.hand_over(failing);
  try {
    workers.finish(*failing);
    expect(false, "an error comes through");
  } catch (const std::runtime_error&) {
  }
  std::atomic<int> after{0};
  auto last = std::make_shared<Job>(5, [&](size_t first, size_t end) { after += static_cast<int>(end - first); });
  workers.hand_over(last);
  workers.close();
  expect(!threads || after == 5, "closing waits for what was handed over");
  workers.finish(*last);
  expect(after == 5, "a caller without workers computes all");
}

int main() {
  for (size_t threads : {0, 1, 3})
    for (size_t callers : {1, 2, 4}) check(threads, callers);
  std::printf("ok\n");
  return 0;
}
