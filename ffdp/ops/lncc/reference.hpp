// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

#include "ffdp/ops/lncc/lncc.hpp"

/// Double-precision oracle for tests: each window gathered, centred, correlated.
namespace ffdp::lncc::reference {

struct Entry {
  double weight, fixed, warped;
};

/// Weight of the offset k of one axis.
inline double weight(const Params& p, int k) {
  if (p.window != Window::gaussian) return 1;
  const double s = p.sigma * std::sqrt(2.0);
  return 0.5 * (std::erf((k + 0.5) / s) - std::erf((k - 0.5) / s));
}

inline std::vector<Entry> gather(const Params& p, const Box& domain, const View<const float>& fixed,
                                 const View<const float>& warped, const Int3& at) {
  std::vector<Entry> entries;
  const int r = reach(p);
  for (int k = -r; k <= r; ++k)
    for (int j = -r; j <= r; ++j)
      for (int i = -r; i <= r; ++i) {
        const double w = weight(p, k) * weight(p, j) * weight(p, i);
        const bool in = domain.contains(at[0] + k, at[1] + j, at[2] + i);
        if (!in && p.window == Window::zero_padded_box) entries.push_back({w, 0, 0});
        if (!in) continue;
        const double f = static_cast<double>(fixed(at[0] + k, at[1] + j, at[2] + i));
        const double m = static_cast<double>(warped(at[0] + k, at[1] + j, at[2] + i));
        if (!std::isnan(f) && !std::isnan(m)) entries.push_back({w, f, m});
      }
  return entries;
}

/// Squared correlation coefficient of the window about `at`; 0 without contrast.
inline double cc(const Params& p, const Box& domain, const View<const float>& fixed,
                 const View<const float>& warped, const Int3& at) {
  if (std::isnan(fixed(at[0], at[1], at[2])) || std::isnan(warped(at[0], at[1], at[2]))) return 0;
  const std::vector<Entry> entries = gather(p, domain, fixed, warped, at);
  double n = 0, mean_f = 0, mean_m = 0;
  for (const Entry& e : entries) {
    n += e.weight;
    mean_f += e.weight * e.fixed;
    mean_m += e.weight * e.warped;
  }
  mean_f /= n;
  mean_m /= n;
  double covariance = 0, variance_f = 0, variance_m = 0;
  for (const Entry& e : entries) {
    covariance += e.weight / n * (e.fixed - mean_f) * (e.warped - mean_m);
    variance_f += e.weight / n * (e.fixed - mean_f) * (e.fixed - mean_f);
    variance_m += e.weight / n * (e.warped - mean_m) * (e.warped - mean_m);
  }
  if (variance_f <= static_cast<double>(p.fixed_floor) ||
      variance_m <= static_cast<double>(p.moving_floor))
    return 0;
  return covariance * covariance / (variance_f * variance_m);
}

inline double sum(const Params& p, const Box& domain, const Box& compute,
                  const View<const float>& fixed, const View<const float>& warped) {
  double total = 0;
  for (int z = compute.lo[0]; z < compute.hi[0]; ++z)
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
        total += cc(p, domain, fixed, warped, {z, y, x});
  return total;
}

}  // namespace ffdp::lncc::reference
