// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "ffdp/core/context.hpp"

namespace ffdp::dist {

class DeviceMessages;

/// How messages in the memory of GPUs travel: by copies between the GPUs of one process (peer), by
/// NCCL, or through the memory of the host (staged). automatic: the best one for this machine.
enum class Transport { automatic, peer, nccl, staged };

/// A message to one rank; `data` must not change until the exchange has been waited for.
struct Send {
  int to = 0;
  const void* data = nullptr;
  std::size_t bytes = 0;
};
/// Memory for a message from one rank. Both sides must name the same size.
struct Receive {
  int from = 0;
  void* data = nullptr;
  std::size_t bytes = 0;
};

/// The ranks that work on one registration. All of them make the same calls in the same order: the
/// k-th message from one rank to another is the k-th that the other receives from it. If a rank is
/// lost, hangs or fails, the waiting of the others ends with a CommError that names it.
class Comm {
 public:
  /// Messages under way.
  class Pending {
   public:
    Pending() = default;
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    Pending(Pending&&) = delete;
    Pending& operator=(Pending&&) = delete;
    virtual ~Pending() = default;
    /// Returns when everything has arrived and everything sent may be overwritten.
    virtual void wait() = 0;
  };

  Comm();
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;
  Comm(Comm&&) = delete;
  Comm& operator=(Comm&&) = delete;
  virtual ~Comm();

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// "solo", "threads" or "mpi".
  virtual std::string backend() const = 0;

  /// Starts to send and to receive; other work can be done until the result is waited for.
  /// Messages to oneself are allowed.
  std::unique_ptr<Pending> start(std::span<const Send> sends, std::span<const Receive> receives);
  void exchange(std::span<const Send> sends, std::span<const Receive> receives) {
    start(sends, receives)->wait();
  }

  /// As start(), but with memory of the context's backend. On CUDA, messages run after the work
  /// that is on the stream already; work that is put on it after wait() runs after them. The host
  /// waits for the device only with Transport::staged.
  std::unique_ptr<Pending> start(const Context& ctx, std::span<const Send> sends,
                                 std::span<const Receive> receives);
  /// Prepares messages in memory of the calling thread's GPU. Collective. Throws InvalidArgument on
  /// all ranks if `wanted` is not possible.
  void use_device(Transport wanted = Transport::automatic);
  /// A function that returns the rank that has failed, or -1 if none has or it is not known. Any
  /// thread may call it while the ranks run.
  virtual std::function<int()> failures() const {
    return [] { return -1; };
  }
  /// "peer", "nccl" or "staged" after use_device, else empty.
  std::string transport() const;

  /// Domains of at most this many voxels are not cut [voxels].
  std::int64_t uncut() const { return uncut_; }
  void set_uncut(std::int64_t voxels) { uncut_ = voxels; }

  // Collective calls, each made by all ranks.

  /// Copies `mine` of every rank to `all`, in the order of the ranks. `all` has room for size()
  /// times `bytes`.
  void all_gather(const void* mine, std::size_t bytes, void* all);
  template <class T>
  std::vector<T> all_gather(const T& mine);
  /// Joins lists of any length, in the order of the ranks.
  template <class T>
  std::vector<T> all_gather_lists(std::span<const T> mine);
  /// Sums of whole numbers.
  void all_sum(std::span<std::int64_t> values);
  /// Sums whose addends are multiples of one power of two, so that no order of addition rounds
  /// (ops/common/exact_sum.hpp). Other sums: dist/ordered_sum.hpp.
  void all_sum_exact(std::span<double> values);
  void all_max(std::span<double> values);
  void all_max(std::span<float> values);
  /// Copies `data` of rank `root` to every rank.
  void broadcast(void* data, std::size_t bytes, int root);
  void barrier();

  /// Bytes sent to other ranks, and time spent waiting for them, since the beginning.
  std::int64_t bytes_sent() const { return bytes_sent_; }
  double seconds_waiting() const { return seconds_waiting_; }

 private:
  friend class DeviceMessages;
  virtual std::unique_ptr<Pending> start_messages(std::span<const Send> sends,
                                                  std::span<const Receive> receives) = 0;
  class Timed;
  std::unique_ptr<Pending> counted(std::span<const Send> sends, std::unique_ptr<Pending> pending);
  std::unique_ptr<DeviceMessages> device_;
  std::int64_t uncut_ = 0;
  std::atomic<std::int64_t> bytes_sent_ = 0;
  std::atomic<double> seconds_waiting_ = 0;
};

/// For Comm::set_uncut, if ranks work on GPUs: a GPU computes an iteration on this many voxels in
/// less time than it takes to send their rims [voxels].
inline constexpr std::int64_t small_on_gpus = std::int64_t{1} << 22U;

/// The place of a rank among those that share something, such as a machine or a GPU.
struct Sharing {
  int rank = 0, ranks = 1;
};
/// The ranks on the machine of this one. Collective.
Sharing on_this_machine(Comm& comm);
/// The ranks that share the memory of this one: of its machine, or of its thread's GPU. Collective.
Sharing on_this_memory(Comm& comm, Backend backend);
/// Memory that every rank can have, the same number on all; 0 if unknown [bytes].
/// Collective.
std::int64_t available_to_each(Comm& comm, Backend backend);

/// One rank alone, without messages to others.
class SoloComm final : public Comm {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string backend() const override { return "solo"; }

 private:
  std::unique_ptr<Pending> start_messages(std::span<const Send> sends,
                                          std::span<const Receive> receives) override;
};

template <class T>
std::vector<T> Comm::all_gather(const T& mine) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> all(static_cast<std::size_t>(size()));
  all_gather(&mine, sizeof(T), all.data());
  return all;
}

template <class T>
std::vector<T> Comm::all_gather_lists(std::span<const T> mine) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::vector<std::int64_t> counts = all_gather(static_cast<std::int64_t>(mine.size()));
  std::size_t total = 0;
  for (const std::int64_t count : counts) total += static_cast<std::size_t>(count);
  std::vector<T> all(total);
  std::vector<Send> sends;
  std::vector<Receive> receives;
  T* at = all.data();
  for (int r = 0; r < size(); ++r) {
    const auto count = static_cast<std::size_t>(counts[static_cast<std::size_t>(r)]);
    sends.push_back({r, mine.data(), mine.size_bytes()});
    receives.push_back({r, at, count * sizeof(T)});
    at += count;
  }
  exchange(sends, receives);
  return all;
}

}  // namespace ffdp::dist
