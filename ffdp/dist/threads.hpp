// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "ffdp/dist/comm.hpp"

namespace ffdp::dist {

/// Runs `body` as `ranks` ranks, each on a thread of its own. Messages are copied from the memory
/// of the sender to that of the receiver. If a body throws, the others stop at their next message,
/// and the first error is thrown to the caller.
void run_threads(int ranks, const std::function<void(Comm&)>& body);

}  // namespace ffdp::dist
