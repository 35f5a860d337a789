// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/level_pair.hpp"

#include <utility>

#include "ffdp/core/error.hpp"
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
                     double spacing, const Affine& affine, const Box& fixed_box,
                     const MovingLimit& limit)
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
  sampler::Params params;
  params.map = moving_.image.grid.to_index() * affine * grid.to_world();
  params.displacement_map = params.map.linear;
  params.moving_domain = moving_.image.grid.domain();
  samples_ = std::make_unique<MovingSamples>(params, grid.domain(), moving_.image,
                                             moving_.mask.get(), fixed_mask_window_.view(), limit);
  if (!moving_.own) samples_->widen_with(pair.widen_moving);
}

std::optional<Mat3> LevelPair::restriction(const std::array<double, 3>& shares) const {
  if (shares == std::array<double, 3>{1, 1, 1}) return std::nullopt;
  const Grid& grid = fixed_.image.grid;
  Mat3 kept{};
  for (std::size_t axis = 0; axis < 3; ++axis) kept[axis][axis] = shares[axis];
  return grid.to_index().linear * kept * grid.to_world().linear;
}

}  // namespace ffdp::registration
