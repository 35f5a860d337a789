// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "ffdp/core/context.hpp"
#include "ffdp/core/error.hpp"

namespace ffdp {

#if defined(FFDP_HAS_CUDA)
inline constexpr bool has_cuda = true;
#else
inline constexpr bool has_cuda = false;
#endif

/// Calls `cpu(ctx)` or `cuda(ctx)`; the only place where a backend is chosen. Both are generic
/// lambdas, so a build without CUDA never instantiates the second.
template <class Cpu, class Cuda>
decltype(auto) dispatch(Context& ctx, Cpu&& cpu, Cuda&& cuda) {
  if constexpr (has_cuda)
    if (ctx.backend == Backend::cuda) return std::forward<Cuda>(cuda)(ctx);
  if (ctx.backend != Backend::cpu) throw NotBuilt("dispatch: this build has no CUDA backend");
  return std::forward<Cpu>(cpu)(ctx);
}

}  // namespace ffdp
