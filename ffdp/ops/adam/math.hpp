// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/host_device.hpp"

namespace ffdp::adam {

/// The constants of one iteration; bias corrections folded in.
template <class T>
struct Constants {
  T keep1, add1, keep2, add2;
  T scale1;  ///< 1 / (1 - b1^k)
  T scale2;  ///< 1 / (1 - b2^k)
  T epsilon;
};

template <class T>
FFDP_HD inline T direction(const Constants<T>& c, T first, T second) {
  return first * c.scale1 / (std::sqrt(second * c.scale2) + c.epsilon);
}

}  // namespace ffdp::adam
