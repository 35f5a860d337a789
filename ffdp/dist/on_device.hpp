// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/box.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"

/// The arithmetic of dist/ on GPUs; in a build with CUDA.
namespace ffdp::dist::device {

/// to += from over a box.
void add(const Context& ctx, const View<const float>& from, const View<float>& to, const Box& box);
/// to[i] <- the sum (or the maximum) of all[r][i] over the ranks r, in their order.
void sum(const Context& ctx, const std::int64_t* all, int ranks, std::int64_t count,
         std::int64_t* to);
void max(const Context& ctx, const float* all, int ranks, std::int64_t count, float* to);

}  // namespace ffdp::dist::device
