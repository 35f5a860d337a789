// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace ffdp {

/// What an op sums over a box, one sum for each plane of it, in ascending z. Sum is a value type
/// with operator+=. Floating-point addition depends on its order: whoever adds the planes of all
/// shards in the order of z gets the bits of the whole.
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
