// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"

namespace ffdp::test {

/// The CPU with two threads.
inline Context two_threads() {
  Context ctx;
  ctx.threads = 2;
  return ctx;
}

}  // namespace ffdp::test
