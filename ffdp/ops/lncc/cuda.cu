// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "ffdp/ops/common/axis_sums.cuh"
#include "ffdp/ops/common/exact_sum.hpp"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/common/window_ops.cuh"
#include "ffdp/ops/lncc/backends.hpp"
#include "ffdp/ops/lncc/math.hpp"

namespace ffdp::lncc {
namespace {

enum Slot {
  parts_slot = 1,
  taps_slot = 2,
  edge_slot = 3,  // one per axis
  sums_slot = axis_slots,
  axis_slot,
  workspace_slot = outer_slots
};

using device::Coefficients;

/// 1 / voxels (or 1 / weight) of a window, as a product of one factor per axis: counted for a box,
/// read from arrays for a Gaussian, constant for a padded box.
struct WindowSize {
  Box domain, box;
  int radius;
  bool padded;
  float inverse_side, whole;  ///< whole: voxels of a window that the image edge does not cut
  const float* axis[3];
  /// 1 / voxels of a window that the image edge does not cut. It has the bits of the general
  /// formula, because results must not depend on where tiles lie.
  template <bool counted>
  __device__ float inverse_whole() const {
    return counted ? reciprocal(whole) : inverse_side * inverse_side * inverse_side;
  }
  __device__ float inverse_along(int a, int i) const {
    return axis[a] ? axis[a][i - box.lo[a]] : inverse_count(a, i);
  }
  __device__ float inverse_count(int a, int i) const {
    const int lo = i - radius, hi = i + radius + 1;
    if (padded || (lo >= domain.lo[a] && hi <= domain.hi[a])) return inverse_side;
    return reciprocal(static_cast<float>(min(hi, domain.hi[a]) - max(lo, domain.lo[a])));
  }
};

/// Sum of cc and, if voxels may be missing, the number of voxels that count.
struct Part {
  double value = 0;
  std::int64_t weight = 0;
  __device__ void operator+=(const Part& other) {
    value += other.value;
    weight += other.weight;
  }
};
struct AddPart {
  MetricSum* to;
  std::int64_t counted;  ///< in advance
  __device__ void operator()(const Part& sum) const {
    to->value += sum.value;
    to->weight += static_cast<double>(sum.weight + counted);
  }
};

/// Window sums of F, M, F^2, M^2, F M -> cc, a, b, d. Reads 8 B/voxel and writes 12.
template <bool Missing>
struct Windows : device::MomentSums {
  static constexpr bool missing = Missing;
  using Sum = Part;
  View<const float> fixed, warped;
  float f_centre, m_centre, f_floor, m_floor;
  WindowSize size;
  std::int64_t plane, volume;  // of `to`
  ExactShare rounded;
  bool paired;

  FFDP_HD View<const float> view(int k) const { return k ? warped : fixed; }
  __device__ float outside(int k) const { return k ? m_centre : f_centre; }
  __device__ void next_plane(Place& p) const { p.at += plane; }
  __device__ void prepare(const float (&raw)[2], float (&value)[2]) const {
    value[0] = raw[0] - f_centre;
    value[1] = raw[1] - m_centre;
  }
  __device__ void emit(const Place& p, const device::Neighbours& n, const float (&s)[5][2],
                       const device::WindowState& state, const float (&)[own + 1][2],
                       Sum& total) const {
    float a[2], b[2], d[2], cc[2];
    const auto make = [&](int i, float inverse) {
      const auto t = terms(inverse, s[0][i], s[1][i], s[2][i], s[3][i], s[4][i], f_floor, m_floor);
      a[i] = t.a;
      b[i] = t.b;
      d[i] = t.d;
      cc[i] = t.cc;
    };
    bool valid[2] = {true, true};
    if (state.whole && n.full) {
#pragma unroll
      for (int i = 0; i < 2; ++i) make(i, size.template inverse_whole<Missing>());
    } else {
      const float row = Missing ? 0.0F : size.inverse_along(0, n.z) * size.inverse_along(1, n.y);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        valid[i] = i >= n.skip && i < n.end;
        if (valid[i] && !state.clean)
          valid[i] = !device::absent(fixed(n.z, n.y, n.x + i), warped(n.z, n.y, n.x + i));
        if (valid[i])
          make(i, Missing ? reciprocal(state.count[i]) : row * size.inverse_along(2, n.x + i));
        else
          a[i] = b[i] = d[i] = 0;
      }
    }
    if (n.z >= compute.lo[0] && n.z < compute.hi[0]) {
      float sum = 0;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (!valid[i] || !p.counted[i]) continue;
        sum += rounded(cc[i]);
        if (Missing) ++total.weight;
      }
      total.value += double{sum};
    }
    if (!to.data) return;
    device::store_pair(p.at, n.skip, n.end, n.full, a);
    device::store_pair(p.at + volume, n.skip, n.end, n.full, b);
    device::store_pair(p.at + 2 * volume, n.skip, n.end, n.full, d);
  }
};

template <bool Missing>
struct Gradient : device::GradientSums {
  float f_centre, m_centre;

  __device__ void emit(const Place& p, const device::Neighbours& n, const float (&s)[3][2],
                       const device::WindowState&, const float (&fm)[own + 1][2], Sum&) const {
    float g[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      g[i] = gradient(s, fm, i, f_centre, m_centre);
      if (Missing && !(g[i] == g[i])) g[i] = 0;
    }
    device::store_pair(p.g, n.skip, n.end, n.full, g);
  }
};

/// Calls Op::emit with window sums that three passes (one per axis) have made, quantity by
/// quantity. `sums` has dense fields over `box`: the Q sums, then the weight of voxels that are not
/// missing.
template <class Op>
__global__ void __launch_bounds__(device::tile_threads)
    emit_kernel(Op op, Box box, int planes, View<const float> sums, std::int64_t volume,
                typename Op::Sum* parts) {
  const device::Column column = device::thread_column(box, planes);
  const int y = column.y, x = column.x;
  typename Op::Sum total{};
  if (column.in_box)
    for (int z = column.z_lo; z < column.z_hi; ++z) {
      float s[Op::quantities][2] = {};
      const float* at = &sums(z, y, x);
#pragma unroll
      for (int q = 0; q < Op::quantities; ++q) s[q][0] = at[q * volume];
      const float weight = Op::missing ? at[Op::quantities * volume] : 0.0F;
      const device::Neighbours one{z, y, x, 0, 1, false};
      const auto place = op.place(one);
      float own[Op::own + 1][2];
#pragma unroll
      for (int k = 0; k < Op::own; ++k) own[k][0] = *op.own_at(place, k);
      op.emit(place, one, s, {false, false, {weight, 0}}, own, total);
    }
  if (!parts) return;
  const int thread = threadIdx.y * device::tile_x + threadIdx.x;
  total = device::block_sum(thread, total);
  if (thread == 0)
    parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
}

template <class Op>
void any_window(Context& ctx, const Op& op, const std::vector<float>& taps, const Box& domain,
                const Box& box, typename Op::Sum* parts) {
  const int radius = static_cast<int>(taps.size()) / 2;
  const float* device_taps = device::upload(ctx, taps_slot, taps);
  const float* const three[3] = {device_taps, device_taps, device_taps};
  const Box readable = intersect(grow(box, radius), domain);
  const std::int64_t volume = box.volume();
  constexpr int fields = Op::quantities + Op::missing;
  auto* sums = ctx.scratch<float>(sums_slot, fields * volume);
  auto* axis = ctx.scratch<float>(axis_slot, 2 * readable.volume());
  for (int field = 0; field < fields; ++field)
    device::three_axis_sums(
        ctx, three, {radius, radius, radius}, readable, box,
        [=] __device__(int z, int y, int x) {
          float raw[Op::raws], value[Op::values], sum[Op::quantities] = {};
          for (int k = 0; k < Op::raws; ++k) raw[k] = op.view(k)(z, y, x);
          if (Op::missing && device::absent(raw[0], raw[1])) return 0.0F;
          op.prepare(raw, value);
          op.add(1, value, sum);
          float result = 1;
          for (int q = 0; q < Op::quantities; ++q) result = q == field ? sum[q] : result;
          return result;
        },
        axis, device::dense_view(sums + field * volume, box));
  const device::Tiles tiles = device::tiles_of(box);
  emit_kernel<<<tiles.grid, dim3(device::tile_x, device::tile_y), 0, stream_of(ctx)>>>(
      op, box, tiles.planes, device::dense_view(sums, box), volume, parts);
  check(cudaGetLastError());
}

template <bool Missing>
void run_windows(Context& ctx, const Params& p, const Box& domain, const Box& compute,
                 const Images<float>& images, View<float> grad, VectorView<float> workspace,
                 MetricSum* sum) {
  const View<const float> fixed = images.fixed, warped = images.warped;
  const int radius = reach(p);
  const bool gaussian = p.window == Window::gaussian;
  const Box rows = grad ? intersect(grow(compute, radius), domain) : compute;
  Coefficients abd{nullptr, rows};
  if (grad)
    abd.data = workspace ? workspace.data : ctx.scratch<float>(workspace_slot, 3 * rows.volume());
  WindowSize size{domain,
                  rows,
                  radius,
                  p.window == Window::zero_padded_box,
                  1.0F / static_cast<float>(2 * radius + 1),
                  static_cast<float>(std::pow(2 * radius + 1, 3)),
                  {}};
  std::vector<float> taps(2 * radius + 1, 1.0F);
  if (gaussian) {
    taps = gaussian_taps(p.sigma);
    for (int a = 0; a < 3; ++a) {
      std::vector<float> weight;
      for (int i = rows.lo[a]; i < rows.hi[a]; ++i) {
        double sum = 0;
        for (int k = -radius; k <= radius; ++k)
          if (i + k >= domain.lo[a] && i + k < domain.hi[a]) sum += taps[k + radius];
        weight.push_back(static_cast<float>(1 / sum));
      }
      size.axis[a] = device::upload(ctx, edge_slot + a, weight);
    }
  }
  Windows<Missing> windows{{compute, abd},
                           fixed,
                           warped,
                           p.fixed_centre,
                           p.moving_centre,
                           std::max(p.fixed_floor, 1e-30F),
                           std::max(p.moving_floor, 1e-30F),
                           size,
                           std::int64_t{rows.size(1)} * rows.size(2),
                           rows.volume(),
                           ExactShare(domain.volume()),
                           false};
  Gradient<Missing> gradient{{abd, fixed, warped, grad, false}, p.fixed_centre, p.moving_centre};
  const AddPart add{sum, Missing ? 0 : compute.volume()};
  if (!gaussian && radius <= device::widest_stencil &&
      device::box_windows(ctx, radius, domain, windows, gradient, parts_slot, add))
    return;
  const device::Tiles tiles = device::tiles_of(rows);
  const std::int64_t blocks = std::int64_t{tiles.grid.x} * tiles.grid.y * tiles.grid.z;
  Part* parts = ctx.scratch<Part>(parts_slot, blocks);
  any_window(ctx, windows, taps, domain, rows, parts);
  device::finish_sum(ctx, parts, blocks, add);
  if (grad) any_window(ctx, gradient, taps, domain, compute, nullptr);
}

}  // namespace

template <>
void On<Backend::cuda>::forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                                         const Images<float>& images, View<float> grad,
                                         VectorView<float> workspace, MetricSum* sum) {
  if (p.missing_values)
    run_windows<true>(ctx, p, domain, compute, images, grad, workspace, sum);
  else
    run_windows<false>(ctx, p, domain, compute, images, grad, workspace, sum);
}

}  // namespace ffdp::lncc
