// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include "ffdp/ops/common/box_pipeline.cuh"
#include "ffdp/ops/common/sweep.cuh"

/// What the Ops (window_op.cuh) of lncc and correlation have in common: both make a, b, d of every
/// window from five sums, and the gradient from the window sums of a, b, d.
namespace ffdp::device {

/// a, b, d of the windows centred in `box`, dense.
struct Coefficients {
  float* data;
  Box box;
  FFDP_HD View<float> view(int k) const { return dense_view(data + k * box.volume(), box); }
  __device__ std::int64_t offset(int z, int y, int x) const {
    return (std::int64_t{z - box.lo[0]} * box.size(1) + (y - box.lo[1])) * box.size(2) +
           (x - box.lo[2]);
  }
};

/// Window sums of F, M, F^2, M^2, F M.
struct MomentSums {
  Box compute;
  Coefficients to;  // null data: value only

  /// The coefficients of a pair, and whether its cc counts.
  struct Place {
    float* at;
    bool counted[2];
  };
  __device__ Place place(const Neighbours& n) const {
    const bool row = n.y >= compute.lo[1] && n.y < compute.hi[1];
    const auto column = [&](int x) { return row && x >= compute.lo[2] && x < compute.hi[2]; };
    return {to.data + to.offset(n.z, n.y, n.x), {column(n.x), column(n.x + 1)}};
  }

  static constexpr int quantities = 5, raws = 2, values = 2;
  template <int R>
  static constexpr int rows = 1;
  template <int R>
  static constexpr int blocks = 2;
  using Own = float;
  static constexpr int own = 0;
  static constexpr bool reads_own = false;
  __device__ const float* own_at(const Place&, int) const { return nullptr; }
  __device__ void add(float, const float (&value)[2], float (&sum)[5]) const {
    sum[0] += value[0];
    sum[1] += value[1];
    sum[2] = fmaf(value[0], value[0], sum[2]);
    sum[3] = fmaf(value[1], value[1], sum[3]);
    sum[4] = fmaf(value[0], value[1], sum[4]);
  }
};

/// Window sums of a, b, d -> gradient. Reads 20 B/voxel and writes 4.
struct GradientSums {
  static constexpr int quantities = 3, raws = 3, values = 3;
  static constexpr bool missing = false;
  template <int R>
  static constexpr int rows = 2;
  template <int R>
  static constexpr int blocks = 2;
  using Sum = NoSum;
  Coefficients from;
  View<const float> fixed, warped;
  View<float> grad;
  bool paired;

  struct Place {
    const float *f, *m;
    float* g;
  };
  using Own = float;
  static constexpr int own = 2;
  static constexpr bool reads_own = true;
  __device__ const float* own_at(const Place& p, int k) const { return k ? p.m : p.f; }
  __device__ float outside(int) const { return 0; }
  __device__ Place place(const Neighbours& n) const {
    return {&fixed(n.z, n.y, n.x), &warped(n.z, n.y, n.x), &grad(n.z, n.y, n.x)};
  }
  __device__ void next_plane(Place& p) const {
    p.f += fixed.stride_z;
    p.m += warped.stride_z;
    p.g += grad.stride_z;
  }
  FFDP_HD View<const float> view(int k) const {
    return dense_view<const float>(from.data + k * from.box.volume(), from.box);
  }
  __device__ void prepare(const float (&raw)[3], float (&value)[3]) const {
#pragma unroll
    for (int k = 0; k < 3; ++k) value[k] = raw[k];
  }
  __device__ void add(float, const float (&value)[3], float (&sum)[3]) const {
#pragma unroll
    for (int k = 0; k < 3; ++k) sum[k] += value[k];
  }
  /// The gradient at voxel i of a pair, from the sums and the intensities there.
  __device__ static float gradient(const float (&s)[3][2], const float (&fm)[own + 1][2], int i,
                                   float f_centre, float m_centre) {
    return (fm[0][i] - f_centre) * s[0][i] - (fm[1][i] - m_centre) * s[1][i] + s[2][i];
  }
};

/// The kernel that makes window sums of a box in one pass; the faster one for this radius.
template <int R, class Op>
using BoxSums = std::conditional_t<(R <= 2), Sweep<R, Op>, BoxPipeline<R, Op>>;
template <int R, class Op>
void box_sums(const Context& ctx, const BoxSums<R, Op>& shape, const Op& op, const Box& readable,
              const Box& box, typename Op::Sum* parts) {
  if constexpr (R <= 2)
    sweep<R, Stencil::box>(ctx, shape, op, {}, readable, box, parts);
  else
    box_pipeline(ctx, shape, op, readable, box, parts);
}

/// Runs both Ops for a cubic window of `radius` voxels: `windows` over windows.to.box, and, unless
/// gradient.grad is null, `gradient` over windows.compute. put(sum) gets the sum of `windows`; it
/// is made in the scratch `slot`.
/// @return  false, and nothing was done, if the device has too little shared memory
template <class Windows, class Gradient, class Put>
bool box_windows(Context& ctx, int radius, const Box& domain, Windows windows, Gradient gradient,
                 int slot, const Put& put) {
  bool done = false;
  with_radius(radius, [&]<int R>() {
    const Box& rows = windows.to.box;
    const BoxSums<R, Windows> first(domain, rows);
    const BoxSums<R, Gradient> second(domain, windows.compute);
    done = first.fits() && second.fits();
    if (!done) return;
    windows.paired = rows.volume() % 2 == 0 && paired_rows(windows.to.view(0), first.origin[2]);
    auto* parts = ctx.scratch<typename Windows::Sum>(slot, first.blocks());
    box_sums<R>(ctx, first, windows, intersect(grow(rows, R), domain), rows, parts);
    finish_sum(ctx, parts, first.blocks(), put);
    if (!gradient.grad) return;
    const int x = second.origin[2];
    gradient.paired = paired_rows(gradient.fixed, x) && paired_rows(gradient.warped, x) &&
                      paired_rows(gradient.grad, x);
    box_sums<R>(ctx, second, gradient, rows, windows.compute, nullptr);
  });
  return done;
}

}  // namespace ffdp::device
