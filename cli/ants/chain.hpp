// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/grammar.hpp"
#include "cli/chain_files.hpp"

namespace ffdp::cli::ants {

/// The chain of -t, -r or -q values, FILE, [FILE,useInverse] or Identity: the image meets the last
/// one first. Throws where a warp is to be inverted, naming what to give instead.
Chain read_chain(Context& ctx, const std::string& option, const std::vector<Value>& values);

}  // namespace ffdp::cli::ants
