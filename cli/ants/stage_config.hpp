// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/registration_line.hpp"

#include "ffdp/core/grid.hpp"

namespace ffdp::cli::ants {

/// The configuration of one stage of a line. Levels without iterations are left out.
/// @param fixed  grid of the fixed image of the stage
registration::Config stage_config(const RegistrationLine& line, const StageLine& stage,
                                  const Grid& fixed);

/// Whether any level of a stage has iterations.
bool has_iterations(const StageLine& stage);

/// Prints notes about numbers of the stages whose meaning differs from that in ANTs (docs/ants.md).
void note_stages(const RegistrationLine& line);

}  // namespace ffdp::cli::ants
