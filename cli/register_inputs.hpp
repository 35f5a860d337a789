// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/register_options.hpp"

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Reads the headers of all images before any work. Throws if an image is missing or cannot be
/// registered.
void check_headers(const RegisterOptions& options);

/// Reads what this rank owns of the images and masks, and the initial transform. Collective.
registration::Inputs read_inputs(Context& ctx, dist::Comm& comm, const RegisterOptions& options);

}  // namespace ffdp::cli
