// A stream that tells of every read and write, for the test that compares the cycle model with the kernel. Streams are
// known by the order in which they are made.

#ifndef FIRST_EXIT_TRACE_HLS_STREAM_H
#define FIRST_EXIT_TRACE_HLS_STREAM_H

#include <cstdio>
#include <deque>

namespace hls {

inline const char* next_stream_name() {
  static const char* const names[] = {"images", "results",        "words",  "merged",   "flags",
                                      "tokens", "feature_tokens", "pooled", "features", "records"};
  static int made = 0;
  return names[made++];
}

template <typename Value>
class stream {
 public:
  Value read() {
    std::printf("read %s\n", name_);
    const Value value = values_.at(0);
    values_.pop_front();
    return value;
  }

  void write(const Value& value) {
    std::printf("write %s\n", name_);
    values_.push_back(value);
  }

 private:
  const char* name_ = next_stream_name();
  std::deque<Value> values_;
};

}  // namespace hls

#endif  // FIRST_EXIT_TRACE_HLS_STREAM_H
