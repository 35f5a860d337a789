// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/compose/backends.hpp"

namespace ffdp::compose {
namespace {

/// The position is split into the voxel and the step, so that it loses nothing far from the origin.
template <class Offset>
void run(Context& ctx, const Params& p, const Box& domain, const Box& compute,
         VectorView<const float> step, VectorView<const float> u, VectorView<float> out) {
  const auto sz = static_cast<Offset>(u.stride_z), sy = static_cast<Offset>(u.stride_y);
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    const float k = p.scale;
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      const float *step_z = step[0].row(z, y), *step_y = step[1].row(z, y),
                  *step_x = step[2].row(z, y);
      float *out_z = out[0].row(z, y), *out_y = out[1].row(z, y), *out_x = out[2].row(z, y);
      const float *u0 = u[0].data, *u1 = u[1].data, *u2 = u[2].data;
#pragma omp simd
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        const float dz = k * step_z[x], dy = k * step_y[x], dx = k * step_x[x];
        const AxisCell cz = axis_cell(dz, domain.lo[0] - z, domain.hi[0] - z);
        const AxisCell cy = axis_cell(dy, domain.lo[1] - y, domain.hi[1] - y);
        const AxisCell cx = axis_cell(dx, domain.lo[2] - x, domain.hi[2] - x);
        const Offset base = static_cast<Offset>(z + cz.lower - u.stored.lo[0]) * sz +
                            static_cast<Offset>(y + cy.lower - u.stored.lo[1]) * sy +
                            static_cast<Offset>(x + cx.lower - u.stored.lo[2]);
        const Offset oz = cz.fraction > 0 ? sz : Offset{0};
        const Offset oy = cy.fraction > 0 ? sy : Offset{0};
        const Offset ox = cx.fraction > 0 ? Offset{1} : Offset{0};
        const auto sample = [&](const float* d) {
          const float v[8] = {d[base],           d[base + ox],          d[base + oy],
                              d[base + oy + ox], d[base + oz],          d[base + oz + ox],
                              d[base + oz + oy], d[base + oz + oy + ox]};
          return trilinear(v, cz.fraction, cy.fraction, cx.fraction);
        };
        out_z[x] = dz + sample(u0);
        out_y[x] = dy + sample(u1);
        out_x[x] = dx + sample(u2);
      }
    }
  });
}

}  // namespace

template <>
void On<Backend::cpu>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                               VectorView<const float> step, VectorView<const float> displacement,
                               VectorView<float> out) {
  const std::int64_t extent = displacement.stride_z * displacement.stored.size(0);
  if (extent < std::numeric_limits<std::int32_t>::max())
    run<std::int32_t>(ctx, p, domain, compute, step, displacement, out);
  else
    run<std::int64_t>(ctx, p, domain, compute, step, displacement, out);
}

}  // namespace ffdp::compose
