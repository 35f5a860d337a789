// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/threads.hpp"

#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "ffdp/core/error.hpp"

namespace ffdp::dist {
namespace {

/// A message between two ranks. The rank that names its side last copies it from memory to memory.
/// So a message arrives even if the other rank does not wait for it yet.
struct Message {
  const Send* send = nullptr;        ///< null until the sender has named it
  const Receive* receive = nullptr;  ///< null until the receiver has
  enum class State { open, being_copied, done } state = State::open;
};

/// Data that the ranks of one team share.
class Post {
 public:
  explicit Post(int ranks) : ranks_(ranks), channels_(static_cast<std::size_t>(ranks) * ranks) {}

  int ranks() const { return ranks_; }

  std::shared_ptr<Message> put(int from, const Send& send) {
    return name(channel(from, send.to).sends, &Message::send, &send, from, send.to);
  }
  std::shared_ptr<Message> ask(int to, const Receive& receive) {
    return name(channel(receive.from, to).receives, &Message::receive, &receive, receive.from, to);
  }

  void wait(const Message& message) {
    std::unique_lock lock(mutex_);
    const auto done = [&] { return message.state == Message::State::done; };
    changed_.wait(lock, [&] { return failed_rank_ >= 0 || done(); });
    if (!done()) throw CommError("comm: rank " + std::to_string(failed_rank_) + " failed");
  }

  /// Called before the memory of one side is freed: no copy may begin any more.
  template <class Side>
  void withdraw(Message& message, Side Message::* side) {
    std::unique_lock lock(mutex_);
    message.*side = nullptr;
    changed_.wait(lock, [&] { return message.state != Message::State::being_copied; });
  }

  /// Keeps the first error and wakes everybody.
  void fail(int rank, std::exception_ptr error) {
    {
      const std::lock_guard lock(mutex_);
      if (failed_rank_ < 0) {
        failed_rank_ = rank;
        error_ = std::move(error);
      }
    }
    changed_.notify_all();
  }
  int failed_rank() {
    const std::lock_guard lock(mutex_);
    return failed_rank_;
  }
  /// The first error, or null.
  const std::exception_ptr& error() const { return error_; }

 private:
  /// From one rank to another: the k-th message sent is the k-th received.
  struct Channel {
    std::int64_t sends = 0, receives = 0;  ///< named so far
    std::map<std::int64_t, std::shared_ptr<Message>> open;
  };
  Channel& channel(int from, int to) {
    return channels_[static_cast<std::size_t>(from) * ranks_ + to];
  }

  template <class Side>
  std::shared_ptr<Message> name(std::int64_t& count, Side Message::* side, Side value, int from,
                                int to) {
    std::shared_ptr<Message> message;
    Send send;
    Receive receive;
    {
      const std::lock_guard lock(mutex_);
      auto& open = channel(from, to).open;
      const std::int64_t number = count++;
      auto& slot = open[number];
      if (!slot) slot = std::make_shared<Message>();
      message = slot;
      message.get()->*side = value;
      if (!message->send || !message->receive) return message;
      open.erase(number);
      message->state = Message::State::being_copied;
      send = *message->send;
      receive = *message->receive;
    }
    const bool fits = send.bytes == receive.bytes;
    if (fits && send.bytes > 0) std::memcpy(receive.data, send.data, send.bytes);
    {
      const std::lock_guard lock(mutex_);
      message->state = Message::State::done;
    }
    changed_.notify_all();
    if (!fits)
      throw CommError("comm: rank " + std::to_string(from) + " sent " + std::to_string(send.bytes) +
                      " bytes to rank " + std::to_string(to) + ", which expected " +
                      std::to_string(receive.bytes));
    return message;
  }

  int ranks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Channel> channels_;
  int failed_rank_ = -1;
  std::exception_ptr error_;
};

class ThreadPending final : public Comm::Pending {
 public:
  ThreadPending(Post& post, int rank, std::span<const Send> sends,
                std::span<const Receive> receives)
      : post_(post),
        sends_(sends.begin(), sends.end()),
        receives_(receives.begin(), receives.end()) {
    for (const Receive& receive : receives_) received_.push_back(post.ask(rank, receive));
    for (const Send& send : sends_) sent_.push_back(post.put(rank, send));
  }
  ThreadPending(const ThreadPending&) = delete;
  ThreadPending& operator=(const ThreadPending&) = delete;
  ThreadPending(ThreadPending&&) = delete;
  ThreadPending& operator=(ThreadPending&&) = delete;
  ~ThreadPending() override {
    for (const auto& message : sent_) post_.withdraw(*message, &Message::send);
    for (const auto& message : received_) post_.withdraw(*message, &Message::receive);
  }
  void wait() override {
    for (const auto& message : received_) post_.wait(*message);
    for (const auto& message : sent_) post_.wait(*message);
  }

 private:
  Post& post_;
  std::vector<Send> sends_;
  std::vector<Receive> receives_;
  std::vector<std::shared_ptr<Message>> sent_, received_;
};

class ThreadComm final : public Comm {
 public:
  ThreadComm(Post& post, int rank) : post_(post), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return post_.ranks(); }
  std::string backend() const override { return "threads"; }
  std::function<int()> failures() const override {
    return [&post = post_] { return post.failed_rank(); };
  }

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
  if (post.error()) std::rethrow_exception(post.error());
}

}  // namespace ffdp::dist
