// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/resize/resize.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/resize/backends.hpp"
#include "ffdp/ops/resize/math.hpp"

namespace ffdp::resize {
namespace {

/// Gaussian weights of the outputs [lo, hi) of one axis, renormalised inside [0, from);
/// interpolation (two taps) where the axis keeps its size or the Gaussian is off.
AxisWeights axis_weights(const Params& p, int from_lo, int from, int to_lo, int to, int lo,
                         int hi) {
  AxisWeights result;
  const double factor = static_cast<double>(from) / to;
  const double sigma = from > to ? p.anti_alias * factor : 0;
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  result.count = std::min(from, sigma > 0 ? 2 * radius + 2 : 2);
  for (int i = lo; i < hi; ++i) {
    const double position = centre(i - to_lo, from, to);
    const int start = std::clamp(static_cast<int>(std::floor(position)) - (sigma > 0 ? radius : 0),
                                 0, from - result.count);
    double sum = 0;
    std::vector<double> row;
    for (int k = 0; k < result.count; ++k) {
      const double d = start + k - position;
      // Without the limit one tap more on one side would move the image by up to 5e-4 voxels.
      const double bell =
          std::abs(d) <= radius + 0.5 ? std::exp(-0.5 * d * d / (sigma * sigma)) : 0;
      row.push_back(sigma > 0 ? bell : std::max(0.0, 1 - std::abs(d)));
      sum += row.back();
    }
    result.first.push_back(from_lo + start);
    for (double w : row) result.weights.push_back(static_cast<float>(w / sum));
  }
  return result;
}

std::array<AxisWeights, 3> all_weights(const Params& p, const Domains& domains,
                                       const Box& compute) {
  std::array<AxisWeights, 3> weights;
  for (int a = 0; a < 3; ++a)
    weights[a] = axis_weights(p, domains.from.lo[a], domains.from.size(a), domains.to.lo[a],
                              domains.to.size(a), compute.lo[a], compute.hi[a]);
  return weights;
}

Box reach_of(const std::array<AxisWeights, 3>& weights) {
  Box reach;
  for (int a = 0; a < 3; ++a) {
    reach.lo[a] = weights[a].first.front();
    reach.hi[a] = weights[a].first.back() + weights[a].count;
  }
  return reach;
}

void check(const Domains& domains, const Box& compute) {
  require_boxes("resize", domains.to, compute);
  require(!domains.from.empty(),
          "resize: the old grid is " + to_string(domains.from) + ", must not be empty");
}

void check_shrink(const Params& p, const Domains& domains, const Box& compute) {
  check(domains, compute);
  for (int a = 0; a < 3; ++a)
    require(domains.to.size(a) <= domains.from.size(a),
            "resize: shrink from " + to_string(domains.from) + " to the larger " +
                to_string(domains.to));
  require(p.anti_alias >= 0 && p.anti_alias <= 4,
          "resize: anti_alias is " + std::to_string(p.anti_alias) + ", must be within 0 and 4");
}

}  // namespace

Box shrink_reach(const Params& p, const Domains& domains, const Box& compute) {
  check(domains, compute);
  return reach_of(all_weights(p, domains, compute));
}

void shrink(Context& ctx, const Params& p, const Domains& domains, Box compute, const ImageView& in,
            View<float> out) {
  check_shrink(p, domains, compute);
  const auto weights = all_weights(p, domains, compute);
  const Box reach = reach_of(weights);
  require_stored("resize", "in", in, reach);
  require_stored("resize", "out", out, compute);
  dispatch(ctx, [&]<Backend B>() { On<B>::shrink(ctx, weights, reach, compute, in, out); });
}

void shrink_masked(Context& ctx, const Params& p, const Domains& domains, Box compute,
                   const ImageView& in, View<const std::uint8_t> mask, View<float> out,
                   View<float> coverage) {
  check_shrink(p, domains, compute);
  const auto weights = all_weights(p, domains, compute);
  const Box reach = reach_of(weights);
  require_stored("resize", "in", in, reach);
  require_stored("resize", "mask", mask, reach);
  require_stored("resize", "out", out, compute);
  require_stored("resize", "coverage", coverage, compute);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::shrink_masked(ctx, weights, reach, compute, in, mask, out, coverage);
  });
}

Box interpolate_reach(const Domains& domains, const Box& compute) {
  check(domains, compute);
  Box reach;
  for (int a = 0; a < 3; ++a) {
    const int from = domains.from.size(a), to = domains.to.size(a);
    const auto lower = [&](int i) {
      const double q = centre(i - domains.to.lo[a], from, to);
      return std::clamp(static_cast<int>(std::floor(q)), 0, std::max(from - 2, 0));
    };
    reach.lo[a] = domains.from.lo[a] + lower(compute.lo[a]);
    reach.hi[a] = domains.from.lo[a] + std::min(lower(compute.hi[a] - 1) + 2, from);
  }
  return reach;
}

void displacement(Context& ctx, const Params&, const Domains& domains, Box compute,
                  VectorView<const float> in, VectorView<float> out) {
  require_stored("resize", "in", in, interpolate_reach(domains, compute));
  require_stored("resize", "out", out, compute);
  dispatch(ctx, [&]<Backend B>() { On<B>::displacement(ctx, domains, compute, in, out); });
}

}  // namespace ffdp::resize
