// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/device.hpp"

#include <unistd.h>

#include "ffdp/core/error.hpp"

#if defined(FFDP_HAS_CUDA)
#include "ffdp/core/cuda_check.hpp"
#include "ffdp/core/staging.hpp"
#endif

namespace ffdp {
namespace {

std::int64_t physical_bytes() {
  const std::int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? pages * size : 0;
}

}  // namespace

#if defined(FFDP_HAS_CUDA)
namespace {

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

void destroy_stream(void* stream) { cudaStreamDestroy(static_cast<cudaStream_t>(stream)); }
void destroy_event(void* event) { cudaEventDestroy(static_cast<cudaEvent_t>(event)); }

}  // namespace

int cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();  // clears it
  return 0;
}

std::string device_problem(int index) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();  // clears it
    return std::string("no CUDA device can be used: ") + cudaGetErrorString(error);
  }
  if (index >= 0 && index < count) return {};
  return "there is no CUDA device " + std::to_string(index) + ", this machine has " +
         std::to_string(count);
}

void select_device(int index) {
  const std::string problem = device_problem(index);
  if (!problem.empty()) throw DeviceError(problem);
  check(cudaSetDevice(index));
  check(cudaFree(nullptr));  // creates the context
  prepare_staging();
}

int selected_device() {
  int index = 0;
  check(cudaGetDevice(&index));
  return index;
}

DeviceInfo device_info() {
  DeviceInfo info;
  info.index = selected_device();
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, info.index));
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver));
  check(cudaRuntimeGetVersion(&runtime));
  info.name = properties.name;
  char bus[32] = {};
  check(cudaDeviceGetPCIBusId(bus, sizeof(bus), info.index));
  info.bus = bus;
  info.driver = version(driver);
  info.runtime = version(runtime);
  info.memory = properties.totalGlobalMem;
  return info;
}

Stream::Stream(Backend backend) : stream_(nullptr, destroy_stream) {
  if (backend != Backend::cuda) return;
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  stream_.reset(stream);
}

Mark::Mark(const Context& ctx)
    : time_(std::chrono::steady_clock::now()), event_(nullptr, destroy_event) {
  if (ctx.backend != Backend::cuda) return;
  cudaEvent_t made = nullptr;
  check(cudaEventCreate(&made));
  event_.reset(made);
  check(cudaEventRecord(made, stream_of(ctx)));
}

double Mark::seconds_since(const Mark& earlier) const {
  if (!event_) return std::chrono::duration<double>(time_ - earlier.time_).count();
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(earlier.event_.get()),
                             static_cast<cudaEvent_t>(event_.get())));
  return 1e-3 * static_cast<double>(milliseconds);
}

Stopwatch::Stopwatch() : begin_event_(nullptr, destroy_event), end_event_(nullptr, destroy_event) {}

void Stopwatch::start(const Context& ctx) {
  begin_ = std::chrono::steady_clock::now();
  if (ctx.backend != Backend::cuda) return;
  for (DeviceHandle* event : {&begin_event_, &end_event_})
    if (*event == nullptr) {
      cudaEvent_t made = nullptr;
      check(cudaEventCreate(&made));
      event->reset(made);
    }
  check(cudaEventRecord(static_cast<cudaEvent_t>(begin_event_.get()), stream_of(ctx)));
}

double Stopwatch::seconds(const Context& ctx) {
  if (ctx.backend != Backend::cuda)
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const auto begin = static_cast<cudaEvent_t>(begin_event_.get());
  const auto end = static_cast<cudaEvent_t>(end_event_.get());
  check(cudaEventRecord(end, stream_of(ctx)));
  check(cudaEventSynchronize(end));
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin, end));
  return 1e-3 * static_cast<double>(milliseconds);
}

std::int64_t available_bytes(Backend backend) {
  if (backend == Backend::cpu) return physical_bytes();
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total));
  return static_cast<std::int64_t>(free + device_bytes());
}

#else

namespace {
void nothing(void*) {}
}  // namespace

Mark::Mark(const Context&) : time_(std::chrono::steady_clock::now()), event_(nullptr, nothing) {}
double Mark::seconds_since(const Mark& earlier) const {
  return std::chrono::duration<double>(time_ - earlier.time_).count();
}

Stopwatch::Stopwatch() : begin_event_(nullptr, nothing), end_event_(nullptr, nothing) {}
void Stopwatch::start(const Context&) { begin_ = std::chrono::steady_clock::now(); }
double Stopwatch::seconds(const Context&) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

int cuda_devices() { return 0; }
std::string device_problem(int) { return "this build has no CUDA backend"; }
void select_device(int index) { throw NotBuilt(device_problem(index)); }
int selected_device() { return 0; }
DeviceInfo device_info() { throw NotBuilt(device_problem(0)); }
std::int64_t available_bytes(Backend) { return physical_bytes(); }

Stream::Stream(Backend backend) : stream_(nullptr, nothing) {
  if (backend == Backend::cuda) throw NotBuilt(device_problem(0));
}

#endif

}  // namespace ffdp
