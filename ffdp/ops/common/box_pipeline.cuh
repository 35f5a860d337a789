// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "ffdp/ops/common/pipeline_loader.cuh"
#include "ffdp/ops/common/pipeline_shape.cuh"
#include "ffdp/ops/common/pipeline_summer.cuh"
#include "ffdp/ops/common/window_op.cuh"

/// Box sums of one reach R, 3 to 8, over several quantities in one pass, whose cost hardly depends
/// on R. Warps have different tasks and exchange planes through shared memory.
namespace ffdp::device {

/// A block makes 32 x 16 (or 8) voxels of a stretch of planes, two planes per step. Loaders fill
/// shared memory and sum along y; summers sum along x and z and emit; the other threads only emit.
/// Each task is one step ahead of the next.
///
/// Op is a WindowOp (window_op.cuh). The order of addition depends on the place of a voxel in the
/// domain alone. `bytes` is the size of a copy to shared memory: 4, 8 or 16.
template <int R, int tile_rows, int bytes, class Op>
__global__ void __launch_bounds__(PipelineSizes<R, tile_rows, Op>::threads, tile_rows == 8 ? 2 : 1)
    box_pipeline_kernel(Op op, Box readable, Box box, Int3 origin, int stretch,
                        typename Op::Sum* parts) {
  using Sizes = PipelineSizes<R, tile_rows, Op>;
  if constexpr (requires { op.start(); }) op.start();
  extern __shared__ float4 shared_stages[];
  const PipelineBlock<R, tile_rows, Op> block(op, readable, box, origin, stretch, shared_stages);
  const int thread = static_cast<int>(threadIdx.x), other = thread - Sizes::loaders;
  typename Op::Sum total{};
  if (other < 0) {
    PipelineLoader<R, tile_rows, bytes, Op>(block, thread).run();
  } else {
    PipelineEmitter<R, tile_rows, Op> emitter(block, other, total);
    __syncthreads();
    if (other < Sizes::summers) {
      PipelineSummer<R, tile_rows, Op>(block, other).run_all(emitter);
    } else {
      for (int k = 0; k < block.batches + 2; ++k) {
        __syncthreads();
        emitter.step(k);
        __syncthreads();
      }
    }
  }
  if (!parts) return;
  // All threads that emit are among the 256 that block_sum adds up.
  total = block_sum(other >= 0 ? other : thread + Sizes::others, total);
  if (other == 0)
    parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
}

/// The widest access (4, 8 or 16 bytes) that divides the rows of `readable` from `x` on into whole
/// pieces.
inline int access_bytes(const View<const float>& view, const Box& readable, int x) {
  const auto allows = [&](int n) {
    return aligned_runs(view, x, n) && (readable.lo[2] - x) % n == 0 && readable.size(2) % n == 0;
  };
  return allows(4) ? 16 : allows(2) ? 8 : 4;
}

/// Runs the pipeline over `box`. `parts` gets one partial sum per block; may be null.
template <int R, WindowOp Op>
void box_pipeline(const Context& ctx, const BoxPipeline<R, Op>& shape, const Op& op,
                  const Box& readable, const Box& box, typename Op::Sum* parts) {
  int bytes = 16;
  for (int k = 0; k < Op::raws; ++k)
    bytes = std::min(bytes, access_bytes(op.view(k), readable, shape.origin[2]));
  const auto launch = [&]<class Sizes>(auto* kernel) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Sizes::shared));
    kernel<<<shape.grid, Sizes::threads, Sizes::shared, stream_of(ctx)>>>(
        op, readable, box, shape.origin, shape.stretch, parts);
    check(cudaGetLastError());
  };
  using Shape = BoxPipeline<R, Op>;
  if (shape.tile_y == 16)
    launch.template operator()<typename Shape::Large>(
        bytes == 16  ? box_pipeline_kernel<R, 16, 16, Op>
        : bytes == 8 ? box_pipeline_kernel<R, 16, 8, Op>
                     : box_pipeline_kernel<R, 16, 4, Op>);
  else
    launch.template operator()<typename Shape::Small>(
        bytes == 16 ? box_pipeline_kernel<R, 8, 16, Op> : box_pipeline_kernel<R, 8, 4, Op>);
}

}  // namespace ffdp::device
