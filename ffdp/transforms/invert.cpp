// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/invert.hpp"

#include <algorithm>
#include <limits>

#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::transforms {

VectorField<float> inverse_warp(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                                const VectorField<float>& displacement, double tolerance,
                                invert::Residual* residual) {
  const Box domain = cut.domain(), own = cut.own(comm);
  const double reach = dist::largest(comm, cut, vectors::largest(ctx, own, displacement));
  const invert::Params p{.tolerance = tolerance, .reach = reach};
  VectorField<float> result(ctx.backend, own);
  const dist::VectorWindow u(ctx, comm, cut, displacement,
                             intersect(grow(own, invert::halo(p)), domain));
  const auto reached = invert::forward(ctx, p, domain, own, u.view(), result);
  if (residual) *residual = dist::ordered_sum(comm, cut, reached);
  return result;
}

InverseDisplacement invert_displacement(Context& ctx, double tolerance_voxels,
                                        const DisplacementImage& displacement) {
  dist::SoloComm solo;
  const std::shared_ptr<const DisplacementImage> callers(&displacement, [](const auto*) {});
  return invert_displacement(ctx, solo, tolerance_voxels, callers);
}

InverseDisplacement invert_displacement(Context& ctx, dist::Comm& comm, double tolerance_voxels,
                                        std::shared_ptr<const DisplacementImage> displacement) {
  const Grid grid = displacement->grid;
  const dist::Cut cut(comm, grid.domain());
  const Box own = cut.own(comm);
  const auto [nz, ny, nx] = grid.size;
  const float limit = 4.0F * static_cast<float>(std::max({nz, ny, nx}));
  VectorField<float> u(ctx.backend, own);
  // Cut, for sentinels as large as a float can hold.
  vectors::transform(ctx, own, grid.to_index().linear, limit, displacement->data, u);
  displacement.reset();

  InverseDisplacement result{{grid, {}}, {}};
  result.image.data = inverse_warp(ctx, comm, cut, u, tolerance_voxels, &result.residual);
  VectorField<float>& v = result.image.data;
  constexpr float no_limit = std::numeric_limits<float>::max();
  vectors::transform(ctx, own, grid.to_world().linear, no_limit, v, v);
  return result;
}

}  // namespace ffdp::transforms
