// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/grid.hpp"

namespace ffdp::cli {

/// The grid of a --size and a --spacing, each one number or three along x, y, z as 160x192x224; its
/// centre is the origin of the world. Throws InvalidArgument naming option and text.
Grid centred_grid(const std::string& size, const std::string& spacing);

}  // namespace ffdp::cli
