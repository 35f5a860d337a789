// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/level_pair.hpp"

#include <utility>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/vectors/vectors.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {

LevelPair::AtLevel::AtLevel(Context& ctx, dist::Comm& comm, const ImageRef& full,
                            const Image<std::uint8_t>* full_mask, const Grid& grid)
    : image(full) {
  if (full.grid.size == grid.size) {
    if (full_mask) mask = {std::shared_ptr<void>(), full_mask};
    return;
  }
  if (full_mask) {
    MaskedImage small = shrink_to(ctx, comm, full, *full_mask, grid);
    own = std::make_shared<const Image<float>>(std::move(small.image));
    mask = std::make_shared<const Image<std::uint8_t>>(std::move(small.mask));
  } else {
    own = std::make_shared<const Image<float>>(shrink_to(ctx, comm, full, grid));
  }
  image = *own;
}

LevelPair::LevelPair(Context& ctx, dist::Comm& comm, const Pair& pair, const Grid& grid,
                     double spacing, const Affine& affine, const Box& fixed_box)
    : fixed_(ctx, comm, pair.fixed, pair.fixed_mask, grid),
      moving_(ctx, comm, pair.moving, pair.moving_mask, level_grid(pair.moving.grid, spacing, 8)),
      fixed_window_(ctx, comm, fixed_.image, fixed_box),
      fixed_mask_window_(ctx, comm, fixed_.mask.get(), fixed_box) {
  require(pair.fixed.data.storage == Storage::float32 && pair.fixed.data.scale == 1 &&
              pair.fixed.data.offset == 0,
          "deformable: the fixed image must be stored as float32");
  const auto model = [&](const char* name, const AtLevel& level) {
    return intensity_model(ctx, comm, name, level.image,
                           level.mask ? level.mask->data.view() : View<const std::uint8_t>{});
  };
  fixed_model_ = model("fixed", fixed_);
  moving_model_ = model("moving", moving_);
  sampling_.map = moving_.image.grid.to_index() * affine * grid.to_world();
  sampling_.displacement_map = sampling_.map.linear;
  sampling_.moving_domain = moving_.image.grid.domain();
}

void LevelPair::fetch_moving(const Context& ctx, dist::Comm& comm) {
  moving_window_ = dist::Window(ctx, comm, moving_.image, reached_);
  moving_mask_window_ = dist::MaskWindow(ctx, comm, moving_.mask.get(), reached_);
}

void LevelPair::reach(Context& ctx, dist::Comm& comm, const Box& box,
                      VectorView<const float> displacement) {
  constexpr int margin = 4;  // lasts several iterations, which move a voxel by half of one [voxels]
  if (dist::Cut(comm, sampling_.moving_domain).whole()) {
    if (!moving_window_.view()) fetch_moving(ctx, comm);
    return;
  }
  const vectors::Extent extent = vectors::extent(ctx, box, displacement);
  Vec3 least{}, most{};
  for (int c = 0; c < 3; ++c) {
    least[c] = static_cast<double>(extent.lo[c]);
    most[c] = static_cast<double>(extent.hi[c]);
  }
  const Box needed = sampler::reach(sampling_, box, least, most);
  double missing = reached_.contains(needed) && !reached_.empty() ? 0 : 1;
  comm.all_max({&missing, 1});
  if (missing == 0) return;
  reached_ = intersect(grow(needed, margin), sampling_.moving_domain);
  fetch_moving(ctx, comm);
}

std::optional<Mat3> LevelPair::restriction(const std::array<double, 3>& shares) const {
  if (shares == std::array<double, 3>{1, 1, 1}) return std::nullopt;
  const Grid& grid = fixed_.image.grid;
  Mat3 kept{};
  for (std::size_t axis = 0; axis < 3; ++axis) kept[axis][axis] = shares[axis];
  return grid.to_index().linear * kept * grid.to_world().linear;
}

}  // namespace ffdp::registration
