// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/adam/backends.hpp"
#include "ffdp/ops/adam/math.hpp"

namespace ffdp::adam {
namespace {

struct Maximum {
  float value = 0;
  Maximum& operator+=(const Maximum& other) {
    value = std::max(value, other.value);
    return *this;
  }
};

/// Moments are read only from the second iteration on, so the first may find them uninitialised.
template <bool First, SecondMoment kind>
double run(Context& ctx, const Constants<float>& c, const Box& compute, VectorView<float> grad,
           VectorView<float> first, VectorView<float> second) {
  constexpr int seconds = second_components(kind);
  const auto plane = [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    float longest = 0;
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      float *g0 = grad[0].row(z, y), *g1 = grad[1].row(z, y), *g2 = grad[2].row(z, y);
      float *m0 = first[0].row(z, y), *m1 = first[1].row(z, y), *m2 = first[2].row(z, y);
      float* v0 = seconds > 0 ? second[0].row(z, y) : m0;
      float* v1 = seconds > 1 ? second[1].row(z, y) : m0;
      float* v2 = seconds > 1 ? second[2].row(z, y) : m0;
#pragma omp simd reduction(max : longest)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float g[3] = {g0[x], g1[x], g2[x]};
        float m[3] = {}, v[3] = {}, d[3];
        if constexpr (!First) {
          m[0] = m0[x];
          m[1] = m1[x];
          m[2] = m2[x];
          if (seconds > 0) v[0] = v0[x];
          if (seconds > 1) {
            v[1] = v1[x];
            v[2] = v2[x];
          }
        }
        advance<kind>(c, First, g, m, v);
        m0[x] = m[0];
        m1[x] = m[1];
        m2[x] = m[2];
        if (seconds > 0) v0[x] = v[0];
        if (seconds > 1) {
          v1[x] = v[1];
          v2[x] = v[2];
        }
        const float length = directions<kind>(c, m, v, d);
        g0[x] = d[0];
        g1[x] = d[1];
        g2[x] = d[2];
        longest = length > longest ? length : longest;
      }
    }
    return Maximum{longest};
  };
  return std::sqrt(parallel_sum<Maximum>(ctx, compute.size(0), plane).value);
}

}  // namespace

template <>
double On<Backend::cpu>::step(Context& ctx, const Params& p, Box, Box compute,
                              VectorView<float> grad, VectorView<float> first,
                              VectorView<float> second) {
  const Constants<float> c = constants(p);
  return with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    return p.iteration == 1 ? run<true, kind>(ctx, c, compute, grad, first, second)
                            : run<false, kind>(ctx, c, compute, grad, first, second);
  });
}

}  // namespace ffdp::adam
