// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/into.hpp"

/// The gradient of a cost with respect to a step, from the slopes that a warped image has between
/// its own voxels. The gradient of the interpolant (ops/sampler) is that of the cost as computed,
/// and so follows what interpolation does to noise; these slopes do not.
namespace ffdp::slopes {

/// Halo `warped` needs around the compute box [voxels].
inline constexpr int halo = 1;

/// Gradient w.r.t. a step s that is composed before the warp, out(x) = warped(x + s(x)):
/// D warped(x) grad_warped(x). Along each axis, D is half the difference of the neighbours at x + 1
/// and x - 1. If one of them is missing (NaN, or beyond the domain), D is the difference between
/// the other one and x. If both are missing, or x itself, D is 0.
/// @param domain       whole image
/// @param compute      voxels this call writes
/// @param warped       [z,y,x] intensity, stored over at least grow(compute, halo) in the domain
/// @param grad_warped  [z,y,x] d(cost)/d(warped) [1/intensity], stored over at least compute
/// @param to           [3,z,y,x] d(cost)/ds [1/voxel], over compute
void backward(Context&, Box domain, Box compute, View<const float> warped,
              View<const float> grad_warped, const ScaledGradient& to);

}  // namespace ffdp::slopes
