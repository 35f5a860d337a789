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

MaskedImage shrink_to(Context& ctx, const ImageRef& image, const Image<std::uint8_t>& mask,
                      const Grid& level) {
  if (level.size == image.grid.size)
    return {shrink_to(ctx, image, level), {level, copy_to(ctx, ctx.backend, mask.data)}};
  const Box from = image.grid.domain(), to = level.domain();
  MaskedImage result{{level, Field<float>(ctx.backend, to)},
                     {level, Field<std::uint8_t>(ctx.backend, to)}};
  Field<float> coverage(ctx.backend, to);
  resize::shrink_masked(ctx, {}, from, to, to, image.data, mask.data, result.image.data, coverage);
  const double voxels = static_cast<double>(intensity::count(ctx, from, mask.data)) *
                        static_cast<double>(to.volume()) / static_cast<double>(from.volume());
  for (float share = 0.5F; share > 1e-6F; share /= 2) {
    intensity::store_mask(ctx, to, share, coverage, result.mask.data);
    const auto kept = static_cast<double>(intensity::count(ctx, to, result.mask.data));
    if (kept > 0 && kept >= 0.5 * voxels) break;
  }
  return result;
}

}  // namespace ffdp::registration
