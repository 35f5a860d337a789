// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/edge_factors.cuh"
#include "ffdp/ops/common/stencil.cuh"

/// Gaussians of a reach R <= 8 for all axes in one pass: read once, write once.
namespace ffdp::smooth {

/// A block makes 64 x 16 voxels of a stretch of planes; a thread makes y sums of 8 voxels of a
/// plane, then x and z sums of 4.
template <int R>
struct March {
  static constexpr int tile_x = 64, tile_y = 16, threads = 256, run_y = 8, run_x = 4;
  static constexpr int columns = tile_x + 2 * R, pitch = (columns + 3) / 4 * 4;
  static constexpr int margin = R <= 4 ? 4 : 8;  ///< columns read on both sides, for fours
  static constexpr int width = tile_x + 2 * margin, height = tile_y + 2 * R;
  static constexpr int blocks = R <= 5 ? 3 : 2;  ///< a multiprocessor; more would spill registers
  using Stage = float[height][width];
  using Rows = float[tile_y][pitch];
  static constexpr int stages = 3;  ///< planes: one in use, two on their way
  static constexpr int shared = static_cast<int>(stages * sizeof(Stage) + 2 * sizeof(Rows));
  static_assert(tile_x * tile_y == threads * run_x && columns * tile_y / run_y <= threads);
};

/// out[i] = sum_k taps[k] v[i + k].
template <int R, int N>
__device__ inline void line_sums(const float (&v)[N + 2 * R], const float (&taps)[17],
                                 float (&out)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
    out[i] = taps[0] * v[i];
#pragma unroll
    for (int k = 1; k <= 2 * R; ++k) out[i] += taps[k] * v[i + k];
  }
}

/// Weighted sums of 2 R + 1 planes, R of which are to come.
template <int R, int N>
struct PlanesToCome {
  float waiting[2 * R][N] = {};

  /// Takes a plane; it becomes the sums of the planes it ends.
  __device__ void push(const float (&taps)[17], float (&plane)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float v = plane[i];
      plane[i] = waiting[0][i] + taps[2 * R] * v;
#pragma unroll
      for (int k = 0; k + 1 < 2 * R; ++k)
        waiting[k][i] = waiting[k + 1][i] + taps[2 * R - 1 - k] * v;
      waiting[2 * R - 1][i] = taps[0] * v;
    }
  }
};

/// What a thread of a block of march_kernel knows.
/// @param readable  part of the domain that may be read
template <int R>
struct MarchBlock {
  using M = March<R>;
  Box readable, box;
  device::EdgeFactors edge;
  typename M::Stage* stages;  ///< planes as they are
  typename M::Rows* rows;     ///< y sums, of two steps
  float* edge_y;              ///< of the adjoint: edge factors of the rows of a stage
  int thread, part, x0, y0, z_lo, z_hi;
  int steps;  ///< plane z_lo - R + s is that of step s

  __device__ MarchBlock(const Box& from, const Box& to, const device::EdgeFactors& factors,
                        int planes, int stretches, float4* shared, float* shared_edge)
      : readable(from),
        box(to),
        edge(factors),
        stages(reinterpret_cast<typename M::Stage*>(shared)),
        rows(reinterpret_cast<typename M::Rows*>(stages + M::stages)),
        edge_y(shared_edge),
        thread(static_cast<int>(threadIdx.x)),
        part(static_cast<int>(blockIdx.z) / stretches),
        x0(box.lo[2] + static_cast<int>(blockIdx.x) * M::tile_x),
        y0(box.lo[1] + static_cast<int>(blockIdx.y) * M::tile_y),
        z_lo(box.lo[0] + static_cast<int>(blockIdx.z) % stretches * planes),
        z_hi(min(z_lo + planes, box.hi[0])),
        steps(z_hi - z_lo + 2 * R) {}

  __device__ bool readable_at(int axis, int i) const {
    return i >= readable.lo[axis] && i < readable.hi[axis];
  }
  __device__ bool present(int s) const { return s < steps && readable_at(0, z_lo - R + s); }
  template <bool adjoint>
  __device__ void clear() const {
    for (int i = thread; i < M::stages * M::height * M::width; i += M::threads) stages[0][0][i] = 0;
    for (int i = thread; adjoint && i < M::height; i += M::threads)
      edge_y[i] = readable_at(1, y0 - R + i) ? edge(1, y0 - R + i) : 0.0F;
  }
};

/// The copies of planes to shared memory.
template <int R>
struct MarchCopies {
  using M = March<R>;
  static constexpr int items = M::height * M::width / 4;
  static constexpr int mine = (items + M::threads - 1) / M::threads;

  const MarchBlock<R>& block;
  bool fours;
  int offset[mine];  ///< of the fours of every plane that this thread copies, -1: nothing is there
  std::int64_t stride_y, stride_z;
  const float* next;
  unsigned int first_stage;

  __device__ MarchCopies(const MarchBlock<R>& of, const VectorView<const float>& in, bool by_fours)
      : block(of),
        fours(by_fours),
        stride_y(in.stride_y),
        stride_z(in.stride_z),
        next(in[of.part].row(of.z_lo - R, of.y0 - R) + (of.x0 - M::margin)),
        first_stage(static_cast<unsigned int>(__cvta_generic_to_shared(&of.stages[0][0][0]))) {
#pragma unroll
    for (int i = 0; i < mine; ++i) {
      const int item = block.thread + i * M::threads;
      const int r = item / (M::width / 4), c = item % (M::width / 4) * 4;
      const int at_x = block.x0 - M::margin + c;
      const bool there = item < items && block.readable_at(1, block.y0 - R + r) &&
                         at_x >= in.stored.lo[2] && at_x < in.stored.hi[2];
      offset[i] = there ? static_cast<int>(r * stride_y) + c : -1;
    }
  }
  /// Starts the copy of the plane of step s.
  __device__ void fetch(int s, int slot) {
    if (block.present(s)) {
      const unsigned int to = first_stage + slot * static_cast<int>(sizeof(typename M::Stage));
      if (fours) {
#pragma unroll
        for (int i = 0; i < mine; ++i)
          if (offset[i] >= 0)
            device::copy_async<16>(to + 16 * (block.thread + i * M::threads), next + offset[i]);
      } else {
#pragma unroll 1
        for (int item = block.thread; item < M::height * M::width; item += M::threads) {
          const int r = item / M::width, c = item % M::width;
          if (block.readable_at(1, block.y0 - R + r) &&
              block.readable_at(2, block.x0 - M::margin + c))
            device::copy_async<4>(to + 4 * item, next + (r * stride_y + c));
        }
      }
    }
    next += stride_z;
    asm volatile("cp.async.commit_group;");
  }
};

/// The y sums of a thread: a column of eight.
template <int R, bool adjoint>
struct MarchColumn {
  using M = March<R>;
  static constexpr int run = M::run_y;

  const MarchBlock<R>& block;
  const device::Weights& weights;
  bool there;
  int column, top;
  float edge;

  __device__ MarchColumn(const MarchBlock<R>& of, const device::Weights& with)
      : block(of),
        weights(with),
        there(of.thread < M::columns * (M::tile_y / run)),
        column(of.thread % M::columns),
        top(of.thread / M::columns * run) {
    const int x = block.x0 - R + column;
    edge = adjoint && block.readable_at(2, x) ? block.edge(2, x) : 0.0F;
  }
  __device__ void sum(int s, int slot) const {
    float v[run + 2 * R], sums[run];
#pragma unroll
    for (int j = 0; j < run + 2 * R; ++j) {
      v[j] = block.stages[slot][top + j][M::margin - R + column];
      if (adjoint) v[j] *= block.edge_y[top + j];
    }
    line_sums<R, run>(v, weights.axis[1], sums);
#pragma unroll
    for (int j = 0; j < run; ++j)
      block.rows[s & 1][top + j][column] = adjoint ? sums[j] * edge : sums[j];
  }
};

/// The x and z sums of a thread: four voxels of a row.
template <int R, bool adjoint>
struct MarchRun {
  using M = March<R>;
  static constexpr int run = M::run_x;

  const MarchBlock<R>& block;
  const device::Weights& weights;
  int row, first, wanted;
  float edges[run], row_edge = 1;
  float* to;
  std::int64_t stride_z;
  bool whole;
  PlanesToCome<R, run> planes_to_come;

  __device__ MarchRun(const MarchBlock<R>& of, const device::Weights& with,
                      const VectorView<float>& out)
      : block(of),
        weights(with),
        row(of.thread / (M::tile_x / run)),
        first(of.thread % (M::tile_x / run) * run),
        stride_z(out.stride_z) {
    const int y = block.y0 + row, x = block.x0 + first;
    wanted = y < block.box.hi[1] ? min(run, block.box.hi[2] - x) : 0;
    if (!adjoint && wanted > 0) row_edge = block.edge(1, y);
#pragma unroll
    for (int i = 0; i < run; ++i) edges[i] = !adjoint && i < wanted ? block.edge(2, x + i) : 1.0F;
    to = out[block.part].row(block.z_lo, y) + x;
    whole = wanted == run && reinterpret_cast<std::uintptr_t>(to) % 16 == 0 && stride_z % 4 == 0;
  }
  /// Takes the y sums of step s, and writes the plane that they end.
  __device__ void step(int s) {
    float sums[run] = {};
    if (block.present(s)) sum(s, sums);
    planes_to_come.push(weights.axis[0], sums);
    const int z = block.z_lo + s - 2 * R;
    if (z >= block.z_lo) put(z, sums);
  }

 private:
  __device__ void sum(int s, float (&sums)[run]) const {
    constexpr int length = (run + 2 * R + 3) / 4 * 4;
    float v[length], line[run + 2 * R];
#pragma unroll
    for (int k = 0; k < length; k += 4) {
      const float4 four = *reinterpret_cast<const float4*>(&block.rows[s & 1][row][first + k]);
      v[k] = four.x;
      v[k + 1] = four.y;
      v[k + 2] = four.z;
      v[k + 3] = four.w;
    }
#pragma unroll
    for (int k = 0; k < run + 2 * R; ++k) line[k] = v[k];
    line_sums<R, run>(line, weights.axis[2], sums);
    if (!adjoint) return;
    const float plane_edge = block.edge(0, block.z_lo - R + s);
#pragma unroll
    for (int i = 0; i < run; ++i) sums[i] *= plane_edge;
  }
  __device__ void put(int z, const float (&sums)[run]) {
    const float plane_edge = adjoint ? 1.0F : block.edge(0, z) * row_edge;
    float v[run];
#pragma unroll
    for (int i = 0; i < run; ++i) v[i] = adjoint ? sums[i] : sums[i] * (plane_edge * edges[i]);
    if (whole) {
      *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
    } else {
#pragma unroll
      for (int i = 0; i < run; ++i)
        if (i < wanted) to[i] = v[i];
    }
    to += stride_z;
  }
};

/// Planes with their halo stream into three stages of shared memory, which hold zeros where nothing
/// lies. At step s a thread calls for plane s + 2, makes the y sums of plane s, and
/// the x and z sums of plane s - 1, whose y sums the others have made at the step before: one
/// barrier a step. Forward multiplies the sums by the edge factors, the adjoint what it reads.
/// @param stretches  of planes, of each component: blockIdx.z counts both
/// @param fours      rows may be read in accesses of 16 bytes
template <int R, bool adjoint>
__global__ void __launch_bounds__(March<R>::threads, March<R>::blocks)
    march_kernel(VectorView<const float> in, VectorView<float> out, device::Weights weights,
                 device::EdgeFactors edge, Box readable, Box box, int planes, int stretches,
                 bool fours) {
  using M = March<R>;
  extern __shared__ float4 shared_planes[];
  __shared__ float edge_y[M::height];
  const MarchBlock<R> block(readable, box, edge, planes, stretches, shared_planes, edge_y);
  MarchCopies<R> copies(block, in, fours);
  const MarchColumn<R, adjoint> column(block, weights);
  MarchRun<R, adjoint> run(block, weights, out);
  block.template clear<adjoint>();
  __syncthreads();
  copies.fetch(0, 0);
  copies.fetch(1, 1);
  for (int s = 0, slot = 0; s <= block.steps; ++s) {
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    copies.fetch(s + 2, slot == 0 ? M::stages - 1 : slot - 1);
    if (block.present(s) && column.there) column.sum(s, slot);
    slot = slot == M::stages - 1 ? 0 : slot + 1;
    if (s > 0) run.step(s - 1);
  }
}

/// Smooths `parts` components; shapes as of smooth::forward.
template <int R, bool adjoint>
void march(const Context& ctx, const device::Stencil3& stencil, const Box& readable, const Box& box,
           VectorView<const float> in, VectorView<float> out, int parts) {
  using M = March<R>;
  const auto cut = [](int n, int size) { return (n + size - 1) / size; };
  const int nx = cut(box.size(2), M::tile_x), ny = cut(box.size(1), M::tile_y);
  const int planes =
      device::stretch_planes(std::int64_t{nx} * ny * parts, box.size(0), 2 * R + 1, M::blocks);
  const int stretches = cut(box.size(0), planes);
  bool fours = true;
  for (int part = 0; part < parts; ++part) fours = fours && device::aligned_rows(in[part], box);
  const auto kernel = march_kernel<R, adjoint>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, M::shared));
  kernel<<<dim3(nx, ny, stretches * parts), M::threads, M::shared, stream_of(ctx)>>>(
      in, out, stencil.weights, stencil.edge, readable, box, planes, stretches, fours);
  check(cudaGetLastError());
}

}  // namespace ffdp::smooth
