// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/grammar.hpp"
#include "cli/chain_files.hpp"

namespace ffdp::cli::ants {

/// The chain of the values of -t, -r or -q: FILE, [FILE,useInverse] or Identity. A point of the
/// reference is mapped by the first one first. Throws if a warp is to be inverted; the message says
/// what to give instead.
Chain read_chain(Context& ctx, const std::string& option, const std::vector<Value>& values);

}  // namespace ffdp::cli::ants
