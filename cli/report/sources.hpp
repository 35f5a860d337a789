// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "ffdp/core/affine.hpp"

namespace ffdp::cli::report {

/// What a page is made from. Files that are not there are empty names.
struct Sources {
  std::string title;
  std::string fixed, moving;
  std::string warped;  ///< moving image on the grid of fixed
  std::string warp, inverse_warp;
  std::string fixed_labels, warped_labels;
  std::string fixed_mask, moving_mask;
  std::optional<Affine> start;        ///< for the picture "before": fixed to moving, LPS mm
  std::optional<Affine> affine;       ///< found; likewise
  std::vector<std::string> replaced;  ///< inputs that were replaced by outputs
  nlohmann::json record;              ///< of the registration or of the evaluation
};

/// PREFIXreport.html, the page of a registration.
std::string page_name(const std::string& prefix);

/// The sources of what `ffdp register -o PREFIX` left: PREFIX.json says where the inputs are.
/// Throws IoError where it or an image is not there.
Sources sources_of(const std::string& prefix);

}  // namespace ffdp::cli::report
