// Threads that compute beside their caller's, and the caller that helps them rather than wait. Without Python.

#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace pynq_ee {

// Rows that one thread takes at a time: a row is as cheap as one of many from here on, on every instruction set.
constexpr size_t kPiece = 4;

// Rows, in pieces that are computed by whoever has time. `work(first, last)` must give the same if it is done twice.
struct Job {
  Job(size_t count, std::function<void(size_t, size_t)> function) : rows(count), work(std::move(function)) {}

  const size_t rows;
  const std::function<void(size_t, size_t)> work;
  size_t taken = 0, done = 0;
  double begin = 0, end = 0;  // seconds of the monotonic clock, which is Python's time.perf_counter
  std::exception_ptr failure;
};

class Workers {
 public:
  explicit Workers(size_t count) : count_(count), process_(getpid()) {}
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { close(); }

  // Of the process that this was forked from: its threads are not here, and its lock may be held for ever.
  bool foreign() const { return process_ != getpid(); }

  void hand_over(const std::shared_ptr<Job>& job) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (threads_.empty() && !closing_) start();
    jobs_.push_back(job);
    changed_.notify_all();
  }

  // Compute what waits, the oldest first, until the job is done. In a fork all of it is computed again.
  void finish(Job& job) {
    if (foreign()) {
      job.begin = now();
      job.work(0, job.rows);
      job.end = now();
      return;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    while (job.done < job.rows)
      if (!step(lock)) changed_.wait(lock);
    if (job.failure) std::rethrow_exception(job.failure);
  }

  // Begin no more of the job, and wait for what has been begun.
  void drop(Job& job) {
    if (foreign()) return;
    std::unique_lock<std::mutex> lock(mutex_);
    job.done += job.rows - job.taken;
    job.taken = job.rows;
    while (job.done < job.rows) changed_.wait(lock);
  }

  // Wait for all that has been handed over, and end the threads. May be called twice.
  void close() {
    std::vector<std::thread> ended;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      closing_ = true;
      ended.swap(threads_);
      changed_.notify_all();
    }
    for (std::thread& each : ended) each.join();
  }

 private:
  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  // Signals are for the interpreter's threads.
  void start() {
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_BLOCK, &every, &before);
    try {
      while (threads_.size() < count_) threads_.emplace_back([this] { run(); });
    } catch (const std::exception&) {  // no more threads: those that there are, and the caller, do the work
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      if (step(lock)) continue;
      if (closing_) return;
      changed_.wait(lock);
    }
  }

  // Compute one piece, if there is one, without the lock.
  bool step(std::unique_lock<std::mutex>& lock) {
    while (!jobs_.empty() && jobs_.front()->taken == jobs_.front()->rows) jobs_.pop_front();
    if (jobs_.empty()) return false;
    const std::shared_ptr<Job> job = jobs_.front();
    const size_t first = job->taken, last = std::min(first + kPiece, job->rows);
    job->taken = last;
    if (first == 0) job->begin = now();
    std::exception_ptr failure;
    lock.unlock();
    try {
      job->work(first, last);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure) job->failure = failure;
    job->done += last - first;
    if (job->done == job->rows) {
      job->end = now();
      changed_.notify_all();
    }
    return true;
  }

  const size_t count_;
  const pid_t process_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> jobs_;
  std::vector<std::thread> threads_;
  bool closing_ = false;
};

}  // namespace pynq_ee
