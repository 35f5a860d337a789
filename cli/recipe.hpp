// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "ffdp/registration/config.hpp"

namespace ffdp::cli {

/// A recipe is the JSON of a Config: every setting, by name.
nlohmann::json to_json(const registration::Config& config);

/// `config` with the settings of the recipe; settings that the recipe leaves out are kept. Throws
/// InvalidArgument, which names `source` and the setting, if one is unknown or has the wrong type.
registration::Config from_json(const registration::Config& config, const nlohmann::json& recipe,
                               const std::string& source);

/// `config` with one setting given by its path, as "deformable/0/step=0.4": a number, word or list.
registration::Config with_setting(const registration::Config& config, const std::string& setting);

}  // namespace ffdp::cli
