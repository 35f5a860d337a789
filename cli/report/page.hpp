// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/report/sources.hpp"

#include "ffdp/core/context.hpp"

namespace ffdp::cli::report {

/// One HTML file that needs no other file and no network: pictures of the fixed and the warped
/// image, maps of the warp, costs, times, checks (docs/report.md). Warps must be NIfTI files on the
/// grid of the fixed image. Holds some planes of one file at a time.
std::string make_page(Context& ctx, const Sources& sources);

}  // namespace ffdp::cli::report
