// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "ffdp/registration/config.hpp"

namespace ffdp::cli {

/// A recipe is the JSON of a Config: every setting, by name.
nlohmann::json to_json(const registration::Config& config);

/// Reads settings over `config`: what the recipe leaves out stays. Throws InvalidArgument naming
/// `source` and the setting where one is unknown or has the wrong type.
registration::Config from_json(const registration::Config& config, const nlohmann::json& recipe,
                               const std::string& source);

/// "deformable/0/step=0.4" sets one number, word or list by its path.
registration::Config with_setting(const registration::Config& config, const std::string& setting);

}  // namespace ffdp::cli
