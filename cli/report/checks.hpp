// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/report/sources.hpp"

namespace ffdp::cli::report {

enum class Verdict { good, warning, not_checked };

/// One check of a registration, and its result in words.
struct Check {
  std::string name;  ///< headers, files, overlap, masks, jacobian, inverse, cost
  Verdict verdict = Verdict::not_checked;
  std::string text;
};

/// Makes all checks. Reads the masks, some planes at a time.
std::vector<Check> check(const Sources& sources);

}  // namespace ffdp::cli::report
