// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "ffdp/ops/mi/mi.hpp"

/// Double-precision oracle for tests: a histogram of probabilities, then the sums of the formula.
namespace ffdp::mi::reference {

/// Cubic B-spline, as the four-fold convolution of a box in truncated powers.
inline double spline(double t) {
  const auto cube = [](double v) { return v > 0 ? v * v * v : 0; };
  if (std::abs(t) >= 2) return 0;  // the powers cancel to rounding only
  return (cube(t + 2) - 4 * cube(t + 1) + 6 * cube(t) - 4 * cube(t - 1) + cube(t - 2)) / 6;
}

/// Position of an intensity among the bins.
inline double position(double lo, double hi, int bins, int margin, double value) {
  const double t = (std::clamp(value, lo, hi) - lo) / (hi - lo);
  return margin + t * (bins - 1 - 2 * margin);
}

/// Which of the two images a sample is of.
enum class Image { fixed, warped };

/// Weight of every bin for a sample at b.
inline std::vector<double> weights(Parzen parzen, Image image, int bins, double b) {
  std::vector<double> w(static_cast<std::size_t>(bins), 0.0);
  for (int k = 0; k < bins; ++k) {
    const double d = k - b;
    if (parzen == Parzen::gaussian)
      w[k] = std::abs(k - std::floor(b + 0.5)) <= 4
                 ? std::exp(-d * d / 2) / std::sqrt(2 * std::acos(-1.0))
                 : 0;
    else if (parzen == Parzen::mattes && image == Image::fixed)
      w[k] = k == static_cast<int>(std::floor(b + 0.5)) ? 1 : 0;
    else
      w[k] = spline(d);
  }
  return w;
}

/// MI or NMI of two images over a box.
inline double value(const Params& p, const Box& box, const View<const float>& fixed,
                    const View<const float>& warped) {
  const int n = p.bins, margin = p.parzen == Parzen::gaussian ? 4 : 2;
  std::vector<double> joint(static_cast<std::size_t>(n) * n, 0.0);
  double total = 0;
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        const double f = static_cast<double>(fixed(z, y, x)),
                     m = static_cast<double>(warped(z, y, x));
        if (std::isnan(f) || std::isnan(m)) continue;
        const auto wf = weights(p.parzen, Image::fixed, n,
                                position(static_cast<double>(p.fixed_lo),
                                         static_cast<double>(p.fixed_hi), n, margin, f));
        const auto wm = weights(p.parzen, Image::warped, n,
                                position(static_cast<double>(p.moving_lo),
                                         static_cast<double>(p.moving_hi), n, margin, m));
        for (int a = 0; a < n; ++a)
          for (int b = 0; wf[a] > 0 && b < n; ++b) {
            joint[a * n + b] += wf[a] * wm[b];
            total += wf[a] * wm[b];
          }
      }
  std::vector<double> of_fixed(static_cast<std::size_t>(n), 0.0), of_moving = of_fixed;
  for (int a = 0; a < n; ++a)
    for (int b = 0; b < n; ++b) {
      joint[a * n + b] /= total;
      of_fixed[a] += joint[a * n + b];
      of_moving[b] += joint[a * n + b];
    }
  double information = 0, entropy = 0;
  for (int a = 0; a < n; ++a)
    for (int b = 0; b < n; ++b) {
      const double q = joint[a * n + b];
      if (q <= 0) continue;
      information += q * std::log(q / (of_fixed[a] * of_moving[b]));
      entropy -= q * std::log(q);
    }
  // (H(F) + H(M)) / H(F, M) = (I + H(F, M)) / H(F, M)
  return p.measure == Measure::normalized ? (information + entropy) / entropy : information;
}

}  // namespace ffdp::mi::reference
