// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace ffdp::io {

/// The bytes of a PNG file of a grey picture with 8 bits per pixel. Throws InvalidArgument if the
/// number of pixels is not width times height, or a side is below 1.
/// @param pixels  [height, width], rows from the top
std::string png_of(std::span<const std::uint8_t> pixels, int width, int height);

}  // namespace ffdp::io
