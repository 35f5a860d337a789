// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/gaussian_taps.hpp"

namespace ffdp::smooth {

/// Largest damping; beyond 4/9 the shortest waves of compression grow.
inline constexpr double most_damping = 0.4;

/// Separable Gaussian smoothing. Taps are the Gaussian integrated over the voxel, truncated at
/// 3 sigma or beyond, and renormalised at the domain edge: a constant stays constant.
struct Params {
  Vec3 sigma{1, 1, 1};  ///< [voxels], z, y, x; 0 does not smooth along an axis
  /// Of vector fields alone: v + damping grad(div v) is smoothed in place of v. Changes of volume
  /// are damped, shear and rotation are not. Within 0 and most_damping [squared voxels].
  double damping = 0;
  friend bool operator==(const Params&, const Params&) = default;
};

/// Reach of the Gaussian [voxels].
inline Int3 reach(const Params& p) {
  return {gaussian_radius(p.sigma[0]), gaussian_radius(p.sigma[1]), gaussian_radius(p.sigma[2])};
}

/// Halo the input needs around the compute box [voxels].
inline Int3 halo(const Params& p) {
  const Int3 r = reach(p);
  const int more = p.damping > 0 ? 1 : 0;
  return {r[0] + more, r[1] + more, r[2] + more};
}

/// Smooths a scalar image.
/// @param domain   whole image; taps that fall outside it are dropped
/// @param compute  voxels this call writes
/// @param in       [z,y,x] stored over at least grow(compute, halo) within the domain
/// @param out      [z,y,x] stored over at least compute; must not overlap `in`
void forward(Context&, const Params&, Box domain, Box compute, View<const float> in,
             View<float> out);

/// Smooths the three components of a vector field; shapes as above with a leading 3.
void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> in,
             VectorView<float> out);

/// Adjoint of the scalar `forward`: grad_in = A^T grad_out, shapes as above.
void backward(Context&, const Params&, Box domain, Box compute, View<const float> grad_out,
              View<float> grad_in);

}  // namespace ffdp::smooth
