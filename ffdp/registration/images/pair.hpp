// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "ffdp/core/image.hpp"

namespace ffdp::registration {

/// What a stage works on: a pair of images and their masks (null: none).
struct Pair {
  ImageRef fixed, moving;
  const Image<std::uint8_t>* fixed_mask = nullptr;
  const Image<std::uint8_t>* moving_mask = nullptr;
  /// Extends the memory of the moving image on this rank from what it owns to `box`, and returns
  /// `moving`, whose address changes. So a box needs no second copy of the rank's own voxels.
  /// Collective. May be empty: then a box is a copy.
  std::function<const ImageRef&(const Box& box)> widen_moving{};
};

}  // namespace ffdp::registration
