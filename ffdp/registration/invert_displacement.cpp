// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/invert_displacement.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ffdp/core/parallel.hpp"

namespace ffdp::registration {
namespace {

/// out = m * in at every voxel; the order of components is that of the rows and columns of m.
/// Values are cut to +-limit, for sentinels as large as a float can hold.
void transform_vectors(const Context& ctx, const Mat3& m, float limit, const VectorField<float>& in,
                       VectorField<float>& out) {
  const Box& box = in.stored();
  const std::int64_t plane = std::int64_t{box.size(1)} * box.size(2), voxels = box.volume();
  parallel_for(ctx, box.size(0), [&](std::int64_t z, int) {
    for (std::int64_t i = z * plane; i < (z + 1) * plane; ++i) {
      const Vec3 v{in.data()[i], in.data()[voxels + i], in.data()[2 * voxels + i]};
      const Vec3 w = Affine{m, {}}(v);
      for (int c = 0; c < 3; ++c)
        out.data()[c * voxels + i] = std::clamp(static_cast<float>(w[c]), -limit, limit);
    }
  });
}

}  // namespace

InverseDisplacement invert_displacement(Context& ctx, double tolerance_voxels,
                                        const DisplacementImage& displacement) {
  const Grid& grid = displacement.grid;
  const Box domain = grid.domain();
  const auto [nz, ny, nx] = grid.size;
  const float limit = 4.0F * static_cast<float>(std::max({nz, ny, nx}));
  VectorField<float> u(ctx.backend, domain);
  transform_vectors(ctx, grid.to_index().linear, limit, displacement.data, u);
  float most = 0;
  for (float value : u) most = std::max(most, std::abs(value));

  InverseDisplacement result{{grid, VectorField<float>(ctx.backend, domain)}, {}};
  invert::Params params;
  params.tolerance = tolerance_voxels;
  params.reach = most;
  VectorField<float>& v = result.image.data;
  result.residual = invert::forward(ctx, params, domain, domain, u.view(), v.view());
  constexpr float no_limit = std::numeric_limits<float>::max();
  transform_vectors(ctx, grid.to_world().linear, no_limit, v, v);
  return result;
}

}  // namespace ffdp::registration
