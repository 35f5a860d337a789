// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "ffdp/core/context.hpp"
#include "ffdp/core/error.hpp"

namespace ffdp {

// cmake/ffdp_add_op.cmake sets FFDP_OP_WITHOUT_CUDA for an op that has no cuda.cu. Internal
// linkage: it differs from op to op.
#if defined(FFDP_HAS_CUDA) && !defined(FFDP_OP_WITHOUT_CUDA)
constexpr bool has_cuda = true;
#else
constexpr bool has_cuda = false;
#endif

/// Calls `cpu(ctx)` or `cuda(ctx)`; the only place where a backend is chosen. Both are generic
/// lambdas, so a build without CUDA never instantiates the second.
template <class Cpu, class Cuda>
decltype(auto) dispatch(Context& ctx, Cpu&& cpu, Cuda&& cuda) {
  if constexpr (has_cuda)
    if (ctx.backend == Backend::cuda) return std::forward<Cuda>(cuda)(ctx);
  if (ctx.backend != Backend::cpu)
    throw NotBuilt("dispatch: this build has no CUDA backend of this op");
  return std::forward<Cpu>(cpu)(ctx);
}

}  // namespace ffdp
