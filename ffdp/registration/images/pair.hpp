// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "ffdp/core/image.hpp"

namespace ffdp::registration {

/// What a stage works on: a pair of images and their masks (empty where none).
struct Pair {
  ImageRef fixed, moving;
  const Image<std::uint8_t>* fixed_mask = nullptr;
  const Image<std::uint8_t>* moving_mask = nullptr;
  /// Stores a box of the moving image on this rank besides what it owns, and returns `moving`,
  /// which lies elsewhere from then on. Collective. May be empty: then a box is a copy.
  std::function<const ImageRef&(const Box& box)> widen_moving{};
};

}  // namespace ffdp::registration
