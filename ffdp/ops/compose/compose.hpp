// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp::compose {

/// Composes two warps: out(x) = k s(x) + u(x + k s(x)), that is Id + out = (Id + u) o (Id + k s). u
/// is interpolated trilinearly and keeps its edge value beyond the domain.
struct Params {
  float scale = 1;      ///< k
  double max_step = 1;  ///< bound on |k s| along any axis [voxels]; decides the halo of u
  friend bool operator==(const Params&, const Params&) = default;
};

/// Halo `displacement` needs around the compute box [voxels].
inline int halo(const Params& p) { return static_cast<int>(std::ceil(p.max_step)) + 1; }

/// @param domain        whole image
/// @param compute       voxels this call writes
/// @param step          [3,z,y,x] s, components z, y, x [voxels], stored over at least compute
/// @param displacement  [3,z,y,x] u [voxels], stored over at least grow(compute, halo) within
/// domain
/// @param out           [3,z,y,x] [voxels], written over compute; may be the memory of `step`, but
///                      not of `displacement`
void forward(Context&, const Params&, Box domain, Box compute, VectorView<const float> step,
             VectorView<const float> displacement, VectorView<float> out);

}  // namespace ffdp::compose
