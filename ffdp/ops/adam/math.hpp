// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/adam/adam.hpp"

namespace ffdp::adam {

/// The constants of one iteration; bias corrections folded in.
template <class T>
struct Constants {
  T keep1, add1, keep2, add2;
  T scale1;  ///< 1 / (1 - b1^k)
  T scale2;  ///< 1 / (1 - b2^k)
  T epsilon;
};

inline Constants<float> constants(const Params& p) {
  const auto f = [](double value) { return static_cast<float>(value); };
  return {f(p.beta1),
          f(1 - p.beta1),
          f(p.beta2),
          f(1 - p.beta2),
          f(1 / (1 - std::pow(p.beta1, p.iteration))),
          f(1 / (1 - std::pow(p.beta2, p.iteration))),
          f(p.epsilon)};
}

template <class T>
FFDP_HD inline T direction(const Constants<T>& c, T first, T second) {
  return first * c.scale1 / (std::sqrt(second * c.scale2) + c.epsilon);
}

}  // namespace ffdp::adam
