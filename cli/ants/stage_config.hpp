// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/registration_line.hpp"

#include "ffdp/core/grid.hpp"

namespace ffdp::cli::ants {

/// The configuration that one stage of a line asks for; levels without iterations are left out.
/// @param fixed  grid of its fixed image
registration::Config stage_config(const RegistrationLine& line, const StageLine& stage,
                                  const Grid& fixed);

/// Whether any level of a stage has iterations.
bool has_iterations(const StageLine& stage);

/// Says what the numbers of the stages mean here where that differs from ANTs (docs/ants.md).
void note_stages(const RegistrationLine& line);

}  // namespace ffdp::cli::ants
