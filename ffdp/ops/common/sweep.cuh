// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/sweep_summer.cuh"
#include "ffdp/ops/common/window_op.cuh"

/// Separable stencils of a small reach over several quantities in one pass: sums along y in
/// registers, along x by shuffles, along z in registers. Each voxel is read once and written once.
namespace ffdp::device {

/// A warp makes H = Op::rows<R> rows of 64 - 4 margin voxels and marches along z. A lane makes two
/// neighbours of each row; the `margin` lanes at each end only serve the others. Planes are copied
/// to shared memory two steps before they are summed. There, voxels outside hold Op::outside, whose
/// quantities are 0. Sums along z wait in registers until their last plane has come. Op is a
/// WindowOp (window_op.cuh).
///
/// Where a box sum begins along an axis depends on the parity of the coordinate alone.
/// @param readable  part of the domain that may be read
/// @param origin    first voxel of the grid of tiles
template <int R, Stencil stencil, bool paired, int blocks, class Op>
__global__ void __launch_bounds__(sweep_threads, blocks)
    sweep_kernel(Op op, Weights weights, Box readable, Box box, Int3 origin, int planes,
                 typename Op::Sum* parts) {
  if constexpr (requires { op.start(); }) op.start();
  using Sizes = SweepSizes<R, Op>;
  constexpr int Q = Sizes::Q, H = Sizes::H;
  constexpr int phases = stencil == Stencil::box ? 2 : 1;  // steps that differ in how sums add up
  extern __shared__ float4 shared_planes[];
  const SweepBlock<R, Op> block(op, readable, box, origin, planes, shared_planes);
  bool makes[H];
  typename Op::Place reads[H], writes[H];  // in the next plane of which own fields come, or sums go
  place_rows(block, makes, reads, writes);
  clear_outside(block);
  const float* next[Op::raws];  // in the plane to be copied next
  const SweepLoader<R, paired, Op> loader(block, makes, reads, next);
#pragma unroll
  for (int k = 0; k < Op::raws; ++k)
    next[k] = op.view(k).row(block.z_lo - R, block.y0 - R + block.warp) + block.x;

  typename Op::Sum total{};
  SweepQueue<R, stencil, Q> queue[H];
  std::uint32_t counts[H][2] = {};
  int clean_planes = 0;
  const SweepSummer<R, stencil, paired, Op> summer{block, weights, loader,       makes, writes,
                                                   queue, counts,  clean_planes, total};
  int slot = 0;  // the stage in use
  const auto step = [&]<int phase>(int s) {
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    loader.fetch(s + 2, slot == 0 ? sweep_stages - 1 : slot - 1);
    summer.template step<phase>(s, slot);
    slot = slot == sweep_stages - 1 ? 0 : slot + 1;
  };
  loader.fetch(0, 0);
  loader.fetch(1, 1);
  for (int s = 0; s < block.steps; s += phases) {
    step.template operator()<0>(s);
    if constexpr (phases == 2)
      if (s + 1 < block.steps) step.template operator()<1>(s + 1);
  }
  if (parts) {
    total = block_sum(static_cast<int>(threadIdx.x), total);
    if (threadIdx.x == 0)
      parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
  }
}

/// Whether pairs of voxels from `x` on can be read with one access.
template <class T>
bool paired_rows(const View<T>& view, int x) {
  return aligned_runs(view, x, 2);
}

/// Runs the stencil over `box`. `parts` gets one partial sum per block; may be null.
template <int R, Stencil stencil, WindowOp Op>
void sweep(const Context& ctx, const Sweep<R, Op>& s, const Op& op, const Weights& weights,
           const Box& readable, const Box& box, typename Op::Sum* parts) {
  // All pairs lie inside, or outside.
  bool paired = (readable.lo[2] - s.origin[2]) % 2 == 0 && readable.size(2) % 2 == 0;
  for (int k = 0; k < Op::raws; ++k) paired = paired && paired_rows(op.view(k), s.origin[2]);
  constexpr int blocks = Op::template blocks<R>;
  const auto kernel = paired ? sweep_kernel<R, stencil, true, blocks, Op>
                             : sweep_kernel<R, stencil, false, blocks, Op>;
  constexpr int shared = sweep_stages * sizeof(typename SweepSizes<R, Op>::Stage);
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  kernel<<<s.grid, sweep_threads, shared, stream_of(ctx)>>>(op, weights, readable, box, s.origin,
                                                            s.planes, parts);
  check(cudaGetLastError());
}

}  // namespace ffdp::device
