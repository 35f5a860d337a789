// SPDX-License-Identifier: Apache-2.0
#if defined(FFDP_HAS_CUDA)
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "ffdp/dist/device_messages.hpp"
#include "ffdp/dist/event.hpp"

namespace ffdp::dist {
namespace {

/// The message from the sender to the receiver, which makes the copy.
struct Offer {
  const void* data;
  cudaEvent_t ready;
};
/// The answer of the receiver; the sender deletes it.
using Answer = std::shared_ptr<Event>*;

/// Lets device `mine` read memory of `other`; called once per process. If it cannot, the driver
/// copies through the host.
void enable_access(int mine, int other) {
  static std::mutex mutex;
  static std::set<std::pair<int, int>> enabled;
  const std::lock_guard lock(mutex);
  if (!enabled.insert({mine, other}).second) return;
  int possible = 0;
  check(cudaDeviceCanAccessPeer(&possible, mine, other));
  if (possible != 0) check(cudaDeviceEnablePeerAccess(other, 0));
}

/// The receiver copies what the sender offers. Its copying stream waits for an event of the
/// sender's stream, and it answers with an event for which the sender's stream waits. The hosts
/// exchange only these two short messages.
class PeerMessages final : public DeviceMessages {
 public:
  explicit PeerMessages(Comm& comm) : comm_(comm), copying_(Backend::cuda) {
    const int mine = selected_device();
    for (const int other : comm.all_gather(mine))
      if (other != mine) enable_access(mine, other);
  }
  std::string name() const override { return "peer"; }

  std::unique_ptr<Comm::Pending> start(const Context& ctx, std::span<const Send> sends,
                                       std::span<const Receive> receives) override {
    return std::make_unique<Copies>(*this, ctx, sends, receives);
  }

 private:
  class Copies final : public Comm::Pending {
   public:
    Copies(PeerMessages& owner, const Context& ctx, std::span<const Send> sends,
           std::span<const Receive> receives)
        : owner_(owner),
          stream_(stream_of(ctx)),
          receives_(receives.begin(), receives.end()),
          offered_(receives.size()),
          taken_(sends.size()) {
      check(cudaEventRecord(ready_.get(), stream_));
      given_.reserve(sends.size());
      std::vector<Send> offers;
      for (const Send& send : sends) {
        given_.push_back({send.data, ready_.get()});
        offers.push_back({send.to, &given_.back(), sizeof(Offer)});
        answers_.push_back({send.to, &taken_[answers_.size()], sizeof(Answer)});
      }
      std::vector<Receive> wanted;
      for (const Receive& receive : receives)
        wanted.push_back({receive.from, &offered_[wanted.size()], sizeof(Offer)});
      offers_ = start_on_host(owner.comm_, offers, wanted);
    }

    void wait() override {
      offers_->wait();
      // The destination may be written only after the work that is on the receiver's stream now.
      const auto copying = static_cast<cudaStream_t>(owner_.copying_.get());
      check(cudaStreamWaitEvent(copying, ready_.get()));
      for (std::size_t i = 0; i < receives_.size(); ++i) {
        check(cudaStreamWaitEvent(copying, offered_[i].ready));
        check(cudaMemcpyAsync(receives_[i].data, offered_[i].data, receives_[i].bytes,
                              cudaMemcpyDefault, copying));
      }
      const auto done = std::make_shared<Event>();
      check(cudaEventRecord(done->get(), copying));
      check(cudaStreamWaitEvent(stream_, done->get()));
      std::vector<Answer> given;
      std::vector<Send> sends;
      given.reserve(receives_.size());
      for (const Receive& receive : receives_) {
        given.push_back(new std::shared_ptr<Event>(done));
        sends.push_back({receive.from, &given.back(), sizeof(Answer)});
      }
      start_on_host(owner_.comm_, sends, answers_)->wait();
      for (const Answer taken : taken_) {
        check(cudaStreamWaitEvent(stream_, (*taken)->get()));
        delete taken;
      }
    }

   private:
    PeerMessages& owner_;
    cudaStream_t stream_;
    std::vector<Receive> receives_, answers_;
    std::vector<Offer> given_, offered_;
    std::vector<Answer> taken_;
    Event ready_;
    std::unique_ptr<Comm::Pending> offers_;
  };

  Comm& comm_;
  Stream copying_;
};

}  // namespace

std::unique_ptr<DeviceMessages> peer_messages(Comm& comm) {
  return std::make_unique<PeerMessages>(comm);
}

}  // namespace ffdp::dist
#endif
