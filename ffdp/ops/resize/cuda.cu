// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "ffdp/ops/common/axis_weights.cuh"
#include "ffdp/ops/common/slots.hpp"
#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/resize/backends.hpp"
#include "ffdp/ops/resize/math.hpp"

namespace ffdp::resize {
namespace {

// Tables: two slots per axis.
enum Slot {
  half_slot,
  row_slot,
  table_slot,  // two per axis
  share_half_slot = outer_slots,
  share_row_slot
};

/// The first pass of an image with a mask: sums of the voxels that count, and of their weights.
template <class T>
struct MaskedPass {
  int count, lo;
  const int* first;
  const float* weights;
  float scale, offset;
  View<const T> in;
  View<const std::uint8_t> mask;
  View<float> out, share;

  __device__ void operator()(int z, int y, int x) const {
    const int i = z - lo, from = first[i];
    float sum = 0, counted = 0;
    for (int k = 0; k < count; ++k) {
      if (mask(from + k, y, x) == 0) continue;
      const float w = weights[static_cast<std::int64_t>(i) * count + k];
      sum += w * (offset + scale * to_float(in(from + k, y, x)));
      counted += w;
    }
    out(z, y, x) = sum;
    share(z, y, x) = counted;
  }
};

void pass(Context& ctx, int axis, const AxisWeights& w, const Box& compute, const ImageView& in,
          View<float> out) {
  const int* first = device::upload(ctx, table_slot + 2 * axis, w.first);
  const float* weights = device::upload(ctx, table_slot + 2 * axis + 1, w.weights);
  visit(in, [&]<class T>(View<const T> image) {
    const device::AxisPass<T> one{
        axis, w.count, compute.lo[axis], first, weights, in.scale, in.offset, image, out};
    device::for_each_voxel(ctx, compute, one);
  });
}

View<float> scratch_view(Context& ctx, int slot, const Box& box) {
  return device::dense_view(ctx.scratch<float>(slot, box.volume()), box);
}

/// What the pass along z makes of `reach`.
Box planes_of(const Box& reach, const Box& compute) {
  Box planes = reach;
  planes.lo[0] = compute.lo[0];
  planes.hi[0] = compute.hi[0];
  return planes;
}

/// The passes along y and x.
void finish(Context& ctx, const std::array<AxisWeights, 3>& weights, View<float> planes, int slot,
            const Box& compute, View<float> out) {
  Box box = planes.stored;
  box.lo[1] = compute.lo[1];
  box.hi[1] = compute.hi[1];
  const View<float> rows = scratch_view(ctx, slot, box);
  pass(ctx, 1, weights[1], box, planes, rows);
  pass(ctx, 2, weights[2], compute, rows, out);
}

}  // namespace

/// Planes, then rows, then voxels; the two intermediate images are smaller than the input by the
/// factors of the axes already done.
template <>
void On<Backend::cuda>::shrink(Context& ctx, const std::array<AxisWeights, 3>& weights, Box reach,
                               Box compute, const ImageView& in, View<float> out) {
  const View<float> planes = scratch_view(ctx, half_slot, planes_of(reach, compute));
  pass(ctx, 0, weights[0], planes.stored, in, planes);
  finish(ctx, weights, planes, row_slot, compute, out);
}

/// Likewise for the sums and for their weights, then their ratio. Reads 1 B/voxel more, and twice
/// the intermediate images.
template <>
void On<Backend::cuda>::shrink_masked(Context& ctx, const std::array<AxisWeights, 3>& weights,
                                      Box reach, Box compute, const ImageView& in,
                                      View<const std::uint8_t> mask, View<float> out,
                                      View<float> coverage) {
  const Box box = planes_of(reach, compute);
  const View<float> planes = scratch_view(ctx, half_slot, box);
  const View<float> share_planes = scratch_view(ctx, share_half_slot, box);
  const int* first = device::upload(ctx, table_slot, weights[0].first);
  const float* w = device::upload(ctx, table_slot + 1, weights[0].weights);
  visit(in, [&]<class T>(View<const T> image) {
    const MaskedPass<T> one{weights[0].count, compute.lo[0], first, w,      in.scale,
                            in.offset,        image,         mask,  planes, share_planes};
    device::for_each_voxel(ctx, box, one);
  });
  finish(ctx, weights, planes, row_slot, compute, out);
  finish(ctx, weights, share_planes, share_row_slot, compute, coverage);
  device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
    const float share = coverage(z, y, x);
    out(z, y, x) = share > 0 ? out(z, y, x) / share : 0.0F;
  });
}

/// Writes 12 B/voxel of the new grid.
template <>
void On<Backend::cuda>::displacement(Context& ctx, const Domains& domains, Box compute,
                                     VectorView<const float> in, VectorView<float> out) {
  const AxisCell* cells[3];
  float rescale[3];
  for (int a = 0; a < 3; ++a) {
    const int from = domains.from.size(a), to = domains.to.size(a);
    rescale[a] = static_cast<float>(static_cast<double>(to) / from);
    std::vector<AxisCell> axis;
    for (int i = compute.lo[a]; i < compute.hi[a]; ++i) {
      const double q = std::clamp(centre(i - domains.to.lo[a], from, to), 0.0, from - 1.0);
      const int lower = std::min(static_cast<int>(q), std::max(from - 2, 0));
      axis.push_back({domains.from.lo[a] + lower, static_cast<float>(q - lower), true, false});
    }
    cells[a] = device::upload(ctx, table_slot + a, axis);
  }
  const AxisCell *az = cells[0], *ay = cells[1], *ax = cells[2];
  const float scale_z = rescale[0], scale_y = rescale[1], scale_x = rescale[2];
  device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
    const AxisCell cz = az[z - compute.lo[0]], cy = ay[y - compute.lo[1]],
                   cx = ax[x - compute.lo[2]];
    const std::int64_t base = in[0].offset(cz.lower, cy.lower, cx.lower);
    const std::int64_t oz = cz.fraction > 0 ? in.stride_z : 0;
    const std::int64_t oy = cy.fraction > 0 ? in.stride_y : 0;
    const int ox = cx.fraction > 0 ? 1 : 0;
    const float scale[3] = {scale_z, scale_y, scale_x};
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      const float* d = in.data + c * in.stride_c + base;
      const float v[8] = {d[0],  d[ox],      d[oy],      d[oy + ox],
                          d[oz], d[oz + ox], d[oz + oy], d[oz + oy + ox]};
      out[c](z, y, x) = scale[c] * trilinear(v, cz.fraction, cy.fraction, cx.fraction);
    }
  });
}

}  // namespace ffdp::resize
