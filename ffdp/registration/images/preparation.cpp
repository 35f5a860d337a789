// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/preparation.hpp"

#include <vector>

#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/registration/images/distribution.hpp"

namespace ffdp::registration {
namespace {

Distribution distribution(Context& ctx, const Prepared& in) {
  return {ctx, in.name, in.image.data, in.mask};
}

}  // namespace

void require_registrable(Context& ctx, const Prepared& in) {
  const Int3 size = in.image.grid.size;
  require(size[1] > 1 && size[2] > 1, in.name + ": the image has " + size_in_words(size) +
                                          " voxels, at least 2 along x and y are needed");
  const auto all = intensity::statistics(ctx, in.image.grid.domain(), in.image.data, in.mask);
  require(all.count > 0, in.name + ": no voxel inside the mask is a finite number");
  require(all.hi > all.lo, in.name + ": every voxel is " + std::to_string(all.lo) +
                               ", an image with some contrast is needed");
}

void winsorize(Context& ctx, const Prepared& in, double lo, double hi) {
  const Distribution d = distribution(ctx, in);
  const intensity::Range range{static_cast<float>(d.quantile(lo)),
                               static_cast<float>(d.quantile(hi))};
  intensity::clamp(ctx, in.image.grid.domain(), range, in.image.data);
}

void match_histogram(Context& ctx, const Prepared& in, const Prepared& reference) {
  constexpr int points = 12;
  const Distribution own = distribution(ctx, in), other = distribution(ctx, reference);
  const double own_below = own.share_below(own.mean()),
               other_below = other.share_below(other.mean());
  std::vector<float> x{own.all().lo}, y{other.all().lo};
  for (int k = 0; k <= points + 1; ++k) {
    const double q = static_cast<double>(k) / (points + 1);
    const auto from = static_cast<float>(own.quantile(own_below + q * (1 - own_below)));
    if (from <= x.back()) continue;
    x.push_back(from);
    y.push_back(static_cast<float>(other.quantile(other_below + q * (1 - other_below))));
  }
  if (own.all().hi > x.back()) {
    x.push_back(own.all().hi);
    y.push_back(other.all().hi);
  }
  intensity::remap(ctx, in.image.grid.domain(), x, y, in.image.data);
}

void normalize(Context& ctx, const Prepared& in) {
  constexpr float far = 2;  // a hot voxel: further beyond the robust range than this [its width]
  const Box domain = in.image.grid.domain();
  const Distribution d = distribution(ctx, in);
  const intensity::Range robust = d.robust();
  const float width = robust.hi - robust.lo;
  if (d.all().lo < robust.lo - far * width || d.all().hi > robust.hi + far * width) {
    log(Level::warning, in.name + ": intensities from " + std::to_string(d.all().lo) + " to " +
                            std::to_string(d.all().hi) + ", 99.8 % of them within " +
                            std::to_string(robust.lo) + " and " + std::to_string(robust.hi) +
                            ": clamped to these");
    intensity::clamp(ctx, domain, robust, in.image.data);
  }
  intensity::rescale(ctx, domain, robust.lo, 1 / width, in.image.data);
  if (in.mask) intensity::extend(ctx, domain, domain, in.mask, in.image.data);
}

}  // namespace ffdp::registration
