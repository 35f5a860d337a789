// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace ffdp {

/// The sums of an op over a box, one per plane, in ascending z. Sum is a value type with
/// operator+=. Floating-point addition depends on its order; adding the planes of all shards in the
/// order of z gives the bits of the whole image.
template <class Sum>
struct PlaneSums {
  std::vector<Sum> of_planes;

  Sum total() const {
    Sum sum{};
    for (const Sum& plane : of_planes) sum += plane;
    return sum;
  }
};

}  // namespace ffdp
