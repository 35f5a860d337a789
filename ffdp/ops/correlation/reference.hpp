// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "ffdp/ops/correlation/correlation.hpp"

/// Double-precision oracle for tests: each window gathered with its zeros, centred, correlated.
namespace ffdp::correlation::reference {

template <class Body>
void for_each_weight(const Params& p, const Body& body) {
  const int rz = reach(p, 0), ry = reach(p, 1), rx = reach(p, 2);
  for (int k = -rz; k <= rz; ++k)
    for (int j = -ry; j <= ry; ++j)
      for (int i = -rx; i <= rx; ++i)
        body(k, j, i, p.taps[0][k + rz] * p.taps[1][j + ry] * p.taps[2][i + rx]);
}

/// cc of the window about (z, y, x).
template <class T>
double cc(const Params& p, const Box& domain, const View<const T>& fixed,
          const View<const T>& warped, int z, int y, int x) {
  const auto value = [&](const View<const T>& image, int k, int j, int i) {
    return domain.contains(z + k, y + j, x + i) ? double(image(z + k, y + j, x + i)) : 0.0;
  };
  double n = 0, mean_f = 0, mean_m = 0;
  for_each_weight(p, [&](int k, int j, int i, double w) {
    n += w;
    mean_f += w * value(fixed, k, j, i);
    mean_m += w * value(warped, k, j, i);
  });
  mean_f /= n;
  mean_m /= n;
  double c = 0, vf = 0, vm = 0;
  for_each_weight(p, [&](int k, int j, int i, double w) {
    const double f = value(fixed, k, j, i) - mean_f, m = value(warped, k, j, i) - mean_m;
    c += w / n * f * m;
    vf += w / n * f * f;
    vm += w / n * m * m;
  });
  const double e = p.epsilon;
  const double below = p.floor == Floor::product           ? vf * vm + e
                       : p.floor == Floor::clamped_product ? std::max(vf * vm, e)
                       : p.floor == Floor::clamped_each    ? std::max(vf, e) * std::max(vm, e)
                                                           : (vf + e) * (vm + e);
  return p.power == Power::squared ? (c * c + p.numerator) / below : c / std::sqrt(below);
}

/// Sum over the windows of `compute` of weight cc.
template <class T>
double sum(const Params& p, const Box& domain, const Box& compute, const View<const T>& fixed,
           const View<const T>& warped, const View<const T>& weight) {
  double total = 0;
  for (int z = compute.lo[0]; z < compute.hi[0]; ++z)
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
        total += (weight ? double(weight(z, y, x)) : 1.0) * cc(p, domain, fixed, warped, z, y, x);
  return total;
}

}  // namespace ffdp::correlation::reference
