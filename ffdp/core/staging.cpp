// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/staging.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "ffdp/core/cuda_check.hpp"
#include "ffdp/core/device.hpp"

namespace ffdp {
namespace {

constexpr std::size_t chunk = std::size_t{8} << 20U;
constexpr std::size_t slots = 3;

/// Pinned chunks and the events that say when the device is done with one.
struct Stage {
  std::mutex mutex;
  char* memory = nullptr;
  cudaEvent_t done[slots] = {};

  void make() {
    if (memory != nullptr) return;
    for (auto& event : done) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    check(cudaMallocHost(&memory, slots * chunk));
  }
  char* slot(std::size_t i) const { return memory + i % slots * chunk; }
};

/// Those of the calling thread's device. Never freed: when the process exits, the driver may
/// already be shut down.
Stage& stage() {
  static auto* mutex = new std::mutex;
  static auto* stages = new std::map<int, std::unique_ptr<Stage>>;
  const std::scoped_lock lock(*mutex);
  auto& of_device = (*stages)[selected_device()];
  if (!of_device) of_device = std::make_unique<Stage>();
  return *of_device;
}

}  // namespace

void prepare_staging() {
  Stage& s = stage();
  const std::scoped_lock lock(s.mutex);
  s.make();
}

void stage_up(const Context& ctx, void* to, const void* from, std::size_t bytes) {
  Stage& s = stage();
  const std::scoped_lock lock(s.mutex);
  s.make();
  for (std::size_t i = 0; i * chunk < bytes; ++i) {
    const std::size_t first = i * chunk, n = std::min(chunk, bytes - first);
    if (i >= slots) check(cudaEventSynchronize(s.done[i % slots]));
    copy_host(ctx, s.slot(i), static_cast<const char*>(from) + first, n);
    check(cudaMemcpyAsync(static_cast<char*>(to) + first, s.slot(i), n, cudaMemcpyHostToDevice,
                          stream_of(ctx)));
    check(cudaEventRecord(s.done[i % slots], stream_of(ctx)));
  }
  check(cudaStreamSynchronize(stream_of(ctx)));
}

void stage_down(const Context& ctx, void* to, const void* from, std::size_t bytes) {
  Stage& s = stage();
  const std::scoped_lock lock(s.mutex);
  s.make();
  const auto fetch = [&](std::size_t i) {
    const std::size_t first = i * chunk;
    if (first >= bytes) return;
    check(cudaMemcpyAsync(s.slot(i), static_cast<const char*>(from) + first,
                          std::min(chunk, bytes - first), cudaMemcpyDeviceToHost, stream_of(ctx)));
    check(cudaEventRecord(s.done[i % slots], stream_of(ctx)));
  };
  for (std::size_t i = 0; i < slots; ++i) fetch(i);
  for (std::size_t i = 0; i * chunk < bytes; ++i) {
    const std::size_t first = i * chunk;
    check(cudaEventSynchronize(s.done[i % slots]));
    copy_host(ctx, static_cast<char*>(to) + first, s.slot(i), std::min(chunk, bytes - first));
    fetch(i + slots);
  }
}

}  // namespace ffdp
