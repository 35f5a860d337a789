// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>

#include "ffdp/dist/comm.hpp"

namespace ffdp::dist {

/// Messages in the memory of GPUs. A rank's GPU is that of the thread that made this object.
class DeviceMessages {
 public:
  DeviceMessages() = default;
  DeviceMessages(const DeviceMessages&) = delete;
  DeviceMessages& operator=(const DeviceMessages&) = delete;
  DeviceMessages(DeviceMessages&&) = delete;
  DeviceMessages& operator=(DeviceMessages&&) = delete;
  virtual ~DeviceMessages() = default;

  virtual std::string name() const = 0;
  /// Throws CommError if messages have been abandoned.
  virtual void require_alive() {}
  /// See Comm::start.
  virtual std::unique_ptr<Comm::Pending> start(const Context& ctx, std::span<const Send> sends,
                                               std::span<const Receive> receives) = 0;

 protected:
  /// Messages in host memory that are not counted as sent.
  static std::unique_ptr<Comm::Pending> start_on_host(Comm& comm, std::span<const Send> sends,
                                                      std::span<const Receive> receives) {
    return comm.start_messages(sends, receives);
  }
};

/// Collective. Throws InvalidArgument on all ranks if `wanted` is not possible, NotBuilt in a build
/// without CUDA.
std::unique_ptr<DeviceMessages> make_device_messages(Comm& comm, Transport wanted);

/// Why a rank cannot use NCCL; empty if it can.
std::string nccl_problem(const Sharing& on_device);
std::unique_ptr<DeviceMessages> nccl_messages(Comm& comm);

// In a build with CUDA:
/// Copies between the GPUs of one process.
std::unique_ptr<DeviceMessages> peer_messages(Comm& comm);
/// Through pinned memory of the host and the messages of `comm`.
std::unique_ptr<DeviceMessages> staged_messages(Comm& comm);

}  // namespace ffdp::dist
