// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/device_messages.hpp"

#include "ffdp/core/error.hpp"

namespace ffdp::dist {

#if defined(FFDP_HAS_CUDA)
namespace {

/// The problem of the first rank that has one; empty if none has. Collective.
std::string of_any_rank(Comm& comm, const std::string& mine) {
  const std::string line = mine.empty() ? "" : mine + "\n";
  const std::vector<char> all = comm.all_gather_lists(std::span<const char>(line));
  const std::string text(all.begin(), all.end());
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::unique_ptr<DeviceMessages> make_device_messages(Comm& comm, Transport wanted) {
  const bool one_process = comm.backend() != "mpi";
  if (wanted == Transport::automatic && one_process) wanted = Transport::peer;
  std::string problem;
  if (wanted == Transport::automatic || wanted == Transport::nccl)
    problem = of_any_rank(comm, nccl_problem(on_this_memory(comm, Backend::cuda)));
  if (wanted == Transport::automatic)
    wanted = problem.empty() ? Transport::nccl : Transport::staged;
  if (wanted == Transport::staged) return staged_messages(comm);
  if (wanted == Transport::peer) {
    require(one_process,
            "comm: copies between GPUs need the ranks of one process (--gpus N), not "
            "those of a launcher");
    return peer_messages(comm);
  }
  require(problem.empty(), "comm: NCCL cannot be used: " + problem);
  return nccl_messages(comm);
}

#else

std::unique_ptr<DeviceMessages> make_device_messages(Comm&, Transport) {
  throw NotBuilt("comm: this build has no CUDA backend");
}

#endif

}  // namespace ffdp::dist
