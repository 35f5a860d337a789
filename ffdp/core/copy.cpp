// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/copy.hpp"

#include <algorithm>
#include <cstring>

#include "ffdp/core/parallel.hpp"
#include "ffdp/core/staging.hpp"

#if defined(FFDP_HAS_CUDA)
#include "ffdp/core/cuda_check.hpp"
#endif

namespace ffdp {

void copy_bytes(const Context& ctx, Backend to_backend, void* to, Backend from_backend,
                const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  if (to_backend == Backend::cpu && from_backend == Backend::cpu)
    return copy_host(ctx, to, from, bytes);
#if defined(FFDP_HAS_CUDA)
  if (to_backend != from_backend && bytes >= least_staged) {
    if (to_backend == Backend::cuda) return stage_up(ctx, to, from, bytes);
    return stage_down(ctx, to, from, bytes);
  }
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

void copy_host(const Context& ctx, void* to, const void* from, std::size_t bytes) {
  constexpr std::size_t piece = std::size_t{1} << 20U;
  const auto pieces = static_cast<std::int64_t>((bytes + piece - 1) / piece);
  const auto copy_piece = [&](std::int64_t i, int) {
    const std::size_t first = static_cast<std::size_t>(i) * piece;
    std::memcpy(static_cast<char*>(to) + first, static_cast<const char*>(from) + first,
                std::min(piece, bytes - first));
  };
  if (pieces < 4) {
    std::memcpy(to, from, bytes);
    return;
  }
  parallel_for(ctx, pieces, copy_piece);
}

void synchronize([[maybe_unused]] const Context& ctx) {
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda) check(cudaStreamSynchronize(stream_of(ctx)));
#endif
}

}  // namespace ffdp
