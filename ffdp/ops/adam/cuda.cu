// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ffdp/ops/adam/backends.hpp"
#include "ffdp/ops/adam/math.hpp"
#include "ffdp/ops/common/voxels.cuh"

namespace ffdp::adam::cuda {
namespace {

struct Maximum {
  float value = 0;
  __device__ void operator+=(const Maximum& other) { value = fmaxf(value, other.value); }
};

/// Reads and writes gradient and moments once: 56 B/voxel with one second moment a voxel, 72 with
/// three, half of the moments' at the first iteration.
template <bool First, bool Element>
double run(Context& ctx, const Constants<float>& c, const Box& compute, VectorView<float> grad,
           VectorView<float> first, VectorView<float> second) {
  const auto total = device::sum_voxels<Maximum>(
      ctx, compute, [=] __device__(int z, int y, int x, Maximum& longest) {
        float g[3], m[3], v[3];
        for (int k = 0; k < 3; ++k) {
          g[k] = grad[k](z, y, x);
          m[k] = First ? 0.0F : first[k](z, y, x);
          v[k] = First || (k && !Element) ? 0.0F : second[k](z, y, x);
        }
        float length = 0, scale = 0;
        if (!Element) {
          const float s = c.add2 * (g[0] * g[0] + g[1] * g[1] + g[2] * g[2]) + c.keep2 * v[0];
          second[0](z, y, x) = s;
          scale = direction(c, 1.0F, s);
        }
        for (int k = 0; k < 3; ++k) {
          const float p = c.add1 * g[k] + c.keep1 * m[k];
          first[k](z, y, x) = p;
          float d = p * scale;
          if (Element) {
            const float s = c.add2 * g[k] * g[k] + c.keep2 * v[k];
            second[k](z, y, x) = s;
            d = direction(c, p, s);
          }
          grad[k](z, y, x) = d;
          length += d * d;
        }
        longest.value = fmaxf(longest.value, length);
      });
  return std::sqrt(total.value);
}

}  // namespace

double step(Context& ctx, const Params& p, Box, Box compute, VectorView<float> grad,
            VectorView<float> first, VectorView<float> second) {
  const Constants<float> c = constants(p);
  const bool element = p.second_moment == SecondMoment::element;
  if (p.iteration == 1)
    return element ? run<true, true>(ctx, c, compute, grad, first, second)
                   : run<true, false>(ctx, c, compute, grad, first, second);
  return element ? run<false, true>(ctx, c, compute, grad, first, second)
                 : run<false, false>(ctx, c, compute, grad, first, second);
}

}  // namespace ffdp::adam::cuda
