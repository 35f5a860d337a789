// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/jacobian/backends.hpp"
#include "ffdp/ops/jacobian/math.hpp"

namespace ffdp::jacobian {
namespace {

enum Slot { rows_slot };

/// Determinants of the row (z, y) of `compute` to out[0, compute.size(2)).
void determinant_row(const Box& domain, const Box& compute, const VectorView<const float>& u, int z,
                     int y, float* out) {
  const Stencil sz = stencil(z, domain.lo[0], domain.hi[0]);
  const Stencil sy = stencil(y, domain.lo[1], domain.hi[1]);
  const float* z_below[3];
  const float* z_above[3];
  const float* y_below[3];
  const float* y_above[3];
  const float* row[3];
  for (int c = 0; c < 3; ++c) {
    const View<const float> component = u[c];
    z_below[c] = component.row(sz.below, y);
    z_above[c] = component.row(sz.above, y);
    y_below[c] = component.row(z, sy.below);
    y_above[c] = component.row(z, sy.above);
    row[c] = component.row(z, y);
  }
  const auto at = [&](int x, const Stencil& sx) {
    float d[3][3];
    for (int c = 0; c < 3; ++c) {
      d[c][0] = (z_above[c][x] - z_below[c][x]) * sz.scale;
      d[c][1] = (y_above[c][x] - y_below[c][x]) * sy.scale;
      d[c][2] = (row[c][sx.above] - row[c][sx.below]) * sx.scale;
    }
    return determinant(d);
  };
  const int first = compute.lo[2], end = compute.hi[2];
  const int inner_first = std::max(first, domain.lo[2] + 1);
  const int inner_end = std::max(inner_first, std::min(end, domain.hi[2] - 1));
  for (int x = first; x < std::min(inner_first, end); ++x)
    out[x - first] = at(x, stencil(x, domain.lo[2], domain.hi[2]));
#pragma omp simd
  for (int x = inner_first; x < inner_end; ++x) out[x - first] = at(x, {x - 1, x + 1, 0.5F});
  for (int x = inner_end; x < end; ++x)
    out[x - first] = at(x, stencil(x, domain.lo[2], domain.hi[2]));
}

void add(Statistics& s, float determinant) {
  const double d = determinant;
  if (d - d != 0) {
    ++s.missing;
    return;
  }
  s.min = s.count == 0 ? d : std::min(s.min, d);
  s.max = s.count == 0 ? d : std::max(s.max, d);
  ++s.count;
  if (!(d > 0)) {
    ++s.folded;
    return;
  }
  const double log = std::log(d);
  s.sum_log += log;
  s.sum_log_squared += log * log;
  s.sum_log_size += std::abs(log);
}

}  // namespace

template <>
void On<Backend::cpu>::forward(Context& ctx, const Box& domain, const Box& compute,
                               const VectorView<const float>& displacement,
                               const View<float>& determinant) {
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
      determinant_row(domain, compute, displacement, z, y, determinant.row(z, y) + compute.lo[2]);
  });
}

template <>
PlaneSums<Statistics> On<Backend::cpu>::statistics(Context& ctx, const Box& domain,
                                                   const Box& compute,
                                                   const VectorView<const float>& displacement,
                                                   const View<const std::uint8_t>& mask) {
  const auto width = static_cast<std::size_t>(compute.size(2));
  auto* rows = ctx.scratch<float>(rows_slot, width * static_cast<std::size_t>(ctx.threads));
  return plane_sums<Statistics>(ctx, compute.size(0), [&](std::int64_t i, int worker) {
    const int z = compute.lo[0] + static_cast<int>(i);
    float* const row = rows + width * static_cast<std::size_t>(worker);
    Statistics plane;
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      determinant_row(domain, compute, displacement, z, y, row);
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
        if (!mask || mask(z, y, x) != 0) add(plane, row[x - compute.lo[2]]);
    }
    return plane;
  });
}

template <>
std::vector<Int3> On<Backend::cpu>::voxels_below(Context& ctx, const Box& domain,
                                                 const Box& compute, double least,
                                                 const VectorView<const float>& displacement) {
  const auto width = static_cast<std::size_t>(compute.size(2));
  auto* rows = ctx.scratch<float>(rows_slot, width * static_cast<std::size_t>(ctx.threads));
  std::vector<std::vector<Int3>> planes(static_cast<std::size_t>(compute.size(0)));
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int worker) {
    const int z = compute.lo[0] + static_cast<int>(i);
    float* const row = rows + width * static_cast<std::size_t>(worker);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y) {
      determinant_row(domain, compute, displacement, z, y, row);
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
        if (!(static_cast<double>(row[x - compute.lo[2]]) >= least))
          planes[static_cast<std::size_t>(i)].push_back({z, y, x});
    }
  });
  std::vector<Int3> result;
  for (const auto& plane : planes) result.insert(result.end(), plane.begin(), plane.end());
  return result;
}

}  // namespace ffdp::jacobian
