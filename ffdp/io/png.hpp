// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace ffdp::io {

/// A grey picture of 8 bits a pixel as the bytes of a PNG file. Throws InvalidArgument where the
/// number of pixels is not width times height, or a side is below 1.
/// @param pixels  [height, width], rows from the top
std::string png_of(std::span<const std::uint8_t> pixels, int width, int height);

}  // namespace ffdp::io
