// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/comm.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include <unistd.h>

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/timeline.hpp"
#include "ffdp/dist/device_messages.hpp"

namespace ffdp::dist {

/// Adds up the time spent waiting.
class Comm::Timed final : public Comm::Pending {
 public:
  Timed(Comm& comm, std::unique_ptr<Pending> pending) : comm_(comm), pending_(std::move(pending)) {}
  void wait() override {
    const auto begin = std::chrono::steady_clock::now();
    pending_->wait();
    comm_.seconds_waiting_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  Comm& comm_;
  std::unique_ptr<Pending> pending_;
};

Comm::Comm() = default;
Comm::~Comm() = default;

std::unique_ptr<Comm::Pending> Comm::counted(std::span<const Send> sends,
                                             std::unique_ptr<Pending> pending) {
  for (const Send& send : sends)
    if (send.to != rank()) bytes_sent_ += static_cast<std::int64_t>(send.bytes);
  return std::make_unique<Timed>(*this, std::move(pending));
}

std::unique_ptr<Comm::Pending> Comm::start(std::span<const Send> sends,
                                           std::span<const Receive> receives) {
  if (device_) device_->require_alive();
  return counted(sends, start_messages(sends, receives));
}

namespace {

class Done final : public Comm::Pending {
 public:
  void wait() override {}
};

/// Records in the Timeline of the thread when messages are under way, and when they are waited for.
class Shown final : public Comm::Pending {
 public:
  Shown(const Context& ctx, std::unique_ptr<Comm::Pending> pending)
      : ctx_(ctx), pending_(std::move(pending)) {
    under_way_.emplace(ctx, Span::under_way);
  }
  void wait() override {
    const Span waiting(ctx_, "wait");
    pending_->wait();
    under_way_.reset();
  }

 private:
  const Context& ctx_;
  std::unique_ptr<Comm::Pending> pending_;
  std::optional<Span> under_way_;
};

}  // namespace

std::unique_ptr<Comm::Pending> Comm::start(const Context& ctx, std::span<const Send> sends,
                                           std::span<const Receive> receives) {
  if (sends.empty() && receives.empty()) return std::make_unique<Done>();
  const bool cpu = ctx.backend == Backend::cpu;
  require(cpu || device_ != nullptr, "comm: messages in memory of a GPU need use_device()");
  return std::make_unique<Shown>(
      ctx, cpu ? start(sends, receives) : counted(sends, device_->start(ctx, sends, receives)));
}

void Comm::use_device(Transport wanted) { device_ = make_device_messages(*this, wanted); }

std::string Comm::transport() const { return device_ ? device_->name() : ""; }

/// Bruck's algorithm: after k steps a rank holds the parts of the 2^k ranks from itself on.
void Comm::all_gather(const void* mine, std::size_t bytes, void* all) {
  const int n = size();
  std::vector<std::byte> held(bytes * static_cast<std::size_t>(n));
  if (bytes > 0) std::memcpy(held.data(), mine, bytes);
  for (int have = 1; have < n; have *= 2) {
    const std::size_t count = static_cast<std::size_t>(std::min(have, n - have)) * bytes;
    const Send send{(rank() - have + n) % n, held.data(), count};
    const Receive receive{(rank() + have) % n, held.data() + static_cast<std::size_t>(have) * bytes,
                          count};
    exchange({&send, 1}, {&receive, 1});
  }
  for (int k = 0; k < n && bytes > 0; ++k)
    std::memcpy(static_cast<std::byte*>(all) + static_cast<std::size_t>((rank() + k) % n) * bytes,
                held.data() + static_cast<std::size_t>(k) * bytes, bytes);
}

namespace {

/// Combines the values of all ranks by `combine`, in the order of the ranks.
template <class T, class Combine>
void reduce(Comm& comm, std::span<T> values, Combine&& combine) {
  if (comm.size() == 1) return;
  std::vector<T> all(values.size() * static_cast<std::size_t>(comm.size()));
  comm.all_gather(values.data(), values.size_bytes(), all.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    T result = all[i];
    for (std::size_t at = i + values.size(); at < all.size(); at += values.size())
      result = combine(result, all[at]);
    values[i] = result;
  }
}

}  // namespace

void Comm::all_sum(std::span<std::int64_t> values) {
  reduce(*this, values, [](std::int64_t a, std::int64_t b) { return a + b; });
}

void Comm::all_sum_exact(std::span<double> values) {
  reduce(*this, values, [](double a, double b) { return a + b; });
}

void Comm::all_max(std::span<double> values) {
  reduce(*this, values, [](double a, double b) { return a < b ? b : a; });
}

void Comm::all_max(std::span<float> values) {
  reduce(*this, values, [](float a, float b) { return a < b ? b : a; });
}

void Comm::broadcast(void* data, std::size_t bytes, int root) {
  std::vector<Send> sends;
  std::vector<Receive> receives;
  if (rank() == root)
    for (int r = 0; r < size(); ++r) {
      if (r != root) sends.push_back({r, data, bytes});
    }
  else
    receives.push_back({root, data, bytes});
  exchange(sends, receives);
}

void Comm::barrier() { all_gather(char{0}); }

std::unique_ptr<Comm::Pending> SoloComm::start_messages(std::span<const Send> sends,
                                                        std::span<const Receive> receives) {
  require(sends.size() == receives.size(), "comm: " + std::to_string(sends.size()) +
                                               " messages are sent to the only rank, " +
                                               std::to_string(receives.size()) + " received");
  for (std::size_t i = 0; i < sends.size(); ++i) {
    require(sends[i].bytes == receives[i].bytes,
            "comm: a message of " + std::to_string(sends[i].bytes) + " bytes, " +
                std::to_string(receives[i].bytes) + " are wanted");
    if (sends[i].bytes > 0) std::memcpy(receives[i].data, sends[i].data, sends[i].bytes);
  }
  return std::make_unique<Done>();
}

namespace {

using Name = std::array<char, 256>;

Name machine() {
  Name name{};
  gethostname(name.data(), name.size() - 1);
  return name;
}

Sharing sharing(Comm& comm, const Name& name) {
  const std::vector<Name> all = comm.all_gather(name);
  return {static_cast<int>(std::count(all.begin(), all.begin() + comm.rank(), name)),
          static_cast<int>(std::ranges::count(all, name))};
}

}  // namespace

Sharing on_this_machine(Comm& comm) { return sharing(comm, machine()); }

Sharing on_this_memory(Comm& comm, Backend backend) {
  Name name = machine();
  if (backend == Backend::cuda) {
    const std::string device = device_info().bus;
    std::copy_n(device.begin(), std::min(device.size(), name.size() / 2),
                name.begin() + static_cast<std::ptrdiff_t>(name.size() / 2));
  }
  return sharing(comm, name);
}

std::int64_t available_to_each(Comm& comm, Backend backend) {
  return std::ranges::min(
      comm.all_gather(available_bytes(backend) / on_this_memory(comm, backend).ranks));
}

}  // namespace ffdp::dist
