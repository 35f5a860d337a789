// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/invert_displacement.hpp"

#include <algorithm>
#include <limits>

#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::registration {

InverseDisplacement invert_displacement(Context& ctx, double tolerance_voxels,
                                        const DisplacementImage& displacement) {
  const Grid& grid = displacement.grid;
  const Box domain = grid.domain();
  const auto [nz, ny, nx] = grid.size;
  const float limit = 4.0F * static_cast<float>(std::max({nz, ny, nx}));
  VectorField<float> u(ctx.backend, domain);
  // Cut, for sentinels as large as a float can hold.
  vectors::transform(ctx, domain, grid.to_index().linear, limit, displacement.data, u);

  InverseDisplacement result{{grid, VectorField<float>(ctx.backend, domain)}, {}};
  invert::Params params;
  params.tolerance = tolerance_voxels;
  params.reach = static_cast<double>(vectors::largest(ctx, domain, u));
  VectorField<float>& v = result.image.data;
  result.residual = invert::forward(ctx, params, domain, domain, u.view(), v.view());
  constexpr float no_limit = std::numeric_limits<float>::max();
  vectors::transform(ctx, domain, grid.to_world().linear, no_limit, v, v);
  return result;
}

}  // namespace ffdp::registration
