// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/invert.hpp"

#include <algorithm>
#include <limits>

#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::transforms {

VectorField<float> inverse_warp(Context& ctx, const VectorField<float>& displacement,
                                double tolerance, invert::Residual* residual) {
  const Box domain = displacement.stored();
  const float reach = vectors::largest(ctx, domain, displacement);
  VectorField<float> result(ctx.backend, domain);
  const invert::Params p{.tolerance = tolerance, .reach = reach};
  const auto reached = invert::forward(ctx, p, domain, domain, displacement, result);
  if (residual) *residual = reached;
  return result;
}

InverseDisplacement invert_displacement(Context& ctx, double tolerance_voxels,
                                        const DisplacementImage& displacement) {
  const Grid& grid = displacement.grid;
  const Box domain = grid.domain();
  const auto [nz, ny, nx] = grid.size;
  const float limit = 4.0F * static_cast<float>(std::max({nz, ny, nx}));
  VectorField<float> u(ctx.backend, domain);
  // Cut, for sentinels as large as a float can hold.
  vectors::transform(ctx, domain, grid.to_index().linear, limit, displacement.data, u);

  InverseDisplacement result{{grid, {}}, {}};
  result.image.data = inverse_warp(ctx, u, tolerance_voxels, &result.residual);
  VectorField<float>& v = result.image.data;
  constexpr float no_limit = std::numeric_limits<float>::max();
  vectors::transform(ctx, domain, grid.to_world().linear, no_limit, v, v);
  return result;
}

}  // namespace ffdp::transforms
