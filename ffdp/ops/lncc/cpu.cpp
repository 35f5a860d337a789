// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/ops/common/exact_sum.hpp"
#include "ffdp/ops/common/separable.hpp"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/lncc/backends.hpp"
#include "ffdp/ops/lncc/math.hpp"

namespace ffdp::lncc {
namespace {

enum Slot { stencil_slot, coefficient_slot = outer_slots };

Taps make_taps(const Params& p) {
  const auto taps = p.window == Window::gaussian ? gaussian_taps(p.sigma)
                                                 : std::vector<float>(2 * p.radius + 1, 1.0F);
  return {{taps, taps, taps}};
}

/// Window sums of F, M, F^2, M^2, F M (and of 1 where voxels may be missing) -> cc, a, b, d.
/// Reads 8 B/voxel and writes the 12 of (a, b, d), all else stays in cache.
template <bool Missing>
struct Windows {
  static constexpr int quantities = Missing ? 6 : 5;
  const Params& p;
  Box domain, compute, rows;  // rows: where windows are evaluated
  View<const float> fixed, warped;
  std::array<float*, 3> coefficients;  // a, b, d over `rows`, or null
  std::array<std::vector<float>, 3> count;
  std::vector<MetricSum> parts;
  ExactShare rounded;

  void load(int z, int y, int x_lo, int x_hi, const std::array<float*, quantities>& out) const {
    const float* f_row = fixed.row(z, y) + x_lo;
    const float* m_row = warped.row(z, y) + x_lo;
    const float f_centre = p.fixed_centre, m_centre = p.moving_centre;
    float *f_out = out[0], *m_out = out[1], *ff = out[2], *mm = out[3], *fm = out[4];
    float* w_out = out[quantities - 1];
#pragma omp simd
    for (int x = 0; x < x_hi - x_lo; ++x) {
      float f = f_row[x] - f_centre;
      float m = m_row[x] - m_centre;
      if constexpr (Missing) {
        const bool valid = f == f && m == m;
        f = valid ? f : 0.0F;
        m = valid ? m : 0.0F;
        w_out[x] = valid ? 1.0F : 0.0F;
      }
      f_out[x] = f;
      m_out[x] = m;
      ff[x] = f * f;
      mm[x] = m * m;
      fm[x] = f * m;
    }
  }

  void emit(int z, int y, const std::array<float*, quantities>& sums, std::int64_t unit) {
    const int n = rows.size(2);
    const bool inside =
        z >= compute.lo[0] && z < compute.hi[0] && y >= compute.lo[1] && y < compute.hi[1];
    const float plane_count = count[0][z - rows.lo[0]] * count[1][y - rows.lo[1]];
    const float fixed_floor = p.fixed_floor, moving_floor = p.moving_floor;
    const float* f_row = fixed.row(z, y) + rows.lo[2];
    const float* m_row = warped.row(z, y) + rows.lo[2];
    const std::int64_t offset =
        (std::int64_t{z - rows.lo[0]} * rows.size(1) + (y - rows.lo[1])) * std::int64_t{n};
    float* cc_row = sums[0];
    const auto one = [&](int x) {
      const float window = Missing ? sums[quantities - 1][x] : plane_count * count[2][x];
      auto t = terms(1.0F / window, sums[0][x], sums[1][x], sums[2][x], sums[3][x], sums[4][x],
                     fixed_floor, moving_floor);
      if constexpr (Missing) {
        const bool valid = f_row[x] == f_row[x] && m_row[x] == m_row[x];
        t.cc = valid ? t.cc : 0.0F;
        t.a = valid ? t.a : 0.0F;
        t.b = valid ? t.b : 0.0F;
        t.d = valid ? t.d : 0.0F;
      }
      return t;
    };
    if (coefficients[0]) {
      float *a = coefficients[0] + offset, *b = coefficients[1] + offset,
            *d = coefficients[2] + offset;
#pragma omp simd
      for (int x = 0; x < n; ++x) {
        const auto t = one(x);
        cc_row[x] = t.cc;
        a[x] = t.a;
        b[x] = t.b;
        d[x] = t.d;
      }
    } else {
#pragma omp simd
      for (int x = 0; x < n; ++x) cc_row[x] = one(x).cc;
    }
    if (!inside) return;
    double sum = 0, weight = 0;
    const int x_lo = compute.lo[2] - rows.lo[2], x_hi = compute.hi[2] - rows.lo[2];
#pragma omp simd reduction(+ : sum)
    for (int x = x_lo; x < x_hi; ++x) sum += double{rounded(cc_row[x])};
    if constexpr (Missing) {
#pragma omp simd reduction(+ : weight)
      for (int x = x_lo; x < x_hi; ++x)
        weight += f_row[x] == f_row[x] && m_row[x] == m_row[x] ? 1.0 : 0.0;
    } else {
      weight = x_hi - x_lo;
    }
    parts[unit] += MetricSum{sum, weight};
  }
};

template <bool Missing>
void run_windows(Context& ctx, const Params& p, const Box& domain, const Box& compute,
                 const Images<float>& images, View<float> grad, VectorView<float> workspace,
                 MetricSum* sum) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const Taps taps = make_taps(p);
  const Box rows = grad ? intersect(grow(compute, reach(p)), domain) : compute;
  Windows<Missing> windows{p,      domain, compute, rows, fixed,
                           warped, {},     {},      {},   ExactShare(domain.volume())};
  constexpr int quantities = Windows<Missing>::quantities;
  const bool padded = p.window == Window::zero_padded_box;
  for (int a = 0; a < 3; ++a)
    windows.count[a] =
        tap_sums(taps.axis[a], padded ? rows.lo[a] - taps.radius(a) : domain.lo[a],
                 padded ? rows.hi[a] + taps.radius(a) : domain.hi[a], rows.lo[a], rows.hi[a]);
  windows.parts.resize(stencil_units(quantities, taps, rows).count());
  const std::int64_t volume = rows.volume();
  if (grad) {
    float* abd = workspace ? workspace.data : ctx.scratch<float>(coefficient_slot, 3 * volume);
    windows.coefficients = {abd, abd + volume, abd + 2 * volume};
  }
  using Rows = std::array<float*, quantities>;
  separable_stencil<quantities>(
      ctx, stencil_slot, taps, domain, rows,
      [&](int z, int y, int x_lo, int x_hi, const Rows& out) {
        windows.load(z, y, x_lo, x_hi, out);
      },
      [&](int z, int y, const Rows& sums, std::int64_t unit) { windows.emit(z, y, sums, unit); });
  MetricSum total;
  for (const auto& part : windows.parts) total += part;
  *sum += total;
  if (!grad) return;

  separable_stencil<3>(
      ctx, stencil_slot, taps, domain, compute,
      [&](int z, int y, int x_lo, int x_hi, const std::array<float*, 3>& out) {
        const std::int64_t offset =
            (std::int64_t{z - rows.lo[0]} * rows.size(1) + (y - rows.lo[1])) * rows.size(2) +
            (x_lo - rows.lo[2]);
        for (int q = 0; q < 3; ++q)
          std::copy_n(windows.coefficients[q] + offset, x_hi - x_lo, out[q]);
      },
      [&](int z, int y, const std::array<float*, 3>& sums, std::int64_t) {
        const float* f = fixed.row(z, y) + compute.lo[2];
        const float* m = warped.row(z, y) + compute.lo[2];
        float* g = grad.row(z, y) + compute.lo[2];
        const float f_centre = p.fixed_centre, m_centre = p.moving_centre;
#pragma omp simd
        for (int x = 0; x < compute.size(2); ++x) {
          const float value =
              (f[x] - f_centre) * sums[0][x] - (m[x] - m_centre) * sums[1][x] + sums[2][x];
          g[x] = !Missing || value == value ? value : 0.0F;
        }
      });
}

}  // namespace

template <>
void On<Backend::cpu>::forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                                        const Images<float>& images, View<float> grad,
                                        VectorView<float> workspace, MetricSum* sum) {
  if (p.missing_values)
    run_windows<true>(ctx, p, domain, compute, images, grad, workspace, sum);
  else
    run_windows<false>(ctx, p, domain, compute, images, grad, workspace, sum);
}

}  // namespace ffdp::lncc
