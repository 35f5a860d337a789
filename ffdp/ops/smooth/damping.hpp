// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/box.hpp"
#include "ffdp/core/host_device.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp::smooth {

/// Where the neighbours of a voxel lie in a vector field [elements from it]; 0 across a face of the
/// domain: the field goes on there with its last value.
struct Neighbours {
  std::int64_t before[3], after[3];

  FFDP_HD Neighbours(const VectorView<const float>& v, const Box& domain, int z, int y, int x) {
    const int at[3] = {z, y, x};
    const std::int64_t stride[3] = {v.stride_z, v.stride_y, 1};
    for (int a = 0; a < 3; ++a) {
      before[a] = at[a] > domain.lo[a] ? -stride[a] : 0;
      after[a] = at[a] + 1 < domain.hi[a] ? stride[a] : 0;
    }
  }
};

/// Component c of v + weight grad(div v), by differences of neighbours.
/// @param v  component 0 of the voxel
template <int c>
FFDP_HD inline float damped(const float* v, std::int64_t stride_c, const Neighbours& n,
                            float weight) {
  const float* own = v + c * stride_c;
  float second = own[n.after[c]] - 2 * own[0] + own[n.before[c]];
  for (int k = 0; k < 3; ++k) {
    if (k == c) continue;
    const float* other = v + k * stride_c;
    second += 0.25F * ((other[n.after[c] + n.after[k]] - other[n.after[c] + n.before[k]]) -
                       (other[n.before[c] + n.after[k]] - other[n.before[c] + n.before[k]]));
  }
  return own[0] + weight * second;
}

}  // namespace ffdp::smooth
