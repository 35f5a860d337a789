// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/parts.hpp"

/// The files of --save-state and --restore-state. A state is a composite, in which a final SyN is
/// stored as four fields: h1, its inverse, h2, its inverse. h1 and h2 map the fixed and the moving
/// image to a common middle. The warp is the inverse of h2 after h1; the inverse warp is the
/// inverse of h1 after h2.
namespace ffdp::cli::ants {

/// The transforms of a state that ANTs or write_state wrote.
Parts read_state(Context& ctx, const std::string& path);

/// Writes a state that ANTs can read. Here the middle is the fixed image: h1 is the identity.
void write_state(Context& ctx, const std::string& path, Parts parts, int dimension);

}  // namespace ffdp::cli::ants
