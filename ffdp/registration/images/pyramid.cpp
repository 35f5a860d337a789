// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/pyramid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ffdp/core/copy.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/resize/resize.hpp"

namespace ffdp::registration {

double finest_spacing(const Grid& grid) {
  const Vec3 spacing = grid.spacing_zyx();
  double finest = std::numeric_limits<double>::max();
  for (int a = 0; a < 3; ++a)
    if (grid.size[a] > 1) finest = std::min(finest, spacing[a]);
  return finest < std::numeric_limits<double>::max() ? finest : spacing[2];
}

Grid level_grid(const Grid& full, double spacing, int least) {
  const Vec3 own = full.spacing_zyx();
  Int3 size;
  for (int a = 0; a < 3; ++a) {
    const double factor = std::max(1.0, spacing / own[a]);
    const int wanted = static_cast<int>(std::ceil(full.size[a] / factor - 1e-6));
    size[a] = std::clamp(wanted, std::min(least, full.size[a]), full.size[a]);
  }
  return with_size(full, size);
}

double linear_spacing(const Grid& full, double resolution, double most_voxels) {
  const double spacing = resolution * finest_spacing(full);
  const Grid level = level_grid(full, spacing, 8);
  const auto voxels = static_cast<double>(level.domain().volume());
  if (most_voxels == 0 || voxels <= most_voxels) return spacing;
  return spacing * std::pow(voxels / most_voxels, 1.0 / level.dimension());
}

namespace {

/// The part of a level that this rank computes, also if all ranks get the whole level. So no rank
/// shrinks a whole image.
struct Share {
  dist::Cut work;
  Box made, needed;  ///< of the level, of the image; empty where other ranks make everything

  Share(dist::Comm& comm, const Box& from, const Box& to)
      : work(dist::Cut::always(to, comm.size())), made(work.own(comm)) {
    if (!made.empty()) needed = resize::shrink_reach({}, {from, to}, made);
  }
};

/// What this rank owns of a level, from the parts that all ranks have computed.
template <class T>
Field<T> distributed(Context& ctx, dist::Comm& comm, const Share& share, Field<T> made) {
  const dist::Cut cut(comm, share.work.domain());
  return cut == share.work ? std::move(made)
                           : dist::fetched(ctx, comm, share.work, made, cut.own(comm));
}

/// An image shrunk to a level with its mask, and the share of each voxel that the mask covers, over
/// what this rank owns of the level.
struct Masked {
  Field<float> image, coverage;
  Masked(Context& ctx, dist::Comm& comm, const ImageRef& full, const Image<std::uint8_t>& mask,
         const Box& level) {
    const Box from = full.grid.domain();
    const Share share(comm, from, level);
    Field<float> made(ctx.backend, share.made), covered(ctx.backend, share.made);
    const dist::Window source(ctx, comm, full, share.needed);
    const dist::MaskWindow counts(ctx, comm, &mask, share.needed);
    if (!share.made.empty())
      resize::shrink_masked(ctx, {}, {from, level}, share.made, source.view(), counts.view(), made,
                            covered);
    image = distributed(ctx, comm, share, std::move(made));
    coverage = distributed(ctx, comm, share, std::move(covered));
  }
};

/// Voxels of a mask [voxels].
double count(Context& ctx, dist::Comm& comm, const Box& domain, View<const std::uint8_t> mask) {
  const dist::Cut cut(comm, domain);
  return static_cast<double>(
      dist::sum_count(comm, cut, intensity::count(ctx, cut.own(comm), mask)));
}

/// How many voxels of a level a mask should cover, by its share of the full grid [voxels].
double expected(Context& ctx, dist::Comm& comm, const Image<std::uint8_t>& mask, const Box& level) {
  const Box full = mask.grid.domain();
  return count(ctx, comm, full, mask.data) * static_cast<double>(level.volume()) /
         static_cast<double>(full.volume());
}

/// Marks the voxels of which a mask covers at least `share`; returns their number [voxels].
double mark(Context& ctx, dist::Comm& comm, const Box& level, const Field<float>& coverage,
            float share, Field<std::uint8_t>& mask) {
  intensity::store_mask(ctx, mask.stored(), share, coverage, mask);
  return count(ctx, comm, level, mask);
}

}  // namespace

Image<float> shrink_to(Context& ctx, dist::Comm& comm, const ImageRef& image, const Grid& level) {
  const Box from = image.grid.domain(), to = level.domain();
  const Share share(comm, from, to);
  const dist::Window source(ctx, comm, image, share.needed);
  Field<float> made(ctx.backend, share.made);
  if (!share.made.empty()) resize::shrink(ctx, {}, {from, to}, share.made, source.view(), made);
  return {level, distributed(ctx, comm, share, std::move(made))};
}

double masked_spacing(Context& ctx, dist::Comm& comm, const Pair& pair, double wanted) {
  constexpr double least_share = 0.75, least_across = 8, finer = 0.8;
  const auto thick_enough = [&](const ImageRef& image, const Image<std::uint8_t>& mask,
                                double spacing) {
    const Grid level = level_grid(mask.grid, spacing, 8);
    if (level.size == mask.grid.size) return true;
    const Masked small(ctx, comm, image, mask, level.domain());
    Field<std::uint8_t> kept(ctx.backend, small.coverage.stored());
    const double voxels = mark(ctx, comm, level.domain(), small.coverage, 0.5F, kept);
    return voxels >= least_share * expected(ctx, comm, mask, level.domain()) &&
           voxels >= std::pow(least_across, level.dimension());
  };
  while (pair.fixed_mask && !thick_enough(pair.fixed, *pair.fixed_mask, wanted)) wanted *= finer;
  while (pair.moving_mask && !thick_enough(pair.moving, *pair.moving_mask, wanted)) wanted *= finer;
  return wanted;
}

MaskedImage shrink_to(Context& ctx, dist::Comm& comm, const ImageRef& image,
                      const Image<std::uint8_t>& mask, const Grid& level) {
  if (level.size == image.grid.size)
    return {shrink_to(ctx, comm, image, level), {level, copy_to(ctx, ctx.backend, mask.data)}};
  const Box to = level.domain();
  Masked small(ctx, comm, image, mask, to);
  MaskedImage result{{level, std::move(small.image)},
                     {level, Field<std::uint8_t>(ctx.backend, small.coverage.stored())}};
  const double voxels = expected(ctx, comm, mask, to);
  constexpr int most_halvings = 19;  // two millionths of a voxel
  for (int halvings = 1; halvings <= most_halvings; ++halvings) {
    const float share = std::ldexp(1.0F, -halvings);
    const double kept = mark(ctx, comm, to, small.coverage, share, result.mask.data);
    if (kept > 0 && kept >= 0.5 * voxels) break;
  }
  return result;
}

}  // namespace ffdp::registration
