// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/threads.hpp"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "ffdp/core/error.hpp"

namespace ffdp::dist {
namespace {

/// A message that waits in the memory of its sender.
struct Letter {
  const void* data = nullptr;
  std::size_t bytes = 0;
  enum class State { posted, being_copied, taken } state = State::posted;
};

/// What the ranks of one team share.
class Post {
 public:
  explicit Post(int ranks) : ranks_(ranks), boxes_(static_cast<std::size_t>(ranks) * ranks) {}

  int ranks() const { return ranks_; }

  std::shared_ptr<Letter> put(int from, const Send& send) {
    auto letter = std::make_shared<Letter>();
    letter->data = send.data;
    letter->bytes = send.bytes;
    {
      const std::lock_guard lock(mutex_);
      box(from, send.to).push_back(letter);
    }
    changed_.notify_all();
    return letter;
  }

  /// Copies the oldest letter between two ranks.
  void take(int to, const Receive& receive) {
    std::shared_ptr<Letter> letter;
    {
      std::unique_lock lock(mutex_);
      auto& letters = box(receive.from, to);
      wait(lock, [&] { return !letters.empty(); });
      letter = letters.front();
      letters.pop_front();
      letter->state = Letter::State::being_copied;
    }
    const bool fits = letter->bytes == receive.bytes;
    if (fits && letter->bytes > 0) std::memcpy(receive.data, letter->data, letter->bytes);
    {
      const std::lock_guard lock(mutex_);
      letter->state = Letter::State::taken;
    }
    changed_.notify_all();
    if (!fits)
      throw CommError("comm: rank " + std::to_string(receive.from) + " sent " +
                      std::to_string(letter->bytes) + " bytes to rank " + std::to_string(to) +
                      ", which expected " + std::to_string(receive.bytes));
  }

  void wait_until_taken(const Letter& letter) {
    std::unique_lock lock(mutex_);
    wait(lock, [&] { return letter.state == Letter::State::taken; });
  }

  /// The memory of a letter goes: nobody may begin to copy it.
  void withdraw(int from, int to, const std::shared_ptr<Letter>& letter) {
    std::unique_lock lock(mutex_);
    std::erase(box(from, to), letter);
    changed_.wait(lock, [&] { return letter->state != Letter::State::being_copied; });
  }

  /// Keeps the first error and wakes everybody.
  void fail(int rank, std::exception_ptr error) {
    {
      const std::lock_guard lock(mutex_);
      if (!failed_) failed_.emplace(rank, std::move(error));
    }
    changed_.notify_all();
  }
  const std::optional<std::pair<int, std::exception_ptr>>& failure() const { return failed_; }

 private:
  std::deque<std::shared_ptr<Letter>>& box(int from, int to) {
    return boxes_[static_cast<std::size_t>(from) * ranks_ + to];
  }
  template <class Condition>
  void wait(std::unique_lock<std::mutex>& lock, Condition&& condition) {
    changed_.wait(lock, [&] { return failed_ || condition(); });
    if (!condition()) throw CommError("comm: rank " + std::to_string(failed_->first) + " failed");
  }

  int ranks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::deque<std::shared_ptr<Letter>>> boxes_;
  std::optional<std::pair<int, std::exception_ptr>> failed_;
};

class ThreadPending final : public Comm::Pending {
 public:
  ThreadPending(Post& post, int rank, std::span<const Send> sends,
                std::span<const Receive> receives)
      : post_(post), rank_(rank), receives_(receives.begin(), receives.end()) {
    for (const Send& send : sends) sent_.emplace_back(send.to, post.put(rank, send));
  }
  ThreadPending(const ThreadPending&) = delete;
  ThreadPending& operator=(const ThreadPending&) = delete;
  ThreadPending(ThreadPending&&) = delete;
  ThreadPending& operator=(ThreadPending&&) = delete;
  ~ThreadPending() override {
    for (const auto& [to, letter] : sent_) post_.withdraw(rank_, to, letter);
  }
  void wait() override {
    for (; next_ < receives_.size(); ++next_) post_.take(rank_, receives_[next_]);
    for (const auto& [to, letter] : sent_) post_.wait_until_taken(*letter);
    sent_.clear();
  }

 private:
  Post& post_;
  int rank_;
  std::vector<Receive> receives_;
  std::size_t next_ = 0;
  std::vector<std::pair<int, std::shared_ptr<Letter>>> sent_;
};

class ThreadComm final : public Comm {
 public:
  ThreadComm(Post& post, int rank) : post_(post), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return post_.ranks(); }
  std::string backend() const override { return "threads"; }

 private:
  std::unique_ptr<Pending> start_messages(std::span<const Send> sends,
                                          std::span<const Receive> receives) override {
    return std::make_unique<ThreadPending>(post_, rank_, sends, receives);
  }
  Post& post_;
  int rank_;
};

}  // namespace

void run_threads(int ranks, const std::function<void(Comm&)>& body) {
  require(ranks >= 1, "ranks: " + std::to_string(ranks) + ", at least 1 is needed");
  Post post(ranks);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&post, &body, rank] {
      try {
        ThreadComm comm(post, rank);
        body(comm);
      } catch (...) {
        post.fail(rank, std::current_exception());
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (post.failure()) std::rethrow_exception(post.failure()->second);
}

}  // namespace ffdp::dist
