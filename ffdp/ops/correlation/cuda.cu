// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/ops/common/window_ops.cuh"
#include "ffdp/ops/correlation/backends.hpp"
#include "ffdp/ops/correlation/math.hpp"

namespace ffdp::correlation {
namespace {

enum Slot { coefficients_slot, parts_slot, sums_slot, first_slot, second_slot };

using Total = device::Sums<2>;

/// Centres of the intensities of fixed and warped.
struct Centres {
  const float* data;
  float value[2] = {};  ///< what `data` points to, once a kernel has read it

  __device__ void start() {
    value[0] = data[0];
    value[1] = data[1];
  }
};

using device::Coefficients;

/// Window sums of F, M, F^2, M^2, F M -> cc, a, b, d. Reads 8 B/voxel and writes 12. A WindowOp.
struct Windows : device::MomentSums {
  static constexpr bool missing = false;
  using Sum = Total;
  View<const float> fixed, warped, weight;
  Centres centres;
  Rule<float> rule;
  View<float> map;
  bool paired;

  __device__ void start() { centres.start(); }
  FFDP_HD View<const float> view(int k) const { return k ? warped : fixed; }
  __device__ float outside(int) const { return 0; }
  __device__ void next_plane(Place& p) const {
    p.at += std::int64_t{to.box.size(1)} * to.box.size(2);
  }
  __device__ void prepare(const float (&raw)[2], float (&value)[2]) const {
    value[0] = raw[0] - centres.value[0];
    value[1] = raw[1] - centres.value[1];
  }
  __device__ void emit(const Place& p, const device::Neighbours& n, const float (&s)[5][2],
                       const device::WindowState&, const float (&)[own + 1][2], Sum& total) const {
    float a[2], b[2], d[2], cc[2], w[2] = {1, 1};
    if (weight) device::load_pair(&weight(n.z, n.y, n.x), n.skip, n.end, false, w);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const auto t = terms(rule, s[0][i], s[1][i], s[2][i], s[3][i], s[4][i]);
      a[i] = w[i] * t.a;
      b[i] = w[i] * t.b;
      d[i] = w[i] * t.d;
      cc[i] = t.cc;
    }
    if (n.z >= compute.lo[0] && n.z < compute.hi[0]) {
      float sum = 0, weights = 0;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (i < n.skip || i >= n.end || !p.counted[i]) continue;
        sum += w[i] * cc[i];
        weights += w[i];
        if (map) map(n.z, n.y, n.x + i) = cc[i];
      }
      total.v[0] += double{sum};
      total.v[1] += double{weights};
    }
    if (!to.data) return;
    const std::int64_t volume = to.box.volume();
    device::store_pair(p.at, n.skip, n.end, n.full, a);
    device::store_pair(p.at + volume, n.skip, n.end, n.full, b);
    device::store_pair(p.at + 2 * volume, n.skip, n.end, n.full, d);
  }
};

struct Gradient : device::GradientSums {
  Centres centres;

  __device__ void start() { centres.start(); }
  __device__ void emit(const Place& p, const device::Neighbours& n, const float (&s)[3][2],
                       const device::WindowState&, const float (&fm)[own + 1][2], Sum&) const {
    float g[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) g[i] = gradient(s, fm, i, centres.value[0], centres.value[1]);
    device::store_pair(p.g, n.skip, n.end, n.full, g);
  }
};

/// Radius of a cubic box for which there is a streaming kernel; 0 for other windows.
int box_radius(const Params& p) {
  const int radius = reach(p, 0);
  for (const auto& taps : p.taps)
    for (double tap : taps)
      if (reach(p, 1) != radius || reach(p, 2) != radius || tap != 1) return 0;
  return radius <= device::widest_stencil ? radius : 0;
}

/// Weights of a window along one axis, as a kernel argument. So nothing is copied to the device,
/// and a captured graph contains them.
struct Taps {
  float weight[63];
  int radius;
  explicit Taps(const std::vector<double>& taps) : weight{}, radius(int(taps.size()) / 2) {
    for (std::size_t k = 0; k < taps.size(); ++k) weight[k] = static_cast<float>(taps[k]);
  }
};

/// Weighted sums along one axis of load(z, y, x), over out.stored. load must return the value
/// outside the domain, too.
template <class Load>
void axis_sums(const Context& ctx, int axis, const Taps& taps, const Load& load, View<float> out) {
  device::for_each_voxel(ctx, out.stored, [=] __device__(int z, int y, int x) {
    // Not float: where most of a window is padding, its variance is a small difference of large
    // sums.
    double sum = 0;
    for (int k = -taps.radius; k <= taps.radius; ++k)
      sum += double{taps.weight[k + taps.radius]} *
             double{load(axis == 0 ? z + k : z, axis == 1 ? y + k : y, axis == 2 ? x + k : x)};
    out(z, y, x) = static_cast<float>(sum);
  });
}

/// Window sums of one quantity for any window, in three passes. `load` may be called for any voxel.
template <class Load>
void any_sums(Context& ctx, const Params& p, const Load& load, View<float> out) {
  Box planes = out.stored, rows = planes;
  planes.lo[0] -= reach(p, 0);
  planes.hi[0] += reach(p, 0);
  rows.lo[0] = planes.lo[0];
  rows.hi[0] = planes.hi[0];
  rows.lo[1] -= reach(p, 1);
  rows.hi[1] += reach(p, 1);
  const auto first = device::dense_view(ctx.scratch<float>(first_slot, rows.volume()), rows);
  const auto second = device::dense_view(ctx.scratch<float>(second_slot, planes.volume()), planes);
  axis_sums(ctx, 2, Taps(p.taps[2]), load, first);
  axis_sums(
      ctx, 1, Taps(p.taps[1]), [=] __device__(int z, int y, int x) { return first(z, y, x); },
      second);
  axis_sums(
      ctx, 0, Taps(p.taps[0]), [=] __device__(int z, int y, int x) { return second(z, y, x); },
      out);
}

template <class Op>
__device__ void emit_one(Op op, const float* sums, std::int64_t volume, int z, int y, int x,
                         typename Op::Sum& total) {
  op.start();
  float s[Op::quantities][2] = {}, own[Op::own + 1][2] = {};
  for (int q = 0; q < Op::quantities; ++q) s[q][0] = sums[q * volume];
  const device::Neighbours one{z, y, x, 0, 1, false};
  const auto place = op.place(one);
  for (int k = 0; k < Op::own; ++k) own[k][0] = *op.own_at(place, k);
  op.emit(place, one, s, {}, own, total);
}

/// All sums of an Op over `box`, as consecutive dense fields.
template <class Op>
View<float> all_sums(Context& ctx, const Params& p, const Op& op, const Box& domain,
                     const Box& box) {
  const auto sums = ctx.scratch<float>(sums_slot, Op::quantities * box.volume());
  for (int q = 0; q < Op::quantities; ++q)
    any_sums(
        ctx, p,
        [=] __device__(int z, int y, int x) {
          float raw[Op::raws], value[Op::values], sum[Op::quantities] = {};
          const bool inside = domain.contains(z, y, x);
          for (int k = 0; k < Op::raws; ++k) {
            const View<const float> view = op.view(k);
            raw[k] = inside && view.stored.contains(z, y, x) ? view(z, y, x) : op.outside(k);
          }
          Op started = op;
          started.start();
          started.prepare(raw, value);
          started.add(1, value, sum);
          float result = 0;
          for (int i = 0; i < Op::quantities; ++i) result = i == q ? sum[i] : result;
          return result;
        },
        device::dense_view(sums + q * box.volume(), box));
  return device::dense_view(sums, box);
}

void any_window(Context& ctx, const Params& p, const Windows& windows, const Gradient& gradient,
                const Box& domain, MetricSum* sum) {
  const Box& box = windows.to.box;
  const View<float> sums = all_sums(ctx, p, windows, domain, box);
  const std::int64_t volume = box.volume();
  device::sum_voxels<Total>(
      ctx, box,
      [=] __device__(int z, int y, int x, Total& total) {
        emit_one(windows, &sums(z, y, x), volume, z, y, x, total);
      },
      device::AddTo{sum});
  if (!gradient.grad) return;
  const Box compute = windows.compute;
  const View<float> adjoint = all_sums(ctx, p, gradient, domain, compute);
  const std::int64_t count = compute.volume();
  device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
    device::NoSum none;
    emit_one(gradient, &adjoint(z, y, x), count, z, y, x, none);
  });
}

}  // namespace

/// The volume is processed in two halves, so that the coefficients take 6 B/voxel and not 12.
template <>
template <>
void On<Backend::cuda>::forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                                         const Images<float>& images, const float* centres,
                                         View<const float> weight, const Outputs<float>& outputs) {
  const int radius = box_radius(p);
  const int slabs = compute.size(0) >= 64 ? 2 : 1;
  const int planes = ((compute.size(0) + slabs - 1) / slabs + 1) / 2 * 2;
  for (int z = compute.lo[0]; z < compute.hi[0]; z += planes) {
    Box slab = compute;
    slab.lo[0] = z;
    slab.hi[0] = std::min(z + planes, compute.hi[0]);
    const Box box = outputs.grad
                        ? intersect(grow(slab, {reach(p, 0), reach(p, 1), reach(p, 2)}), domain)
                        : slab;
    Coefficients abd{nullptr, box};
    if (outputs.grad) abd.data = ctx.scratch<float>(coefficients_slot, 3 * box.volume());
    const Windows windows{{slab, abd}, images.fixed,      images.warped, weight,
                          {centres},   rule_of<float>(p), outputs.map,   false};
    const Gradient gradient{{abd, images.fixed, images.warped, outputs.grad, false}, {centres}};
    if (radius == 0 || !device::box_windows(ctx, radius, domain, windows, gradient, parts_slot,
                                            device::AddTo{outputs.sum}))
      any_window(ctx, p, windows, gradient, domain, outputs.sum);
  }
}

}  // namespace ffdp::correlation
