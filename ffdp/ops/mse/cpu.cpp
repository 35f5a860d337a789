// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/exact_sum.hpp"
#include "ffdp/ops/mse/backends.hpp"

namespace ffdp::mse {

template <>
void On<Backend::cpu>::forward_backward(Context& ctx, const Params& p, Box, Box compute,
                                        const Images<float>& images, View<float> grad,
                                        MetricSum* sum) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const ExactUnit rounded(p.unit);
  const auto plane = [&](std::int64_t i, int) {
    MetricSum total;
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const float* f = fixed.row(z, y);
      const float* m = warped.row(z, y);
      double squares = 0, weight = 0;
#pragma omp simd reduction(+ : squares, weight)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float difference = m[x] - f[x];
        const bool valid = difference == difference;
        squares += valid ? rounded(double{difference} * double{difference}) : 0.0;
        weight += valid ? 1.0 : 0.0;
      }
      total += MetricSum{squares, weight};
      if (!grad) continue;
      float* g = grad.row(z, y);
#pragma omp simd
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float difference = m[x] - f[x];
        g[x] = difference == difference ? 2 * difference : 0.0F;
      }
    }
    return total;
  };
  *sum += parallel_sum<MetricSum>(ctx, compute.size(0), plane);
}

}  // namespace ffdp::mse
