// SPDX-License-Identifier: Apache-2.0
#if defined(FFDP_HAS_CUDA)
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "ffdp/core/cuda_check.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/dist/device_messages.hpp"

namespace ffdp::dist {
namespace {

using Pinned = std::unique_ptr<void, void (*)(void*)>;

/// Pinned memory, which takes milliseconds to make, kept for the next message.
class Pool {
 public:
  struct Block {
    Pinned memory;
    std::size_t bytes;
  };
  Block take(std::size_t bytes) {
    const auto fits = std::ranges::find_if(free_, [&](const Block& b) { return b.bytes >= bytes; });
    if (fits != free_.end()) {
      Block block = std::move(*fits);
      free_.erase(fits);
      return block;
    }
    void* memory = nullptr;
    check(cudaMallocHost(&memory, std::max<std::size_t>(bytes, 1)));
    return {Pinned(memory, [](void* m) { cudaFreeHost(m); }), bytes};
  }
  /// Keeps the smaller ones first, so that they are taken first.
  void give(Block block) {
    const auto larger =
        std::ranges::find_if(free_, [&](const Block& b) { return b.bytes >= block.bytes; });
    free_.insert(larger, std::move(block));
  }

 private:
  std::vector<Block> free_;
};

class StagedMessages final : public DeviceMessages {
 public:
  explicit StagedMessages(Comm& comm) : comm_(comm) {}
  std::string name() const override { return "staged"; }

  std::unique_ptr<Comm::Pending> start(const Context& ctx, std::span<const Send> sends,
                                       std::span<const Receive> receives) override {
    return std::make_unique<Copies>(*this, ctx, sends, receives);
  }

 private:
  class Copies final : public Comm::Pending {
   public:
    Copies(StagedMessages& owner, const Context& ctx, std::span<const Send> sends,
           std::span<const Receive> receives)
        : owner_(owner), stream_(stream_of(ctx)), receives_(receives.begin(), receives.end()) {
      std::vector<Send> from_host;
      for (const Send& send : sends) {
        const Pool::Block& block = sent_.emplace_back(owner.pool_.take(send.bytes));
        check(cudaMemcpyAsync(block.memory.get(), send.data, send.bytes, cudaMemcpyDeviceToHost,
                              stream_));
        from_host.push_back({send.to, block.memory.get(), send.bytes});
      }
      std::vector<Receive> to_host;
      for (const Receive& receive : receives) {
        const Pool::Block& block = received_.emplace_back(owner.pool_.take(receive.bytes));
        to_host.push_back({receive.from, block.memory.get(), receive.bytes});
      }
      check(cudaStreamSynchronize(stream_));
      pending_ = start_on_host(owner.comm_, from_host, to_host);
    }

    void wait() override {
      pending_->wait();
      for (std::size_t i = 0; i < receives_.size(); ++i)
        check(cudaMemcpyAsync(receives_[i].data, received_[i].memory.get(), receives_[i].bytes,
                              cudaMemcpyHostToDevice, stream_));
      check(cudaStreamSynchronize(stream_));
      for (auto* blocks : {&sent_, &received_})
        for (Pool::Block& block : *blocks) owner_.pool_.give(std::move(block));
    }

   private:
    StagedMessages& owner_;
    cudaStream_t stream_;
    std::vector<Receive> receives_;
    std::vector<Pool::Block> sent_, received_;
    std::unique_ptr<Comm::Pending> pending_;
  };

  Comm& comm_;
  Pool pool_;
};

}  // namespace

std::unique_ptr<DeviceMessages> staged_messages(Comm& comm) {
  return std::make_unique<StagedMessages>(comm);
}

}  // namespace ffdp::dist
#endif
