// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp::spline {

/// Smoothing by the cubic B-spline that approximates a field on a regular mesh of control points
/// (Lee, Wolberg, Shin 1997, doi:10.1109/2945.620490). Weights are not negative and sum to 1: a
/// constant stays constant, and no value leaves the range of the input.
struct Params {
  /// Distance of the knots along z, y, x [voxels], at least 1; 0 does not smooth along an axis. The
  /// first knot lies on the first voxel of the domain.
  Vec3 knots{4, 4, 4};
  friend bool operator==(const Params&, const Params&) = default;
};

/// Halo the input needs around the compute box along one axis [voxels]. A control point that a
/// voxel uses is less than two knots away, and so are the voxels that the control point is made
/// from.
inline int reach(double knots) { return std::max(0, static_cast<int>(std::ceil(4 * knots)) - 1); }
inline Int3 halo(const Params& p) {
  return {reach(p.knots[0]), reach(p.knots[1]), reach(p.knots[2])};
}

/// Smooths the three components of a vector field.
/// @param domain   whole image; control points at its edge are made from voxels inside
/// @param compute  voxels this call writes
/// @param in       [3,z,y,x] stored over at least grow(compute, halo) within the domain
/// @param out      [3,z,y,x] stored over at least compute; must not overlap `in`
void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> in,
             VectorView<float> out);

}  // namespace ffdp::spline
