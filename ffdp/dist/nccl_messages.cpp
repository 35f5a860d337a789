// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/error.hpp"
#include "ffdp/dist/device_messages.hpp"

#if defined(FFDP_HAS_NCCL)
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <nccl.h>

#include "ffdp/core/buffer.hpp"
#include "ffdp/core/copy.hpp"
#include "ffdp/dist/event.hpp"

namespace ffdp::dist {
namespace {

std::string in_words(ncclResult_t result, ncclComm_t comm) {
  return std::string("nccl: ") + ncclGetErrorString(result) + ": " + ncclGetLastError(comm);
}

void check_nccl(ncclResult_t result, ncclComm_t comm = nullptr) {
  if (result != ncclSuccess) throw CommError(in_words(result, comm));
}

/// NCCL's communicator of a rank. If the sender of a message has failed, the receiver's GPU would
/// wait for ever. So a thread regularly checks whether a rank has failed or NCCL has found an
/// error, and then aborts the communicator: the GPU continues with invalid voxels, and the next
/// call throws.
class Watched {
 public:
  explicit Watched(Comm& comm) : failures_(comm.failures()) {
    ncclUniqueId id{};
    if (comm.rank() == 0) check_nccl(ncclGetUniqueId(&id));
    comm.broadcast(&id, sizeof(id), 0);
    comm.barrier();  // nobody waits below for a rank that has failed before
    check_nccl(ncclCommInitRank(&nccl_, comm.size(), id, comm.rank()));
    watcher_ = std::jthread([this, device = selected_device()](const std::stop_token& stop) {
      select_device(device);
      watch(stop);
    });
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  Watched(Watched&&) = delete;
  Watched& operator=(Watched&&) = delete;
  /// An abort does not wait for a lost peer, and does not affect messages that have been waited
  /// for.
  ~Watched() {
    watcher_.request_stop();
    watcher_.join();
    if (nccl_) ncclCommAbort(nccl_);
  }

  /// Calls body(communicator), which must not wait for other ranks.
  template <class Body>
  void use(Body&& body) {
    const std::lock_guard lock(mutex_);
    if (!nccl_) throw CommError(problem_);
    body(nccl_);
  }

 private:
  void watch(const std::stop_token& stop) {
    constexpr auto pause = std::chrono::milliseconds(200);
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, stop, pause, [] { return false; }) && !stop.stop_requested()) {
      const int failed = failures_();
      ncclResult_t state = ncclSuccess;
      const ncclResult_t asked = ncclCommGetAsyncError(nccl_, &state);
      if (failed >= 0)
        problem_ = "comm: rank " + std::to_string(failed) + " failed";
      else if (asked != ncclSuccess || (state != ncclSuccess && state != ncclInProgress))
        problem_ = in_words(asked != ncclSuccess ? asked : state, nccl_);
      else
        continue;
      ncclCommAbort(std::exchange(nccl_, nullptr));
      return;
    }
  }

  std::function<int()> failures_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  ncclComm_t nccl_ = nullptr;  ///< null once it is aborted
  std::string problem_;        ///< why
  std::jthread watcher_;
};

/// Messages by NCCL on a stream of their own, between events of the context's stream.
class NcclMessages final : public DeviceMessages {
 public:
  explicit NcclMessages(Comm& comm) : stream_(Backend::cuda), nccl_(comm) { meet(comm); }

  std::string name() const override { return "nccl"; }
  void require_alive() override {
    nccl_.use([](ncclComm_t) {});
  }

  std::unique_ptr<Comm::Pending> start(const Context& ctx, std::span<const Send> sends,
                                       std::span<const Receive> receives) override {
    const auto stream = static_cast<cudaStream_t>(stream_.get());
    check(cudaEventRecord(before_.get(), stream_of(ctx)));
    check(cudaStreamWaitEvent(stream, before_.get()));
    nccl_.use([&](ncclComm_t nccl) {
      check_nccl(ncclGroupStart());
      for (const Send& send : sends)
        check_nccl(ncclSend(send.data, send.bytes, ncclChar, send.to, nccl, stream), nccl);
      for (const Receive& receive : receives)
        check_nccl(ncclRecv(receive.data, receive.bytes, ncclChar, receive.from, nccl, stream),
                   nccl);
      check_nccl(ncclGroupEnd(), nccl);
    });
    return std::make_unique<Under>(*this, stream_of(ctx));
  }

 private:
  /// Waits on the stream for all messages so far.
  class Under final : public Comm::Pending {
   public:
    Under(NcclMessages& owner, cudaStream_t stream) : owner_(owner), stream_(stream) {}
    void wait() override {
      const cudaEvent_t after = owner_.after_.get();
      check(cudaEventRecord(after, static_cast<cudaStream_t>(owner_.stream_.get())));
      check(cudaStreamWaitEvent(stream_, after));
    }

   private:
    NcclMessages& owner_;
    cudaStream_t stream_;
  };

  /// The first message between two ranks makes their connection, for which the host waits. All
  /// ranks are here now, so that none waits later for one that has failed.
  void meet(Comm& comm) {
    Context ctx;
    ctx.backend = Backend::cuda;
    ctx.stream = stream_.get();
    const auto ranks = static_cast<std::size_t>(comm.size());
    const Buffer<char> from(Backend::cuda, ranks), to(Backend::cuda, ranks);
    std::vector<Send> sends;
    std::vector<Receive> receives;
    for (int rank = 0; rank < comm.size(); ++rank) {
      if (rank == comm.rank()) continue;
      sends.push_back({rank, from.data() + rank, 1});
      receives.push_back({rank, to.data() + rank, 1});
    }
    start(ctx, sends, receives)->wait();
    synchronize(ctx);
  }

  Stream stream_;
  Watched nccl_;
  Event before_, after_;
};

}  // namespace

std::string nccl_problem(const Sharing& on_device) {
  if (on_device.ranks == 1) return "";
  return std::to_string(on_device.ranks) + " ranks share " + device_info().name + " " +
         device_info().bus + ", each needs a GPU of its own";
}

std::unique_ptr<DeviceMessages> nccl_messages(Comm& comm) {
  return std::make_unique<NcclMessages>(comm);
}

}  // namespace ffdp::dist

#else

namespace ffdp::dist {

std::string nccl_problem(const Sharing&) { return "this build has no NCCL (-DFFDP_NCCL=ON)"; }
std::unique_ptr<DeviceMessages> nccl_messages(Comm&) { throw NotBuilt(nccl_problem({})); }

}  // namespace ffdp::dist
#endif
