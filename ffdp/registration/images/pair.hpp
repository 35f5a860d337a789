// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/image.hpp"

namespace ffdp::registration {

/// What a stage works on: a pair of images and their masks (empty where none).
struct Pair {
  ImageRef fixed, moving;
  const Image<std::uint8_t>* fixed_mask = nullptr;
  const Image<std::uint8_t>* moving_mask = nullptr;
};

}  // namespace ffdp::registration
