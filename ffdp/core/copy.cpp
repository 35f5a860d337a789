// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/copy.hpp"

#include <cstring>

#if defined(FFDP_HAS_CUDA)
#include "ffdp/core/cuda_check.hpp"
#endif

namespace ffdp {

void copy_bytes([[maybe_unused]] const Context& ctx, Backend to_backend, void* to,
                Backend from_backend, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  if (to_backend == Backend::cpu && from_backend == Backend::cpu) {
    std::memcpy(to, from, bytes);
    return;
  }
#if defined(FFDP_HAS_CUDA)
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(ctx)));
  check(cudaStreamSynchronize(stream_of(ctx)));
#else
  throw NotBuilt("copy: this build has no CUDA backend");
#endif
}

void copy_within(const Context& ctx, void* to, const void* from, std::size_t bytes) {
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(ctx)));
    return;
  }
#endif
  if (ctx.backend == Backend::cpu) std::memcpy(to, from, bytes);
}

void zero_bytes(const Context& ctx, void* to, std::size_t bytes) {
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda) {
    check(cudaMemsetAsync(to, 0, bytes, stream_of(ctx)));
    return;
  }
#endif
  if (ctx.backend == Backend::cpu) std::memset(to, 0, bytes);
}

void synchronize([[maybe_unused]] const Context& ctx) {
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda) check(cudaStreamSynchronize(stream_of(ctx)));
#endif
}

int cuda_devices() {
  int count = 0;
#if defined(FFDP_HAS_CUDA)
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();  // clears it
    return 0;
  }
#endif
  return count;
}

}  // namespace ffdp
