// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/sweep_block.cuh"
#include "ffdp/ops/common/sweep_sums.cuh"

/// Separable stencils of a small reach over several quantities at once, in one pass: y in
/// registers, x by shuffles, z in registers. Read once, write once.
namespace ffdp::device {

/// A warp makes H = Op::rows<R> rows of 64 - 4 margin voxels and marches along z, a lane two
/// neighbours of each row; the lanes at its ends serve the others. Planes stream through shared
/// memory, two ahead of the sums; what lies outside holds Op::outside there, whose quantities are
/// 0.
///
/// Op has `quantities`, `raws`, `values`, Sum; `missing`, whether NaN of raws 0 and 1 are to be
/// left out and counted; rows<R> (1 or 2); blocks<R>, how many for a multiprocessor. Sums wait in
/// registers until their 2 R planes have come. view(k) of raw k; outside(k); paired, whether it may
/// be given pairs with one access; prepare(raw, value); add(factor, value, sums), sums += factor *
/// quantities of one voxel; Place, where it reads and writes, place(neighbours) and
/// next_plane(place); `own`, how many fields of Own it needs of the voxel it makes, reads_own and
/// own_at(place, k); emit(place, neighbours, sums[q][2], state, own[k][2], total). Where a box sum
/// begins along an axis depends on the parity of the coordinate alone. `readable` is the part of
/// the domain that may be read; `origin` the first voxel of the grid.
template <int R, Stencil stencil, bool paired, int blocks, class Op>
__global__ void __launch_bounds__(sweep_threads, blocks)
    sweep_kernel(Op op, Weights weights, Box readable, Box box, Int3 origin, int planes,
                 typename Op::Sum* parts) {
  constexpr int phases = stencil == Stencil::box ? 2 : 1;  // steps that differ in how sums add up
  static_assert(!Op::missing || R <= 2, "counts wait in 8 bits each");
  extern __shared__ float4 shared_planes[];
  const SweepBlock<R, Op> block(op, readable, box, origin, planes, shared_planes);
  SweepCopies<R, paired, Op> copies(block);
  SweepSums<R, stencil, Op> sums(block, weights);
  block.clear();
  int slot = 0;
  const auto step = [&]<int phase>(int s) {
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    copies.fetch(s + 2, slot == 0 ? sweep_stages - 1 : slot - 1);
    sums.template step<phase>(s, slot);
    slot = slot == sweep_stages - 1 ? 0 : slot + 1;
  };
  copies.fetch(0, 0);
  copies.fetch(1, 1);
  for (int s = 0; s < block.steps; s += phases) {
    step.template operator()<0>(s);
    if constexpr (phases == 2)
      if (s + 1 < block.steps) step.template operator()<1>(s + 1);
  }
  if (parts) {
    const auto total = block_sum(static_cast<int>(threadIdx.x), sums.total);
    if (threadIdx.x == 0)
      parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
  }
}

/// Launch shape; depends on the boxes and the device.
template <int R, class Op>
struct Sweep {
  dim3 grid;
  Int3 origin;
  int planes;
  std::int64_t blocks() const { return std::int64_t{grid.x} * grid.y * grid.z; }
  static constexpr bool fits() { return true; }

  Sweep(const Box& domain, const Box& box) {
    const auto cut = [](int n, int size) { return (n + size - 1) / size; };
    constexpr int width = 64 - 4 * ((R + 1) / 2), height = sweep_warps * Op::template rows<R>;
    // Planes, rows and columns pair up as in the whole domain.
    for (int a = 0; a < 3; ++a) origin[a] = box.lo[a] - (box.lo[a] - domain.lo[a]) % 2;
    const int nx = cut(box.hi[2] - origin[2], width), ny = cut(box.hi[1] - origin[1], height);
    const int nz = box.hi[0] - origin[0];
    planes = cut(stretch_planes(std::int64_t{nx} * ny, nz, 2 * R, Op::template blocks<R>), 2) * 2;
    grid = dim3(nx, ny, cut(nz, planes));
  }
};

/// Whether pairs of voxels from `x` on may be had with one access.
template <class T>
bool paired_rows(const View<T>& view, int x) {
  return aligned_runs(view, x, 2);
}

/// Runs the stencil over `box`; `parts` holds a partial sum a block, or is null.
template <int R, Stencil stencil, class Op>
void sweep(const Context& ctx, const Sweep<R, Op>& s, const Op& op, const Weights& weights,
           const Box& readable, const Box& box, typename Op::Sum* parts) {
  // All pairs lie inside, or outside.
  bool paired = (readable.lo[2] - s.origin[2]) % 2 == 0 && readable.size(2) % 2 == 0;
  for (int k = 0; k < Op::raws; ++k) paired = paired && paired_rows(op.view(k), s.origin[2]);
  constexpr int blocks = Op::template blocks<R>;
  const auto kernel = paired ? sweep_kernel<R, stencil, true, blocks, Op>
                             : sweep_kernel<R, stencil, false, blocks, Op>;
  constexpr int H = Op::template rows<R>, height = sweep_warps * H + 2 * R;
  constexpr int shared = sweep_stages * (Op::raws * height + sweep_warps * H * Op::own) * 64 *
                         static_cast<int>(sizeof(float));
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  kernel<<<s.grid, sweep_threads, shared, stream_of(ctx)>>>(op, weights, readable, box, s.origin,
                                                            s.planes, parts);
  check(cudaGetLastError());
}

}  // namespace ffdp::device
