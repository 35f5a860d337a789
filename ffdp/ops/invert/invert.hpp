// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ffdp/core/context.hpp"
#include "ffdp/core/plane_sums.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp::invert {

/// Inverse of a warp: v with (Id + u)(x + v(x)) = x at every voxel centre. Each voxel is solved
/// alone, by fixed-point steps v <- -u(x + v). If these contract too slowly (|grad u| near or above
/// 1), Newton steps on the trilinear interpolant take over.
struct Params {
  double tolerance = 0.01;  ///< largest residual |x + v + u(x + v) - x| accepted [voxels]
  int max_iterations = 50;
  double reach = 0;  ///< bound on |u| along any axis [voxels]; decides the halo
  friend bool operator==(const Params&, const Params&) = default;
};

/// Halo `displacement` needs around the compute box [voxels].
inline int halo(const Params& p) { return 2 * static_cast<int>(std::ceil(p.reach)) + 2; }

/// Residuals of the inverse over the compute box.
struct Residual {
  double max = 0;                ///< [voxels]
  double sum = 0;                ///< [voxels]; divide by the number of voxels for the mean
  std::int64_t unconverged = 0;  ///< voxels above the tolerance
  Residual& operator+=(const Residual& other) {
    max = std::max(max, other.max);
    sum += other.sum;
    unconverged += other.unconverged;
    return *this;
  }
};

/// @param domain        whole image; u keeps its edge value beyond it
/// @param compute       voxels this call writes
/// @param displacement  [3,z,y,x] u, components z, y, x [voxels], stored over at least
///                      grow(compute, halo) within the domain
/// @param inverse       [3,z,y,x] v [voxels], written over compute
PlaneSums<Residual> forward(Context&, const Params&, Box domain, Box compute,
                            VectorView<const float> displacement, VectorView<float> inverse);

}  // namespace ffdp::invert
