// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/buffer.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string>
#include <unordered_map>

#include <sys/mman.h>

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"

#if defined(FFDP_HAS_CUDA)
#include "ffdp/core/cuda_check.hpp"
#endif

namespace ffdp {
namespace {

/// Memory held by buffers on devices.
class DeviceMemory {
 public:
  struct Amount {
    std::size_t held = 0, peak = 0;
  };

  void add(void* pointer, std::size_t bytes) {
    const int device = selected_device();
    const std::scoped_lock lock(mutex_);
    blocks_[pointer] = {device, bytes};
    Amount& amount = amounts_[device];
    amount.held += bytes;
    amount.peak = std::max(amount.peak, amount.held);
  }
  void remove(void* pointer) {
    const std::scoped_lock lock(mutex_);
    const auto found = blocks_.find(pointer);
    amounts_[found->second.device].held -= found->second.bytes;
    blocks_.erase(found);
  }
  /// Of the device of the calling thread.
  Amount amount() {
    const int device = selected_device();
    const std::scoped_lock lock(mutex_);
    return amounts_[device];
  }
  void reset_peak() {
    const int device = selected_device();
    const std::scoped_lock lock(mutex_);
    amounts_[device].peak = amounts_[device].held;
  }

 private:
  struct Block {
    int device;
    std::size_t bytes;
  };
  std::mutex mutex_;
  std::unordered_map<void*, Block> blocks_;
  std::unordered_map<int, Amount> amounts_;
};
DeviceMemory& device_memory() {
  static auto* memory = new DeviceMemory;  // outlives every buffer
  return *memory;
}

#if defined(FFDP_HAS_CUDA)
std::string gibibytes(std::size_t bytes) {
  const std::size_t tenths = bytes / (1U << 30U) * 10 + bytes % (1U << 30U) * 10 / (1U << 30U);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

void* allocate_device(std::size_t bytes) {
  void* pointer = nullptr;
  const cudaError_t error = cudaMalloc(&pointer, bytes);
  if (error != cudaErrorMemoryAllocation) {
    check(error);
    device_memory().add(pointer, bytes);
    return pointer;
  }
  cudaGetLastError();  // clears it
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total));
  throw OutOfMemory("cuda: out of memory: asked " + gibibytes(bytes) + ", " + gibibytes(free) +
                    " free of " + gibibytes(total));
}
#else
void* allocate_device(std::size_t) { throw NotBuilt("buffer: this build has no CUDA backend"); }
#endif

}  // namespace

void* allocate_bytes(Backend backend, std::size_t bytes) {
  if (backend == Backend::cuda) return allocate_device(bytes);
  // With millions of pages, touching them first takes longer than unpacking a file into them.
  constexpr std::size_t large_page = std::size_t{2} << 20, many_pages = std::size_t{1} << 30;
  const std::size_t alignment = bytes >= many_pages ? large_page : 64;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* pointer = rounded >= bytes ? std::aligned_alloc(alignment, rounded) : nullptr;
  if (!pointer)
    throw OutOfMemory("buffer: out of memory: asked " + std::to_string(bytes >> 20) + " MiB");
#if defined(MADV_HUGEPAGE)
  if (alignment == large_page) madvise(pointer, rounded, MADV_HUGEPAGE);  // a hint
#endif
  return pointer;
}

void free_bytes([[maybe_unused]] Backend backend, void* pointer) noexcept {
#if defined(FFDP_HAS_CUDA)
  if (backend == Backend::cuda) {
    device_memory().remove(pointer);
    // cudaFree alone does not wait for a copy between GPUs that another stream has still to begin.
    // An error here belongs to an earlier call, which reports it itself.
    cudaDeviceSynchronize();
    cudaFree(pointer);
    return;
  }
#endif
  std::free(pointer);
}

std::size_t device_bytes() { return device_memory().amount().held; }
std::size_t peak_device_bytes() { return device_memory().amount().peak; }
void reset_peak_device_bytes() { device_memory().reset_peak(); }

}  // namespace ffdp
