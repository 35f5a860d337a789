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
/// Why CUDA device `index` cannot be used; empty if it can.
std::string device_problem(int index);
/// Makes `index` the CUDA device of the calling thread. Ops with Backend::cuda run on the device of
/// the thread that calls them, and buffers are allocated there. The first call for a device creates
/// its CUDA context, which takes some tenths of a second. Throws NotBuilt, or DeviceError with
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

/// Memory that the buffers of this process can have in all [bytes]. On CUDA: what they hold and
/// what is free on the device of the calling thread. On the CPU: the memory of this machine. 0 if
/// unknown.
std::int64_t available_bytes(Backend backend);

/// Memory that buffers on the CUDA device of the calling thread hold now, and the most they held at
/// one time [bytes].
std::size_t device_bytes();
std::size_t peak_device_bytes();
/// Resets the peak to what is held now.
void reset_peak_device_bytes();

/// Owns a CUDA stream or event, or nothing.
using DeviceHandle = std::unique_ptr<void, void (*)(void*)>;

/// Owns a CUDA stream for Context::stream; null on Backend::cpu.
class Stream {
 public:
  explicit Stream(Backend backend);
  void* get() const { return stream_.get(); }

 private:
  DeviceHandle stream_;
};

/// A point in the work of a context: an event on its stream on CUDA, a time of the clock on the
/// CPU.
class Mark {
 public:
  explicit Mark(const Context& ctx);
  /// Time between two marks of one context [s]. The work before both must have been waited for.
  double seconds_since(const Mark& earlier) const;

 private:
  std::chrono::steady_clock::time_point time_;
  DeviceHandle event_;
};

/// Measures the time between two points in the work of a context, as Mark does.
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
