// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/error.hpp"
#include "ffdp/dist/device_messages.hpp"

#if defined(FFDP_HAS_NCCL)
#include <vector>

#include <nccl.h>

#include "ffdp/dist/event.hpp"

namespace ffdp::dist {
namespace {

void check_nccl(ncclResult_t result, ncclComm_t comm = nullptr) {
  if (result == ncclSuccess) return;
  throw CommError(std::string("nccl: ") + ncclGetErrorString(result) + ": " +
                  ncclGetLastError(comm));
}

/// Messages by NCCL on a stream of their own, between events of the context's stream.
class NcclMessages final : public DeviceMessages {
 public:
  explicit NcclMessages(Comm& comm) : stream_(Backend::cuda) {
    ncclUniqueId id{};
    if (comm.rank() == 0) check_nccl(ncclGetUniqueId(&id));
    comm.broadcast(&id, sizeof(id), 0);
    check_nccl(ncclCommInitRank(&nccl_, comm.size(), id, comm.rank()));
  }
  NcclMessages(const NcclMessages&) = delete;
  NcclMessages& operator=(const NcclMessages&) = delete;
  NcclMessages(NcclMessages&&) = delete;
  NcclMessages& operator=(NcclMessages&&) = delete;
  /// Abort does not wait for a peer that is lost, and takes away nothing that has been waited for.
  ~NcclMessages() override { ncclCommAbort(nccl_); }

  std::string name() const override { return "nccl"; }

  std::unique_ptr<Comm::Pending> start(const Context& ctx, std::span<const Send> sends,
                                       std::span<const Receive> receives) override {
    ncclResult_t state = ncclSuccess;
    check_nccl(ncclCommGetAsyncError(nccl_, &state), nccl_);
    check_nccl(state, nccl_);
    const auto stream = static_cast<cudaStream_t>(stream_.get());
    check(cudaEventRecord(before_.get(), stream_of(ctx)));
    check(cudaStreamWaitEvent(stream, before_.get()));
    check_nccl(ncclGroupStart());
    for (const Send& send : sends)
      check_nccl(ncclSend(send.data, send.bytes, ncclChar, send.to, nccl_, stream), nccl_);
    for (const Receive& receive : receives)
      check_nccl(ncclRecv(receive.data, receive.bytes, ncclChar, receive.from, nccl_, stream),
                 nccl_);
    check_nccl(ncclGroupEnd(), nccl_);
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

  Stream stream_;
  ncclComm_t nccl_ = nullptr;
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
