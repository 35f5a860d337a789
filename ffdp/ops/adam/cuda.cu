// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ffdp/ops/adam/backends.hpp"
#include "ffdp/ops/adam/math.hpp"
#include "ffdp/ops/common/voxels.cuh"

namespace ffdp::adam {
namespace {

struct Maximum {
  float value = 0;
  __device__ void operator+=(const Maximum& other) { value = fmaxf(value, other.value); }
};

/// Reads and writes gradient and moments once: 56 B/voxel with one second moment a voxel, 72 with
/// three, half of the moments' at the first iteration.
template <bool First, SecondMoment kind>
double run(Context& ctx, const Constants<float>& c, const Box& compute, VectorView<float> grad,
           VectorView<float> first, VectorView<float> second) {
  constexpr int seconds = second_components(kind);
  const auto total = device::sum_voxels<Maximum>(
      ctx, compute, [=] __device__(int z, int y, int x, Maximum& longest) {
        float g[3], m[3], v[3], d[3];
        for (int k = 0; k < 3; ++k) {
          g[k] = grad[k](z, y, x);
          m[k] = First ? 0.0F : first[k](z, y, x);
          v[k] = First || k >= seconds ? 0.0F : second[k](z, y, x);
        }
        advance<kind>(c, First, g, m, v);
        longest.value = fmaxf(longest.value, directions<kind>(c, m, v, d));
        for (int k = 0; k < 3; ++k) {
          first[k](z, y, x) = m[k];
          if (k < seconds) second[k](z, y, x) = v[k];
          grad[k](z, y, x) = d[k];
        }
      });
  return std::sqrt(total.value);
}

}  // namespace

template <>
double On<Backend::cuda>::step(Context& ctx, const Params& p, Box, Box compute,
                               VectorView<float> grad, VectorView<float> first,
                               VectorView<float> second) {
  const Constants<float> c = constants(p);
  return with_second_moment(p.second_moment, [&]<SecondMoment kind>() {
    return p.iteration == 1 ? run<true, kind>(ctx, c, compute, grad, first, second)
                            : run<false, kind>(ctx, c, compute, grad, first, second);
  });
}

}  // namespace ffdp::adam
