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

namespace {

/// The part of a level that this rank makes, also of a level that all ranks get whole: nobody
/// shrinks a whole image.
struct Share {
  dist::Cut work;
  Box made, needed;  ///< of the level, of the image; empty where other ranks make everything

  Share(dist::Comm& comm, const Box& from, const Box& to)
      : work(dist::Cut::always(to, comm.size())), made(work.own(comm)) {
    if (!made.empty()) needed = resize::shrink_reach({}, from, to, made);
  }
};

/// What all ranks made, as far as this rank owns it.
template <class T>
Field<T> distributed(Context& ctx, dist::Comm& comm, const Share& share, Field<T> made) {
  const dist::Cut cut(comm, share.work.domain());
  return cut == share.work ? std::move(made)
                           : dist::fetched(ctx, comm, share.work, made, cut.own(comm));
}

}  // namespace

Image<float> shrink_to(Context& ctx, dist::Comm& comm, const ImageRef& image, const Grid& level) {
  const Box from = image.grid.domain(), to = level.domain();
  const Share share(comm, from, to);
  const dist::Window source(ctx, comm, image, share.needed);
  Field<float> made(ctx.backend, share.made);
  if (!share.made.empty()) resize::shrink(ctx, {}, from, to, share.made, source.view(), made);
  return {level, distributed(ctx, comm, share, std::move(made))};
}

MaskedImage shrink_to(Context& ctx, dist::Comm& comm, const ImageRef& image,
                      const Image<std::uint8_t>& mask, const Grid& level) {
  if (level.size == image.grid.size)
    return {shrink_to(ctx, comm, image, level), {level, copy_to(ctx, ctx.backend, mask.data)}};
  const Box from = image.grid.domain(), to = level.domain();
  const Share share(comm, from, to);
  Field<float> made(ctx.backend, share.made), coverage(ctx.backend, share.made);
  {
    const dist::Window source(ctx, comm, image, share.needed);
    const dist::MaskWindow counts(ctx, comm, &mask, share.needed);
    if (!share.made.empty())
      resize::shrink_masked(ctx, {}, from, to, share.made, source.view(), counts.view(), made,
                            coverage);
  }
  MaskedImage result{{level, distributed(ctx, comm, share, std::move(made))}, {level, {}}};
  coverage = distributed(ctx, comm, share, std::move(coverage));
  const dist::Cut from_cut(comm, from), to_cut(comm, to);
  const Box own = to_cut.own(comm);
  result.mask.data = Field<std::uint8_t>(ctx.backend, own);
  const auto count = [&](const dist::Cut& cut, View<const std::uint8_t> voxels) {
    return static_cast<double>(
        dist::sum_count(comm, cut, intensity::count(ctx, cut.own(comm), voxels)));
  };
  const double voxels = count(from_cut, mask.data) * static_cast<double>(to.volume()) /
                        static_cast<double>(from.volume());
  for (float share_inside = 0.5F; share_inside > 1e-6F; share_inside /= 2) {
    intensity::store_mask(ctx, own, share_inside, coverage, result.mask.data);
    const double kept = count(to_cut, result.mask.data);
    if (kept > 0 && kept >= 0.5 * voxels) break;
  }
  return result;
}

}  // namespace ffdp::registration
