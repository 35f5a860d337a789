// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/pyramid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ffdp/core/copy.hpp"
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

Image<float> shrink_to(Context& ctx, const ImageRef& image, const Grid& level) {
  Image<float> result{level, Field<float>(ctx.backend, level.domain())};
  resize::shrink(ctx, {}, image.grid.domain(), level.domain(), level.domain(), image.data,
                 result.data);
  return result;
}

namespace {

/// Voxels of a level that a mask covers as a share of the full grid says they should be [voxels].
double expected(Context& ctx, const Image<std::uint8_t>& mask, const Box& level) {
  const Box full = mask.grid.domain();
  return static_cast<double>(intensity::count(ctx, full, mask.data)) *
         static_cast<double>(level.volume()) / static_cast<double>(full.volume());
}

/// Voxels that at least `share` of which a mask covers [voxels]; marks them.
double mark(Context& ctx, const Field<float>& coverage, float share, Field<std::uint8_t>& mask) {
  intensity::store_mask(ctx, mask.stored(), share, coverage, mask);
  return static_cast<double>(intensity::count(ctx, mask.stored(), mask));
}

}  // namespace

double masked_spacing(Context& ctx, const Pair& pair, double wanted) {
  constexpr double least_share = 0.75, least_across = 8, finer = 0.8;
  const auto thick_enough = [&](const ImageRef& image, const Image<std::uint8_t>& mask,
                                double spacing) {
    const Grid level = level_grid(mask.grid, spacing, 8);
    if (level.size == mask.grid.size) return true;
    const Box to = level.domain();
    Field<float> unused(ctx.backend, to), coverage(ctx.backend, to);
    Field<std::uint8_t> kept(ctx.backend, to);
    resize::shrink_masked(ctx, {}, mask.grid.domain(), to, to, image.data, mask.data, unused,
                          coverage);
    const double voxels = mark(ctx, coverage, 0.5F, kept);
    return voxels >= least_share * expected(ctx, mask, level.domain()) &&
           voxels >= std::pow(least_across, level.dimension());
  };
  while (pair.fixed_mask && !thick_enough(pair.fixed, *pair.fixed_mask, wanted)) wanted *= finer;
  while (pair.moving_mask && !thick_enough(pair.moving, *pair.moving_mask, wanted)) wanted *= finer;
  return wanted;
}

MaskedImage shrink_to(Context& ctx, const ImageRef& image, const Image<std::uint8_t>& mask,
                      const Grid& level) {
  if (level.size == image.grid.size)
    return {shrink_to(ctx, image, level), {level, copy_to(ctx, ctx.backend, mask.data)}};
  const Box from = image.grid.domain(), to = level.domain();
  MaskedImage result{{level, Field<float>(ctx.backend, to)},
                     {level, Field<std::uint8_t>(ctx.backend, to)}};
  Field<float> coverage(ctx.backend, to);
  resize::shrink_masked(ctx, {}, from, to, to, image.data, mask.data, result.image.data, coverage);
  const double voxels = expected(ctx, mask, to);
  for (float share = 0.5F; share > 1e-6F; share /= 2) {
    const double kept = mark(ctx, coverage, share, result.mask.data);
    if (kept > 0 && kept >= 0.5 * voxels) break;
  }
  return result;
}

}  // namespace ffdp::registration
