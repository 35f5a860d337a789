// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ffdp/core/context.hpp"

namespace ffdp {

/// Number of CUDA devices that can be used; 0 without any or in a build without CUDA.
int cuda_devices();
/// Why CUDA device `index` cannot be used; empty where it can.
std::string device_problem(int index);
/// Makes `index` the CUDA device of the calling thread; what a context of Backend::cuda does, and
/// the buffers it makes, are on that of the calling thread. The first time it creates the device's
/// context, which takes some tenths of a second. Throws NotBuilt or DeviceError with
/// device_problem.
void select_device(int index);
/// The CUDA device of the calling thread; 0 in a build without CUDA.
int selected_device();

/// The CUDA device of the calling thread.
struct DeviceInfo {
  int index = 0;
  std::string name;
  std::string bus;              ///< "0000:1B:00.0", the same for every process of a machine
  std::string driver, runtime;  ///< CUDA versions, "13.0"
  std::size_t memory = 0;       ///< [bytes]
};
DeviceInfo device_info();

/// Memory that the buffers of this process can have in all: what they hold and what is free on the
/// CUDA device of the calling thread, or the memory of this machine; 0 where nobody knows [bytes].
std::int64_t available_bytes(Backend backend);

/// Memory that buffers on the CUDA device of the calling thread hold now, and the most they held at
/// one time [bytes].
std::size_t device_bytes();
std::size_t peak_device_bytes();
/// Starts to count the peak anew, from what is held now.
void reset_peak_device_bytes();

/// A stream or an event of CUDA, or nothing.
using DeviceHandle = std::unique_ptr<void, void (*)(void*)>;

/// An own CUDA stream for Context::stream; none on Backend::cpu.
class Stream {
 public:
  explicit Stream(Backend backend);
  void* get() const { return stream_.get(); }

 private:
  DeviceHandle stream_;
};

/// A point of what a context does: by an event on its stream, or by the clock.
class Mark {
 public:
  explicit Mark(const Context& ctx);
  /// [s]; the work before both has been waited for, and both are of one context.
  double seconds_since(const Mark& earlier) const;

 private:
  std::chrono::steady_clock::time_point time_;
  DeviceHandle event_;
};

/// Time between two points of what a context does: by events on its stream, or by the clock.
class Stopwatch {
 public:
  Stopwatch();
  void start(const Context& ctx);
  /// Since start [s]; waits for the stream.
  double seconds(const Context& ctx);

 private:
  std::chrono::steady_clock::time_point begin_;
  DeviceHandle begin_event_, end_event_;
};

}  // namespace ffdp
