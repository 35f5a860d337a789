// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/register_options.hpp"

#include "ffdp/registration/plan.hpp"

namespace ffdp::cli {

/// "standard" or "compact".
const char* memory_name(registration::MemoryMode mode);

/// The plan for registering these files, from their headers alone. Throws OutOfMemory if it does
/// not fit.
/// @param available  [bytes]; 0: anything fits
registration::Plan plan_of(const RegisterOptions& options, const registration::Config& config,
                           Backend backend, std::int64_t available);

}  // namespace ffdp::cli
