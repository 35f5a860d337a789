// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/register_options.hpp"

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Reads the headers of all images; throws where one is missing or not what a registration takes,
/// before any work.
void check_headers(const RegisterOptions& options);

/// Reads the images, masks and the start.
registration::Inputs read_inputs(Context& ctx, const RegisterOptions& options);

}  // namespace ffdp::cli
