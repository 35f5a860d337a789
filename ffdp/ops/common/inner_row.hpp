// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "ffdp/core/box.hpp"

namespace ffdp {

/// The voxels [lo, hi) of the row [x_lo, x_hi) whose two neighbours along x lie in the domain.
/// Those before lo and from hi on lie at a face; a loop over the others needs no look at the
/// domain.
struct InnerRow {
  int lo, hi;
  InnerRow(const Box& domain, int x_lo, int x_hi)
      : lo(std::min(std::max(x_lo, domain.lo[2] + 1), x_hi)),
        hi(std::max(std::min(x_hi, domain.hi[2] - 1), lo)) {}
};

}  // namespace ffdp
