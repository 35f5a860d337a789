// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/warp.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/smooth/smooth.hpp"

namespace ffdp::registration {
namespace {

/// Calls body(first, last) for stretches of [0, n) on all threads.
template <class Body>
void for_stretches(Context& ctx, std::int64_t n, Body&& body) {
  constexpr std::int64_t stretch = 1 << 16;
  parallel_for(ctx, (n + stretch - 1) / stretch,
               [&](std::int64_t i, int) { body(i * stretch, std::min(n, (i + 1) * stretch)); });
}

/// out = sum over k of m[k] in[k], of three planes of n values.
void combine(const Vec3& m, const float* const (&in)[3], std::int64_t n, float* out) {
  const auto a = static_cast<float>(m[0]), b = static_cast<float>(m[1]),
             c = static_cast<float>(m[2]);
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = a * in[0][i] + b * in[1][i] + c * in[2][i];
}

}  // namespace

void to_world_component(const Grid& grid, const VectorField<float>& displacement, int c,
                        std::int64_t first, std::int64_t n, float* out) {
  const std::int64_t volume = displacement.stored().volume();
  const float* u = displacement.data() + first;
  combine(grid.to_world().linear[c], {u, u + volume, u + 2 * volume}, n, out);
}

DisplacementImage to_world(Context& ctx, const Grid& grid, const VectorField<float>& displacement) {
  DisplacementImage result{grid, VectorField<float>(ctx.backend, grid.domain())};
  const std::int64_t volume = grid.domain().volume();
  for (int c = 0; c < 3; ++c)
    for_stretches(ctx, volume, [&](std::int64_t first, std::int64_t last) {
      to_world_component(grid, displacement, c, first, last - first,
                         result.data.data() + c * volume + first);
    });
  return result;
}

VectorField<float> to_voxels(Context& ctx, const DisplacementImage& displacement) {
  VectorField<float> result(ctx.backend, displacement.grid.domain());
  const Mat3 to_index = displacement.grid.to_index().linear;
  const std::int64_t volume = displacement.grid.domain().volume();
  const float* d = displacement.data.data();
  for (int c = 0; c < 3; ++c)
    for_stretches(ctx, volume, [&](std::int64_t first, std::int64_t last) {
      combine(to_index[c], {d + first, d + volume + first, d + 2 * volume + first}, last - first,
              result.data() + c * volume + first);
    });
  return result;
}

VectorField<float> inverse_warp(Context& ctx, const VectorField<float>& displacement,
                                double tolerance, invert::Residual* residual) {
  const Box domain = displacement.stored();
  float reach = 0;
  for (float value : displacement) reach = std::max(reach, std::abs(value));
  VectorField<float> result(ctx.backend, domain);
  const invert::Params p{.tolerance = tolerance, .reach = reach};
  const auto reached = invert::forward(ctx, p, domain, domain, displacement, result);
  if (residual) *residual = reached;
  return result;
}

jacobian::Statistics repair_folds(Context& ctx, VectorField<float>& displacement, double least,
                                  int rounds) {
  const Box domain = displacement.stored();
  const View<const std::uint8_t> everywhere;
  auto statistics = jacobian::statistics(ctx, domain, domain, displacement, everywhere);
  for (int round = 0; round < rounds && statistics.min < least; ++round) {
    Field<float> determinant(ctx.backend, domain);
    jacobian::forward(ctx, domain, domain, displacement, determinant);
    const auto det = determinant.view();
    for (int z = domain.lo[0]; z < domain.hi[0]; ++z)
      for (int y = domain.lo[1]; y < domain.hi[1]; ++y)
        for (int x = domain.lo[2]; x < domain.hi[2]; ++x) {
          if (det(z, y, x) >= least) continue;
          // A small box about the fold, smoothed from a copy that is one halo wider.
          const Box spot = intersect(grow(Box{{z, y, x}, {z + 1, y + 1, x + 1}}, 2), domain);
          const smooth::Params p{{domain.size(0) > 1 ? 0.8 : 0, domain.size(1) > 1 ? 0.8 : 0,
                                  domain.size(2) > 1 ? 0.8 : 0}};
          VectorField<float> smoothed(ctx.backend, spot);
          smooth::forward(ctx, p, domain, spot, displacement, smoothed);
          const auto from = smoothed.view();
          const auto to = displacement.view();
          for (int c = 0; c < 3; ++c)
            for (int k = spot.lo[0]; k < spot.hi[0]; ++k)
              for (int j = spot.lo[1]; j < spot.hi[1]; ++j)
                std::copy_n(&from[c](k, j, spot.lo[2]), spot.size(2), &to[c](k, j, spot.lo[2]));
        }
    statistics = jacobian::statistics(ctx, domain, domain, displacement, everywhere);
  }
  return statistics;
}

void average(Context& ctx, VectorField<float>& a, const VectorField<float>& b) {
  for_stretches(ctx, a.end() - a.begin(), [&](std::int64_t first, std::int64_t last) {
    float* x = a.data();
    const float* y = b.data();
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) x[i] = 0.5F * (x[i] + y[i]);
  });
}

}  // namespace ffdp::registration
