// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/ops/common/reference.hpp"

/// Double-precision oracles for tests, in the frame of the common extent.
namespace ffdp::resize::reference {

/// Centre of voxel i of a box `to` as an index of the box `from` of the same extent.
inline double position(const Box& from, const Box& to, int axis, int i) {
  const double share = (i - to.lo[axis] + 0.5) / to.size(axis);  // of the extent
  return from.lo[axis] + share * from.size(axis) - 0.5;
}

/// Weight of voxel j of `from` for voxel i of `to`: a Gaussian where the axis shrinks, else a hat.
inline double weight(double anti_alias, const Box& from, const Box& to, int axis, int i, int j) {
  const double factor = static_cast<double>(from.size(axis)) / to.size(axis);
  const double d = j - position(from, to, axis, i);
  const double sigma = factor > 1 ? anti_alias * factor : 0;
  if (sigma == 0) return std::max(0.0, 1 - std::abs(d));
  return std::exp(-0.5 * d * d / (sigma * sigma));
}

/// Mean and share of the weights of what counts for a voxel of the smaller image.
struct Shrunk {
  double value, coverage;
};

/// Over all voxels of the larger image where the mask is not 0 (null: all).
inline Shrunk shrunk(double anti_alias, const Box& from, const Box& to, const View<const float>& in,
                     const View<const std::uint8_t>& mask, const Int3& at) {
  double sum = 0, weights = 0, counted = 0;
  for (int k = from.lo[0]; k < from.hi[0]; ++k)
    for (int j = from.lo[1]; j < from.hi[1]; ++j)
      for (int i = from.lo[2]; i < from.hi[2]; ++i) {
        const double w = weight(anti_alias, from, to, 0, at[0], k) *
                         weight(anti_alias, from, to, 1, at[1], j) *
                         weight(anti_alias, from, to, 2, at[2], i);
        weights += w;
        if (mask && mask(k, j, i) == 0) continue;
        counted += w;
        sum += w * static_cast<double>(in(k, j, i));
      }
  return {counted > 0 ? sum / counted : 0, counted / weights};
}

/// u at a voxel of `to` [voxels of to]: interpolated, and measured in the new voxels.
inline Vec3 displacement(const Box& from, const Box& to, const VectorView<const float>& in,
                         const Int3& at) {
  Vec3 q, u;
  for (int a = 0; a < 3; ++a) q[a] = position(from, to, a, at[a]);
  for (int c = 0; c < 3; ++c)
    u[c] = ffdp::reference::interpolate(from, in[c], q) / from.size(c) * to.size(c);
  return u;
}

}  // namespace ffdp::resize::reference
