// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/ops/common/inner_row.hpp"
#include "ffdp/ops/common/separable.hpp"
#include "ffdp/ops/smooth/backends.hpp"
#include "ffdp/ops/smooth/damping.hpp"

namespace ffdp::smooth {
namespace {

enum Slot { stencil_slot };

Taps make_taps(const Params& p) {
  return {{gaussian_taps(p.sigma[0]), gaussian_taps(p.sigma[1]), gaussian_taps(p.sigma[2])}};
}

/// 1 / (sum of the taps inside the domain) for the positions [lo, hi) of one axis.
std::vector<float> edge_factors(const std::vector<float>& taps, const Box& domain, int axis, int lo,
                                int hi) {
  std::vector<float> factors = tap_sums(taps, domain.lo[axis], domain.hi[axis], lo, hi);
  for (float& f : factors) f = 1 / f;
  return factors;
}

/// Voxels [x_lo, x_hi) of a damped row.
template <int c>
void damp_row(const VectorView<const float>& v, const Box& domain, float weight, int z, int y,
              int x_lo, int x_hi, float* to) {
  const float* row = v[0].row(z, y);
  const auto one = [&](int x, const Neighbours& n) {
    to[x - x_lo] = damped<c>(row + x, v.stride_c, n, weight);
  };
  const InnerRow inner(domain, x_lo, x_hi);
  for (int x = x_lo; x < inner.lo; ++x) one(x, {v, domain, z, y, x});
  const Neighbours inside(v, domain, z, y, inner.lo);
#pragma omp simd
  for (int x = inner.lo; x < inner.hi; ++x) one(x, inside);
  for (int x = inner.hi; x < x_hi; ++x) one(x, {v, domain, z, y, x});
}

/// rows_of(z, y, x_lo, x_hi, rows) gives the rows that are smoothed.
template <int Q, class RowsOf>
void smooth_rows(Context& ctx, const Params& p, const Box& domain, const Box& compute,
                 const RowsOf& rows_of, const std::array<View<float>, Q>& out) {
  const Taps taps = make_taps(p);
  std::array<std::vector<float>, 3> edge;
  for (int a = 0; a < 3; ++a)
    edge[a] = edge_factors(taps.axis[a], domain, a, compute.lo[a], compute.hi[a]);
  separable_stencil<Q>(ctx, stencil_slot, taps, domain, compute, rows_of,
                       [&](int z, int y, const std::array<float*, Q>& rows, std::int64_t) {
                         const float factor =
                             edge[0][z - compute.lo[0]] * edge[1][y - compute.lo[1]];
                         for (int q = 0; q < Q; ++q) {
                           float* to = out[q].row(z, y) + compute.lo[2];
                           const float* from = rows[q];
                           const float* edge_x = edge[2].data();
#pragma omp simd
                           for (int x = 0; x < compute.size(2); ++x)
                             to[x] = from[x] * (factor * edge_x[x]);
                         }
                       });
}

}  // namespace

template <>
void On<Backend::cpu>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                               View<const float> in, View<float> out) {
  smooth_rows<1>(ctx, p, domain, compute,
                 [&](int z, int y, int x_lo, int x_hi, const std::array<float*, 1>& rows) {
                   std::copy_n(in.row(z, y) + x_lo, x_hi - x_lo, rows[0]);
                 },
                 {out});
}

template <>
void On<Backend::cpu>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                               VectorView<const float> in, VectorView<float> out) {
  const auto weight = static_cast<float>(p.damping);
  smooth_rows<3>(ctx, p, domain, compute,
                 [&](int z, int y, int x_lo, int x_hi, const std::array<float*, 3>& rows) {
                   if (weight > 0) {
                     damp_row<0>(in, domain, weight, z, y, x_lo, x_hi, rows[0]);
                     damp_row<1>(in, domain, weight, z, y, x_lo, x_hi, rows[1]);
                     damp_row<2>(in, domain, weight, z, y, x_lo, x_hi, rows[2]);
                   } else {
                     for (int q = 0; q < 3; ++q)
                       std::copy_n(in[q].row(z, y) + x_lo, x_hi - x_lo, rows[q]);
                   }
                 },
                 {out[0], out[1], out[2]});
}

template <>
void On<Backend::cpu>::backward(Context& ctx, const Params& p, Box domain, Box compute,
                                View<const float> grad_out, View<float> grad_in) {
  const Taps taps = make_taps(p);
  const Box reach = intersect(grow(compute, halo(p)), domain);
  std::array<std::vector<float>, 3> edge;
  for (int a = 0; a < 3; ++a)
    edge[a] = edge_factors(taps.axis[a], domain, a, reach.lo[a], reach.hi[a]);
  separable_stencil<1>(
      ctx, stencil_slot, taps, domain, compute,
      [&](int z, int y, int x_lo, int x_hi, const std::array<float*, 1>& rows) {
        const float factor = edge[0][z - reach.lo[0]] * edge[1][y - reach.lo[1]];
        const float* from = grad_out.row(z, y) + x_lo;
        const float* edge_x = edge[2].data() + (x_lo - reach.lo[2]);
        for (int x = 0; x < x_hi - x_lo; ++x) rows[0][x] = from[x] * (factor * edge_x[x]);
      },
      [&](int z, int y, const std::array<float*, 1>& rows, std::int64_t) {
        std::copy_n(rows[0], compute.size(2), grad_in.row(z, y) + compute.lo[2]);
      });
}

}  // namespace ffdp::smooth
