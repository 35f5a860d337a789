// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/grammar.hpp"
#include "cli/ants/parts.hpp"

namespace ffdp::cli::ants {

/// The transforms of -r or -q: files, [FILE,useInverse], Identity, or [fixed,moving,feature]. The
/// last one is the shift that aligns the centres of two images (feature 0), their centres of mass
/// (1) or their origins (2).
Parts read_initial(Context& ctx, const std::string& option, const std::vector<Value>& values);

}  // namespace ffdp::cli::ants
