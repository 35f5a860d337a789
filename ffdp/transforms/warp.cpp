// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/warp.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::transforms {
namespace {

constexpr float no_limit = std::numeric_limits<float>::infinity();

}  // namespace

DisplacementImage to_world(Context& ctx, const Grid& grid, VectorField<float> displacement) {
  vectors::transform(ctx, displacement.stored(), grid.to_world().linear, no_limit, displacement,
                     displacement);
  return {grid, std::move(displacement)};
}

VectorField<float> to_voxels(Context& ctx, DisplacementImage displacement) {
  vectors::transform(ctx, displacement.data.stored(), displacement.grid.to_index().linear, no_limit,
                     displacement.data, displacement.data);
  return std::move(displacement.data);
}

std::int64_t mark_missing(DisplacementImage& displacement, const Box& counted) {
  const Grid& grid = displacement.grid;
  double diagonal = 0;
  for (int a = 0; a < 3; ++a) diagonal += std::pow(grid.size[a] * grid.spacing_zyx()[a], 2);
  const double longest = 100 * diagonal;  // squared
  const Box& box = displacement.data.stored();
  const VectorView<float> vectors = displacement.data.view();
  std::int64_t missing = 0;
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        double square = 0;
        for (int c = 0; c < 3; ++c) square += std::pow(static_cast<double>(vectors[c](z, y, x)), 2);
        if (square <= longest) continue;
        missing += counted.contains(z, y, x);
        for (int c = 0; c < 3; ++c) vectors[c](z, y, x) = std::numeric_limits<float>::quiet_NaN();
      }
  return missing;
}

/// Smoothing reads the field as it was at the beginning of a round. So a voxel near several folds
/// gets the same value for each of them, and the result depends neither on the order of the folds
/// nor on the ranks that own them.
jacobian::Statistics repair_folds(Context& ctx, dist::Comm& comm, const dist::Cut& cut,
                                  VectorField<float>& displacement, double least, int rounds) {
  const Box domain = cut.domain(), own = cut.own(comm);
  const View<const std::uint8_t> everywhere;
  constexpr int reach = 2;  // [voxels]
  const smooth::Params p{
      {domain.size(0) > 1 ? 0.8 : 0, domain.size(1) > 1 ? 0.8 : 0, domain.size(2) > 1 ? 0.8 : 0}};
  const int halo = smooth::halo(p)[0];
  for (int round = 0;; ++round) {
    const dist::VectorWindow u(ctx, comm, cut, displacement,
                               intersect(grow(own, Int3{std::max(halo, 1), 0, 0}), domain));
    const auto statistics =
        dist::ordered_sum(comm, cut, jacobian::statistics(ctx, domain, own, u.view(), everywhere));
    if (!(statistics.min < least) || round == rounds) return statistics;
    std::vector<Int3> folds = jacobian::voxels_below(ctx, domain, own, least, u.view());
    if (!cut.whole()) folds = comm.all_gather_lists(std::span<const Int3>(folds));
    std::vector<Box> spots;
    for (const auto& [z, y, x] : folds) {
      const Box spot = intersect(grow(Box{{z, y, x}, {z + 1, y + 1, x + 1}}, reach), own);
      if (!spot.empty()) spots.push_back(spot);
    }
    constexpr std::size_t side = 2 * reach + 1, room = 3 * side * side * side;
    const Buffer<float> smoothed(ctx.backend, spots.size() * room);
    for (std::size_t i = 0; i < spots.size(); ++i)
      smooth::forward(ctx, p, domain, spots[i], u.view(),
                      dense_vectors(smoothed.data() + i * room, spots[i]));
    for (std::size_t i = 0; i < spots.size(); ++i)
      vectors::copy(ctx, spots[i], dense_vectors(smoothed.data() + i * room, spots[i]),
                    displacement);
    synchronize(ctx);
  }
}

}  // namespace ffdp::transforms
