// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/grid.hpp"

namespace ffdp::cli {

/// The grid of --size and --spacing. Each is one number, or three along x, y, z as in 160x192x224.
/// The centre of the grid is the origin of the world. Throws InvalidArgument, which names option
/// and text.
Grid centred_grid(const std::string& size, const std::string& spacing);

}  // namespace ffdp::cli
