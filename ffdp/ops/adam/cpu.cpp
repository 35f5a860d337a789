// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/adam/backends.hpp"
#include "ffdp/ops/adam/math.hpp"

namespace ffdp::adam::cpu {
namespace {

struct Maximum {
  float value = 0;
  Maximum& operator+=(const Maximum& other) {
    value = std::max(value, other.value);
    return *this;
  }
};

/// Moments are read only from the second iteration on, so the first may find them uninitialised.
template <bool First, bool Element>
double run(Context& ctx, const Constants<float>& c, const Box& compute, VectorView<float> grad,
           VectorView<float> first, VectorView<float> second) {
  const auto plane = [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    float longest = 0;
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      float *g0 = grad[0].row(z, y), *g1 = grad[1].row(z, y), *g2 = grad[2].row(z, y);
      float *m0 = first[0].row(z, y), *m1 = first[1].row(z, y), *m2 = first[2].row(z, y);
      float *v0 = second[0].row(z, y), *v1 = second[1].row(z, y), *v2 = second[2].row(z, y);
#pragma omp simd reduction(max : longest)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float a = g0[x], b = g1[x], d = g2[x];
        const float p = c.add1 * a + (First ? 0.0F : c.keep1 * m0[x]);
        const float q = c.add1 * b + (First ? 0.0F : c.keep1 * m1[x]);
        const float r = c.add1 * d + (First ? 0.0F : c.keep1 * m2[x]);
        m0[x] = p;
        m1[x] = q;
        m2[x] = r;
        float da = 0, db = 0, dd = 0;
        if constexpr (Element) {
          const float va = c.add2 * a * a + (First ? 0.0F : c.keep2 * v0[x]);
          const float vb = c.add2 * b * b + (First ? 0.0F : c.keep2 * v1[x]);
          const float vd = c.add2 * d * d + (First ? 0.0F : c.keep2 * v2[x]);
          v0[x] = va;
          v1[x] = vb;
          v2[x] = vd;
          da = direction(c, p, va);
          db = direction(c, q, vb);
          dd = direction(c, r, vd);
        } else {
          const float v = c.add2 * (a * a + b * b + d * d) + (First ? 0.0F : c.keep2 * v0[x]);
          v0[x] = v;
          const float scale = direction(c, 1.0F, v);
          da = p * scale;
          db = q * scale;
          dd = r * scale;
        }
        g0[x] = da;
        g1[x] = db;
        g2[x] = dd;
        const float length = da * da + db * db + dd * dd;
        longest = length > longest ? length : longest;
      }
    }
    return Maximum{longest};
  };
  return std::sqrt(parallel_sum<Maximum>(ctx, compute.size(0), plane).value);
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

}  // namespace ffdp::adam::cpu
