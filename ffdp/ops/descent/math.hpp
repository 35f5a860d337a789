// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/box.hpp"
#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/common/quick_math.hpp"
#include "ffdp/ops/descent/descent.hpp"

namespace ffdp::descent {

/// The constants of one iteration, with the bias corrections.
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
  return quotient(first * c.scale1, root(second * c.scale2) + c.epsilon);
}

/// The first iteration ignores the old values of the moments.
enum class Iteration { first, later };

/// Updates the moments m and v of one voxel with its gradient g (`vector` uses v[0] only).
template <SecondMoment kind, class T>
FFDP_HD inline void advance(const Constants<T>& c, Iteration iteration, const T (&g)[3], T (&m)[3],
                            T (&v)[3]) {
  const bool first = iteration == Iteration::first;
  for (int k = 0; k < 3; ++k) m[k] = c.add1 * g[k] + (first ? T(0) : c.keep1 * m[k]);
  if (kind == SecondMoment::vector)
    v[0] = c.add2 * (g[0] * g[0] + g[1] * g[1] + g[2] * g[2]) + (first ? T(0) : c.keep2 * v[0]);
  if (kind == SecondMoment::element)
    for (int k = 0; k < 3; ++k) v[k] = c.add2 * g[k] * g[k] + (first ? T(0) : c.keep2 * v[k]);
}

/// The direction d of one voxel; returns its squared length.
template <SecondMoment kind, class T>
FFDP_HD inline T directions(const Constants<T>& c, const T (&m)[3], const T (&v)[3], T (&d)[3]) {
  const T scale = kind == SecondMoment::vector ? direction(c, T(1), v[0]) : c.scale1;
  for (int k = 0; k < 3; ++k)
    d[k] = kind == SecondMoment::element ? direction(c, m[k], v[k]) : m[k] * scale;
  return d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
}

/// Components of the second moment that are stored.
constexpr int second_components(SecondMoment kind) {
  return kind == SecondMoment::element ? 3 : kind == SecondMoment::vector ? 1 : 0;
}

/// Calls body.operator()<kind>() for the kind of second moment.
template <class Body>
decltype(auto) with_second_moment(SecondMoment kind, Body&& body) {
  switch (kind) {
    case SecondMoment::element:
      return body.template operator()<SecondMoment::element>();
    case SecondMoment::none:
      return body.template operator()<SecondMoment::none>();
    default:
      return body.template operator()<SecondMoment::vector>();
  }
}

/// Factor of the step at position i of one axis.
struct Ramp {
  Box domain;
  int width = 0;
  FFDP_HD float operator()(int axis, int i) const {
    if (width == 0 || domain.size(axis) == 1) return 1;
    const int below = i - domain.lo[axis], above = domain.hi[axis] - 1 - i;
    const int inside = below < above ? below : above;
    return inside < width ? quotient(static_cast<float>(inside), static_cast<float>(width)) : 1;
  }
};

/// The factor `scale` in s = scale * direction * ramp.
FFDP_HD inline float step_scale(float length, float least, float longest) {
  const float divisor = longest > least ? longest : least;
  return divisor > 0 ? quotient(-length, divisor) : 0;
}

}  // namespace ffdp::descent
