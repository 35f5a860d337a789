// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "ffdp/core/context.hpp"
#include "ffdp/core/grid.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::cli {

/// Throws unless two files of an evaluation have the same grid.
void require_same_space(const Grid& a, const std::string& name_a, const Grid& b,
                        const std::string& name_b);
/// A number; null if it is NaN or infinite, which JSON cannot express.
nlohmann::ordered_json number(double value);

/// Compares two label maps of any type. Collective.
nlohmann::ordered_json labels_report(Context& ctx, dist::Comm& comm, const std::string& fixed_path,
                                     const std::string& warped_path);

}  // namespace ffdp::cli
