// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <vector>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/inner_row.hpp"
#include "ffdp/ops/slopes/backends.hpp"
#include "ffdp/ops/slopes/math.hpp"

namespace ffdp::slopes {
namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

}  // namespace

template <>
void On<Backend::cpu>::backward(Context& ctx, Box domain, Box compute, View<const float> warped,
                                View<const float> grad_warped, const ScaledGradient& to) {
  const float scale = to.scale;
  const std::vector<float> nothing(static_cast<std::size_t>(compute.size(2)), missing);
  const float* none = nothing.data() - compute.lo[2];
  const InnerRow inner(domain, compute.lo[2], compute.hi[2]);
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const auto row = [&](int at_z, int at_y) {
        const bool within = at_z >= domain.lo[0] && at_z < domain.hi[0] && at_y >= domain.lo[1] &&
                            at_y < domain.hi[1];
        return within ? warped.row(at_z, at_y) : none;
      };
      const float *w = warped.row(z, y), *g = grad_warped.row(z, y);
      const float *z0 = row(z - 1, y), *z1 = row(z + 1, y);
      const float *y0 = row(z, y - 1), *y1 = row(z, y + 1);
      float *gz = to.grad[0].row(z, y), *gy = to.grad[1].row(z, y), *gx = to.grad[2].row(z, y);
      if (to.into == Into::overwrite)
        for (float* at : {gz, gy, gx}) std::fill(at + compute.lo[2], at + compute.hi[2], 0.0F);
      const auto put = [&](int x, float x0, float x1) {
        const float factor = scale * g[x];
        gz[x] += scaled(slope(z0[x], w[x], z1[x]), factor);
        gy[x] += scaled(slope(y0[x], w[x], y1[x]), factor);
        gx[x] += scaled(slope(x0, w[x], x1), factor);
      };
      const auto at_face = [&](int x) {
        put(x, x > domain.lo[2] ? w[x - 1] : missing, x + 1 < domain.hi[2] ? w[x + 1] : missing);
      };
      for (int x = compute.lo[2]; x < inner.lo; ++x) at_face(x);
#pragma omp simd
      for (int x = inner.lo; x < inner.hi; ++x) put(x, w[x - 1], w[x + 1]);
      for (int x = inner.hi; x < compute.hi[2]; ++x) at_face(x);
    }
  });
}

}  // namespace ffdp::slopes
