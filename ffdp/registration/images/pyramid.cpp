// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/pyramid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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

Image<std::uint8_t> shrink_to(Context& ctx, const Image<std::uint8_t>& mask, const Grid& level) {
  Image<float> soft{mask.grid, Field<float>(ctx.backend, mask.grid.domain())};
  intensity::load_mask(ctx, mask.grid.domain(), mask.data, soft.data);
  const Image<float> small = shrink_to(ctx, soft, level);
  Image<std::uint8_t> result{level, Field<std::uint8_t>(ctx.backend, level.domain())};
  intensity::store_mask(ctx, level.domain(), 0.5F, small.data, result.data);
  return result;
}

}  // namespace ffdp::registration
