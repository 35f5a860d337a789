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

/// Which backends implement a function for one type of voxels.
struct Has {
  bool cpu = true, cuda = true;
};

/// Calls `run<B>()` for the backend B of the context; the only place where a backend is chosen.
/// `run` is a generic lambda that calls On<B>::f. A backend that has no f, or that is not in this
/// build, is never instantiated; dispatch throws NotBuilt if the context asks for it.
/// @param ctx  says which backend
/// @param run  for instance [&]<Backend B>() { On<B>::forward(ctx, in, out); }
template <Has has = Has{}, class Run>
decltype(auto) dispatch(const Context& ctx, Run&& run) {
  if constexpr (has_cuda && has.cuda)
    if (ctx.backend == Backend::cuda)
      return std::forward<Run>(run).template operator()<Backend::cuda>();
  if constexpr (has.cpu)
    if (ctx.backend == Backend::cpu)
      return std::forward<Run>(run).template operator()<Backend::cpu>();
  throw NotBuilt(ctx.backend == Backend::cuda
                     ? "dispatch: this build has no CUDA backend of this op, or of this precision"
                     : "dispatch: the CPU has no backend of this op for this precision");
}

}  // namespace ffdp
