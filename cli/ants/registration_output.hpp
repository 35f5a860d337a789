// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/images.hpp"
#include "cli/ants/parts.hpp"
#include "cli/ants/registration_line.hpp"

namespace ffdp::cli::ants {

/// Writes the files that ANTs would write for this line.
/// @param parts    the transforms found, and the initial ones
void write_registration(Context& ctx, const RegistrationLine& line, Images& images, Parts parts);

}  // namespace ffdp::cli::ants
