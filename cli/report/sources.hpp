// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "ffdp/core/affine.hpp"

namespace ffdp::cli::report {

/// The inputs of a page. A file that does not exist has an empty name.
struct Sources {
  std::string title;
  std::string fixed, moving;
  std::string warped;  ///< moving image on the grid of fixed
  std::string warp, inverse_warp;
  std::string fixed_labels, warped_labels;
  std::string fixed_mask, moving_mask;
  std::optional<Affine> start;        ///< for the picture "before": fixed to moving, LPS mm
  std::optional<Affine> affine;       ///< found: fixed to moving, LPS mm
  std::vector<std::string> replaced;  ///< inputs that were replaced by outputs
  nlohmann::json record;              ///< of the registration or of the evaluation
};

/// The name of the page of a registration: PREFIXreport.html.
std::string page_name(const std::string& prefix);

/// The sources of a registration that `ffdp register -o PREFIX` has written. PREFIX.json says where
/// the inputs are. Throws IoError if it or an image does not exist.
Sources sources_of(const std::string& prefix);

}  // namespace ffdp::cli::report
