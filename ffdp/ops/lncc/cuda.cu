// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "ffdp/ops/common/axis_sums.cuh"
#include "ffdp/ops/common/march.cuh"
#include "ffdp/ops/lncc/backends.hpp"
#include "ffdp/ops/lncc/math.hpp"

namespace ffdp::lncc::cuda {
namespace {

using device::run_x;
enum Slot {
  workspace_slot = 0,
  parts_slot = 1,
  taps_slot = 2,
  edge_slot = 3,
  sums_slot = 6,
  axis_slot = 7
};

/// The workspace: a, b, d of the windows centred in `box`, dense.
struct Coefficients {
  float* data;
  Box box;
  __device__ std::int64_t offset(int z, int y, int x) const {
    return (std::int64_t{z - box.lo[0]} * box.size(1) + (y - box.lo[1])) * box.size(2) +
           (x - box.lo[2]);
  }
};

/// 1 / voxels (or weight) of a window, the product of three factors: counted for a box, from arrays
/// for a Gaussian, constant where padding counts.
struct WindowSize {
  Box domain, box;
  int radius;
  bool padded;
  float inverse_side;
  const float* axis[3];
  __device__ float inverse_along(int a, int i) const {
    if (axis[a]) return axis[a][i - box.lo[a]];
    const int lo = i - radius, hi = i + radius + 1;
    if (padded || (lo >= domain.lo[a] && hi <= domain.hi[a])) return inverse_side;
    return 1.0F / static_cast<float>(min(hi, domain.hi[a]) - max(lo, domain.lo[a]));
  }
};

/// Window sums of F, M, F^2, M^2, F M (and of 1 where voxels may be missing) -> cc, a, b, d.
/// Reads 8 B/voxel and writes 12.
template <bool Missing>
struct Windows {
  static constexpr int quantities = Missing ? 6 : 5, raws = 2, values = Missing ? 3 : 2;
  /// Pending sums of five quantities: 128 registers spill, and spilling costs more than warps.
  template <int R>
  static constexpr bool roomy = !Missing && R <= 2;
  template <int R>
  static constexpr int chunk = roomy<R> ? device::run_y : 4;
  template <int R>
  static constexpr int blocks = roomy<R> ? 1 : 2;
  using Sum = device::Sums<2>;
  View<const float> fixed, warped;
  float f_centre, m_centre, f_floor, m_floor;
  Box compute;
  Coefficients to;  // null data: value only
  WindowSize size;

  FFDP_HD View<const float> view(int, int k) const { return k ? warped : fixed; }
  __device__ void prepare(int, int, int, bool inside, const float (&raw)[2],
                          float (&value)[values]) const {
    const bool valid = inside && (!Missing || (raw[0] == raw[0] && raw[1] == raw[1]));
    value[0] = valid ? raw[0] - f_centre : 0.0F;
    value[1] = valid ? raw[1] - m_centre : 0.0F;
    if constexpr (Missing) value[2] = valid ? 1.0F : 0.0F;
  }
  __device__ float quantity(int q, const float (&value)[values]) const {
    switch (q) {
      case 0:
        return value[0];
      case 1:
        return value[1];
      case 2:
        return value[0] * value[0];
      case 3:
        return value[1] * value[1];
      case 4:
        return value[0] * value[1];
      default:
        return value[values - 1];
    }
  }
  __device__ void emit(int, int z, int y, int x, int n, const float (&s)[quantities][run_x],
                       Sum& total) const {
    float a[run_x], b[run_x], d[run_x];
    const bool counted =
        z >= compute.lo[0] && z < compute.hi[0] && y >= compute.lo[1] && y < compute.hi[1];
    const float plane = Missing ? 0.0F : size.inverse_along(0, z) * size.inverse_along(1, y);
#pragma unroll
    for (int i = 0; i < run_x; ++i) {
      if (i >= n) continue;
      const float inverse =
          Missing ? 1.0F / s[quantities - 1][i] : plane * size.inverse_along(2, x + i);
      auto t = terms(inverse, s[0][i], s[1][i], s[2][i], s[3][i], s[4][i], f_floor, m_floor);
      bool valid = true;
      if constexpr (Missing) {
        const float f = fixed(z, y, x + i), m = warped(z, y, x + i);
        valid = f == f && m == m;
      }
      a[i] = valid ? t.a : 0.0F;
      b[i] = valid ? t.b : 0.0F;
      d[i] = valid ? t.d : 0.0F;
      if (valid && counted && x + i >= compute.lo[2] && x + i < compute.hi[2]) {
        total.v[0] += t.cc;
        total.v[1] += 1;
      }
    }
    if (!to.data) return;
    float* at = to.data + to.offset(z, y, x);
    const std::int64_t volume = to.box.volume();
    device::store_run(at, n, a);
    device::store_run(at + volume, n, b);
    device::store_run(at + 2 * volume, n, d);
  }
};

/// Window sums of a, b, d -> gradient. Reads 20 B/voxel and writes 4.
template <bool Missing>
struct Gradient {
  static constexpr int quantities = 3, raws = 3, values = 3;
  template <int R>
  static constexpr int chunk = device::run_y;
  template <int R>
  static constexpr int blocks = 2;
  using Sum = device::NoSum;
  Coefficients from;
  View<const float> fixed, warped;
  View<float> grad;
  float f_centre, m_centre;

  FFDP_HD View<const float> view(int, int k) const {
    const Box& box = from.box;
    return {from.data + k * box.volume(), box, std::int64_t{box.size(1)} * box.size(2),
            box.size(2)};
  }
  __device__ void prepare(int, int, int, bool inside, const float (&raw)[3],
                          float (&value)[3]) const {
#pragma unroll
    for (int k = 0; k < 3; ++k) value[k] = inside ? raw[k] : 0.0F;
  }
  __device__ float quantity(int q, const float (&raw)[3]) const { return raw[q]; }
  __device__ void emit(int, int z, int y, int x, int n, const float (&s)[3][run_x], Sum&) const {
    float f[run_x], m[run_x], g[run_x];
    device::load_run(&fixed(z, y, x), n, f);
    device::load_run(&warped(z, y, x), n, m);
#pragma unroll
    for (int i = 0; i < run_x; ++i) {
      g[i] = (f[i] - f_centre) * s[0][i] - (m[i] - m_centre) * s[1][i] + s[2][i];
      if (Missing && !(g[i] == g[i])) g[i] = 0;
    }
    device::store_run(&grad(z, y, x), n, g);
  }
};

/// Window sums of any window by three passes an axis each, quantity by quantity, into `sums`
/// (Q dense fields over `box`), then the Op's emit. Extra memory: Q + 2 fields.
template <class Op>
__global__ void __launch_bounds__(device::tile_threads)
    emit_kernel(Op op, Box box, int planes, View<const float> sums, std::int64_t volume,
                typename Op::Sum* parts) {
  const int x = box.lo[2] + static_cast<int>(blockIdx.x) * device::tile_x + threadIdx.x;
  const int y = box.lo[1] + static_cast<int>(blockIdx.y) * device::tile_y + threadIdx.y;
  const int z_lo = box.lo[0] + static_cast<int>(blockIdx.z) * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]);
  typename Op::Sum total{};
  if (x < box.hi[2] && y < box.hi[1])
    for (int z = z_lo; z < z_hi; ++z) {
      float s[Op::quantities][run_x] = {};
      for (int q = 0; q < Op::quantities; ++q) s[q][0] = (&sums(z, y, x))[q * volume];
      op.emit(0, z, y, x, 1, s, total);
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
  const std::int64_t volume = box.volume(), wide = readable.volume();
  auto* sums = ctx.scratch<float>(sums_slot, Op::quantities * volume);
  auto* axis = ctx.scratch<float>(axis_slot, 2 * wide);
  for (int q = 0; q < Op::quantities; ++q)
    device::three_axis_sums(
        ctx, three, {radius, radius, radius}, readable, box,
        [=] __device__(int z, int y, int x) {
          float raw[Op::raws], value[Op::values];
          for (int k = 0; k < Op::raws; ++k) raw[k] = op.view(0, k)(z, y, x);
          op.prepare(z, y, x, true, raw, value);
          return op.quantity(q, value);
        },
        axis, axis + wide, device::dense_view(sums + q * volume, box));
  const device::Tiles tiles = device::tiles_of(box);
  emit_kernel<<<tiles.grid, dim3(device::tile_x, device::tile_y), 0, stream_of(ctx)>>>(
      op, box, tiles.planes, device::dense_view(sums, box), volume, parts);
  check(cudaGetLastError());
}

template <bool Missing>
void evaluate(Context& ctx, const Params& p, const Box& domain, const Box& compute,
              View<const float> fixed, View<const float> warped, View<float> grad,
              VectorView<float> workspace, MetricSum* sum) {
  const int radius = reach(p);
  const bool gaussian = p.window == Window::gaussian;
  const bool marches = !gaussian && radius <= device::widest_march;
  const Box rows = grad ? intersect(grow(compute, radius), domain) : compute;
  Coefficients abd{nullptr, rows};
  if (grad)
    abd.data = workspace ? workspace.data : ctx.scratch<float>(workspace_slot, 3 * rows.volume());
  WindowSize size{domain,
                  rows,
                  radius,
                  p.window == Window::zero_padded_box,
                  1.0F / static_cast<float>(2 * radius + 1),
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
  const Windows<Missing> windows{fixed,           warped,        p.fixed_centre,
                                 p.moving_centre, p.fixed_floor, p.moving_floor,
                                 compute,         abd,           size};
  const Gradient<Missing> gradient{abd, fixed, warped, grad, p.fixed_centre, p.moving_centre};

  const device::March m = device::march_of(rows, 1);
  const device::Tiles tiles = device::tiles_of(rows);
  const std::int64_t blocks =
      marches ? m.blocks() : std::int64_t{tiles.grid.x} * tiles.grid.y * tiles.grid.z;
  using Sum = device::Sums<2>;
  Sum* parts = ctx.scratch<Sum>(parts_slot, blocks);
  if (marches) {
    device::with_radius(radius, [&]<int R>() {
      device::march<R, device::Stencil::box>(ctx, m, windows, {},
                                             intersect(grow(rows, radius), domain), rows, parts);
      if (grad)
        device::march<R, device::Stencil::box>(ctx, device::march_of(compute, 1), gradient, {},
                                               rows, compute, nullptr);
    });
  } else {
    any_window(ctx, windows, taps, domain, rows, parts);
    if (grad) any_window(ctx, gradient, taps, domain, compute, nullptr);
  }
  device::finish_sum(ctx, parts, blocks, device::AddTo{sum});
}

}  // namespace

void forward_backward(Context& ctx, const Params& p, Box domain, Box compute,
                      View<const float> fixed, View<const float> warped, View<float> grad,
                      VectorView<float> workspace, MetricSum* sum) {
  if (p.missing_values)
    evaluate<true>(ctx, p, domain, compute, fixed, warped, grad, workspace, sum);
  else
    evaluate<false>(ctx, p, domain, compute, fixed, warped, grad, workspace, sum);
}

}  // namespace ffdp::lncc::cuda
