// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/mi/mi.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/mi/backends.hpp"
#include "ffdp/ops/mi/math.hpp"

namespace ffdp::mi {
namespace {

void check(const Params& p) {
  const int least = 2 * padding(p.parzen) + 2;
  require(p.bins >= least && p.bins <= 128, "mi: bins is " + std::to_string(p.bins) +
                                                ", must be within " + std::to_string(least) +
                                                " and 128");
  require(p.fixed_hi > p.fixed_lo && p.moving_hi > p.moving_lo,
          "mi: an intensity range is empty: fixed [" + std::to_string(p.fixed_lo) + ", " +
              std::to_string(p.fixed_hi) + "], moving [" + std::to_string(p.moving_lo) + ", " +
              std::to_string(p.moving_hi) + "]");
}

double log_or_zero(double value) { return value > 0 ? std::log(value) : 0; }

}  // namespace

void accumulate(Context& ctx, const Params& p, Box domain, Box compute, View<const float> fixed,
                View<const float> warped, Histogram& histogram) {
  check(p);
  require_boxes("mi", domain, compute);
  require_stored("mi", "fixed", fixed, compute);
  require_stored("mi", "warped", warped, compute);
  if (histogram.joint.empty()) histogram.joint.assign(std::size_t(p.bins) * p.bins, 0);
  require(histogram.joint.size() == std::size_t(p.bins) * p.bins,
          "mi: the histogram has another number of bins than " + std::to_string(p.bins));
  dispatch(
      ctx, [&](auto& c) { cpu::accumulate(c, p, domain, compute, fixed, warped, histogram); },
      [&](auto& c) { cuda::accumulate(c, p, domain, compute, fixed, warped, histogram); });
}

Table evaluate(const Params& p, const Histogram& histogram) {
  check(p);
  const int bins = p.bins;
  double total = 0;
  for (std::int64_t count : histogram.joint) total += static_cast<double>(count);
  require(total > 0, "mi: the histogram is empty: no voxel lies inside both images and masks");
  std::vector<double> joint(histogram.joint.size()), of_fixed(bins, 0.0), of_moving(bins, 0.0);
  for (int f = 0; f < bins; ++f)
    for (int m = 0; m < bins; ++m) {
      const double probability = static_cast<double>(histogram.joint[f * bins + m]) / total;
      joint[f * bins + m] = probability;
      of_fixed[f] += probability;
      of_moving[m] += probability;
    }
  double entropy_joint = 0, entropy_marginals = 0;
  for (double probability : joint) entropy_joint -= probability * log_or_zero(probability);
  for (int k = 0; k < bins; ++k)
    entropy_marginals -=
        of_fixed[k] * log_or_zero(of_fixed[k]) + of_moving[k] * log_or_zero(of_moving[k]);

  const bool normalized = p.measure == Measure::normalized;
  require(!normalized || entropy_joint > 0, "mi: both images are constant where they overlap");
  Table table;
  table.value = normalized ? entropy_marginals / entropy_joint : entropy_marginals - entropy_joint;
  // d value / d P = w_m (-log PF - log PM) + w_j log PJ up to a constant, which the normalisation
  // of the histogram (P = H / total) removes again together with the mean.
  const double w_m = normalized ? 1 / entropy_joint : 1;
  const double w_j = normalized ? entropy_marginals / (entropy_joint * entropy_joint) : 1;
  std::vector<double> slope(joint.size());
  double mean = 0;
  // An empty bin would have slope -infinity; it stands as if it held a hundredth of a voxel.
  const double tiny = 0.01 * static_cast<double>(Histogram::one) / total;
  for (int f = 0; f < bins; ++f)
    for (int m = 0; m < bins; ++m) {
      const int at = f * bins + m;
      slope[at] =
          w_j * std::log(std::max(joint[at], tiny)) -
          w_m * (std::log(std::max(of_fixed[f], tiny)) + std::log(std::max(of_moving[m], tiny)));
      mean += joint[at] * slope[at];
    }
  const double per_count = static_cast<double>(Histogram::one) / total;
  table.derivative.resize(joint.size());
  for (std::size_t i = 0; i < joint.size(); ++i)
    table.derivative[i] = static_cast<float>((slope[i] - mean) * per_count);
  return table;
}

void backward(Context& ctx, const Params& p, Box domain, Box compute, float scale,
              const Table& table, View<const float> fixed, View<const float> warped,
              View<float> grad) {
  check(p);
  require_boxes("mi", domain, compute);
  require(table.derivative.size() == std::size_t(p.bins) * p.bins,
          "mi: the table has another number of bins than " + std::to_string(p.bins));
  require_stored("mi", "fixed", fixed, compute);
  require_stored("mi", "warped", warped, compute);
  require_stored("mi", "grad", grad, compute);
  dispatch(
      ctx,
      [&](auto& c) { cpu::backward(c, p, domain, compute, scale, table, fixed, warped, grad); },
      [&](auto& c) { cuda::backward(c, p, domain, compute, scale, table, fixed, warped, grad); });
}

}  // namespace ffdp::mi
