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

/// What the buffers on the device hold.
struct DeviceMemory {
  std::mutex mutex;
  std::unordered_map<void*, std::size_t> sizes;
  std::size_t held = 0, peak = 0;

  void add(void* pointer, std::size_t bytes) {
    const std::scoped_lock lock(mutex);
    sizes[pointer] = bytes;
    held += bytes;
    peak = std::max(peak, held);
  }
  void remove(void* pointer) {
    const std::scoped_lock lock(mutex);
    const auto found = sizes.find(pointer);
    held -= found->second;
    sizes.erase(found);
  }
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
  // Where there are millions of pages, first touches take longer than unpacking a file into them.
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
    cudaFree(pointer);  // an error here belongs to an earlier call, which reports it itself
    return;
  }
#endif
  std::free(pointer);
}

std::size_t device_bytes() {
  const std::scoped_lock lock(device_memory().mutex);
  return device_memory().held;
}

std::size_t peak_device_bytes() {
  const std::scoped_lock lock(device_memory().mutex);
  return device_memory().peak;
}

void reset_peak_device_bytes() {
  const std::scoped_lock lock(device_memory().mutex);
  device_memory().peak = device_memory().held;
}

}  // namespace ffdp
