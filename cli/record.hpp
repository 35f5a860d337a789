// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Adds the result to the record of a registration: plan, times, costs of all levels, Jacobian and
/// inverse.
void add_result(nlohmann::json& record, const registration::Result& result);

}  // namespace ffdp::cli
