// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/parallel.hpp"

#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include <unistd.h>

#include "ffdp/core/error.hpp"

namespace ffdp {
namespace {

/// Gives way to the other hardware thread of the core.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns the value once it differs from `old`. Polls for 20 microseconds and then sleeps, so that
/// a long wait leaves the core to other programs. It does not yield: on a busy machine, each yield
/// gives a whole time slice away, and every parallel loop has one.
std::uint32_t awaited(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::microseconds(20);
  std::uint32_t now = value.load(std::memory_order_acquire);
  for (; now == old && Clock::now() < until; now = value.load(std::memory_order_acquire)) relax();
  while (now == old) {
    value.wait(old, std::memory_order_acquire);
    now = value.load(std::memory_order_acquire);
  }
  return now;
}

/// The workers of one calling thread.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  Team(Team&&) = delete;
  Team& operator=(Team&&) = delete;
  ~Team() {
    work_ = nullptr;
    begin();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(int threads, const std::function<void(int)>& work) {
    grow(threads - 1);
    work_ = &work;
    wanted_ = threads;
    busy_.store(static_cast<std::uint32_t>(threads_.size()), std::memory_order_relaxed);
    begin();
    execute(0);
    for (std::uint32_t busy = busy_.load(std::memory_order_acquire); busy != 0;)
      busy = awaited(busy_, busy);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  /// A forked process has the memory of these workers, but not their threads.
  bool is_of_this_process() const { return process_ == ::getpid(); }

 private:
  void begin() {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }

  void grow(int others) {
    while (static_cast<int>(threads_.size()) < others) {
      const int worker = static_cast<int>(threads_.size()) + 1;
      try {
        threads_.emplace_back([this, worker, round = round_.load()] { live(worker, round); });
      } catch (const std::system_error& error) {
        throw InvalidArgument("threads: the system starts " + std::to_string(worker) + " of " +
                              std::to_string(others + 1) + ": " + error.what());
      }
    }
  }

  void live(int worker, std::uint32_t round) {
    for (;;) {
      round = awaited(round_, round);
      if (!work_) return;
      if (worker < wanted_) execute(worker);
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
    }
  }

  void execute(int worker) {
    inside() = true;
    try {
      (*work_)(worker);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    inside() = false;
  }

  /// Whether this thread runs a part of some team's work.
  static bool& inside() {
    thread_local bool is_inside = false;
    return is_inside;
  }
  friend void ffdp::on_workers(int threads, const std::function<void(int)>& work);

  const pid_t process_ = ::getpid();
  std::vector<std::thread> threads_;
  const std::function<void(int)>* work_ = nullptr;  // of this round; null ends the workers
  int wanted_ = 0;
  std::atomic<std::uint32_t> round_{0}, busy_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

void on_workers(int threads, const std::function<void(int)>& work) {
  if (threads <= 0) return;
  if (threads == 1 || Team::inside()) return work(0);
  thread_local std::unique_ptr<Team> team;
  if (team && !team->is_of_this_process()) {
    [[maybe_unused]] const Team* left_behind = team.release();
  }
  if (!team) team = std::make_unique<Team>();
  team->run(threads, work);
}

}  // namespace ffdp
