// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

namespace ffdp::cli {

/// Prints the report of `ffdp evaluate`, without the lines of single labels if `summary` is set.
void print_scores(const nlohmann::ordered_json& report, bool summary);

}  // namespace ffdp::cli
