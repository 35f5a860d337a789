// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/warp.hpp"

#include <limits>
#include <utility>

#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::transforms {
namespace {

constexpr float no_limit = std::numeric_limits<float>::infinity();

/// A field over `box` in memory that others use, too.
VectorView<float> view_of(const Buffer<float>& buffer, const Box& box) {
  return {buffer.data(), box, box.volume(), std::int64_t{box.size(1)} * box.size(2), box.size(2)};
}

}  // namespace

DisplacementImage to_world(Context& ctx, const Grid& grid, VectorField<float> displacement) {
  vectors::transform(ctx, grid.domain(), grid.to_world().linear, no_limit, displacement,
                     displacement);
  return {grid, std::move(displacement)};
}

VectorField<float> to_voxels(Context& ctx, DisplacementImage displacement) {
  vectors::transform(ctx, displacement.grid.domain(), displacement.grid.to_index().linear, no_limit,
                     displacement.data, displacement.data);
  return std::move(displacement.data);
}

jacobian::Statistics repair_folds(Context& ctx, VectorField<float>& displacement, double least,
                                  int rounds) {
  const Box domain = displacement.stored();
  const View<const std::uint8_t> everywhere;
  auto statistics = jacobian::statistics(ctx, domain, domain, displacement, everywhere);
  constexpr int reach = 2;  // [voxels]
  const smooth::Params p{
      {domain.size(0) > 1 ? 0.8 : 0, domain.size(1) > 1 ? 0.8 : 0, domain.size(2) > 1 ? 0.8 : 0}};
  constexpr std::size_t side = 2 * reach + 1;
  const Buffer<float> buffer(ctx.backend, 3 * side * side * side);
  for (int round = 0; round < rounds && statistics.min < least; ++round) {
    for (const auto& [z, y, x] : jacobian::voxels_below(ctx, domain, domain, least, displacement)) {
      // A small box about the fold, smoothed from a copy that is one halo wider.
      const Box spot = intersect(grow(Box{{z, y, x}, {z + 1, y + 1, x + 1}}, reach), domain);
      const auto smoothed = view_of(buffer, spot);
      smooth::forward(ctx, p, domain, spot, displacement, smoothed);
      vectors::copy(ctx, spot, smoothed, displacement);
    }
    statistics = jacobian::statistics(ctx, domain, domain, displacement, everywhere);
  }
  return statistics;
}

}  // namespace ffdp::transforms
