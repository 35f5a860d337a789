// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/report/sources.hpp"

namespace ffdp::cli::report {

enum class Verdict { good, warning, not_checked };

/// What was looked at, and what was found, in words.
struct Check {
  std::string name;  ///< headers, files, overlap, masks, jacobian, inverse, cost
  Verdict verdict = Verdict::not_checked;
  std::string text;
};

/// Looks at everything that a picture does not show. Masks are read, some planes at a time.
std::vector<Check> check(const Sources& sources);

}  // namespace ffdp::cli::report
