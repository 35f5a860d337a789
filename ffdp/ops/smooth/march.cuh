// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/common/edge_factors.cuh"
#include "ffdp/ops/common/stencil.cuh"

/// Gaussians of a reach R <= 8 along all axes in one pass. Each voxel is read once and written
/// once.
namespace ffdp::smooth {

/// A block makes 64 x 16 voxels of a stretch of planes. A thread makes the sums along y of 8 voxels
/// of a plane, then the sums along x and z of 4.
template <int R>
struct March {
  static constexpr int tile_x = 64, tile_y = 16, threads = 256, run_y = 8, run_x = 4;
  static constexpr int columns = tile_x + 2 * R, pitch = (columns + 3) / 4 * 4;
  static constexpr int margin = R <= 4 ? 4 : 8;  ///< columns read on each side; a multiple of four
  static constexpr int width = tile_x + 2 * margin, height = tile_y + 2 * R;
  static constexpr int blocks = R <= 5 ? 3 : 2;  ///< per multiprocessor; more would spill registers
  using Stage = float[height][width];
  using Rows = float[tile_y][pitch];
  static constexpr int stages = 3;  ///< planes in shared memory: one in use, two being copied
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

/// Writes four voxels of a row, plane by plane; forward multiplies them by the edge factors.
template <int run_x, bool adjoint>
struct MarchWriter {
  const device::EdgeFactors& edge;
  int wanted;  ///< of the four
  float edges[run_x], row_edge = 1;
  float* to;
  std::int64_t stride_z;
  bool whole;  ///< all four, at addresses that allow one access

  __device__ MarchWriter(const View<float>& out, const device::EdgeFactors& factors, const Box& box,
                         int z, int y, int x)
      : edge(factors),
        wanted(y < box.hi[1] ? min(run_x, box.hi[2] - x) : 0),
        to(out.row(z, y) + x),
        stride_z(out.stride_z),
        whole(wanted == run_x && reinterpret_cast<std::uintptr_t>(to) % 16 == 0 &&
              out.stride_z % 4 == 0) {
    if (!adjoint && wanted > 0) row_edge = edge(1, y);
#pragma unroll
    for (int i = 0; i < run_x; ++i) edges[i] = !adjoint && i < wanted ? edge(2, x + i) : 1.0F;
  }
  /// The next plane, z.
  __device__ void put(int z, const float (&sums)[run_x]) {
    const float plane_edge = adjoint ? 1.0F : edge(0, z) * row_edge;
    float v[run_x];
#pragma unroll
    for (int i = 0; i < run_x; ++i) v[i] = adjoint ? sums[i] : sums[i] * (plane_edge * edges[i]);
    if (whole) {
      *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
    } else {
#pragma unroll
      for (int i = 0; i < run_x; ++i)
        if (i < wanted) to[i] = v[i];
    }
    to += stride_z;
  }
};

/// Planes with their halo are copied into three stages of shared memory, which hold zeros outside
/// the domain. At step s a thread starts the copy of plane s + 2, makes the sums along y of plane
/// s, and the sums along x and z of plane s - 1, whose sums along y were made at the step before.
/// So there is one barrier per step. Forward multiplies the results by the edge factors; the
/// adjoint multiplies what it reads.
/// @param readable   part of the domain that may be read
/// @param stretches  number of stretches of planes; blockIdx.z counts stretches and components
/// @param fours      whether rows can be read with accesses of 16 bytes
template <int R, bool adjoint>
__global__ void __launch_bounds__(March<R>::threads, March<R>::blocks)
    march_kernel(VectorView<const float> in, VectorView<float> out, device::Weights weights,
                 device::EdgeFactors edge, Box readable, Box box, int planes, int stretches,
                 bool fours) {
  using M = March<R>;
  constexpr int run_x = M::run_x, run_y = M::run_y;
  extern __shared__ float4 shared_planes[];
  auto* const stages = reinterpret_cast<typename M::Stage*>(shared_planes);
  auto* const rows = reinterpret_cast<typename M::Rows*>(stages + M::stages);
  __shared__ float edge_y[M::height];

  const int thread = static_cast<int>(threadIdx.x);
  const int part = static_cast<int>(blockIdx.z) / stretches;
  const int x0 = box.lo[2] + static_cast<int>(blockIdx.x) * M::tile_x;
  const int y0 = box.lo[1] + static_cast<int>(blockIdx.y) * M::tile_y;
  const int z_lo = box.lo[0] + static_cast<int>(blockIdx.z) % stretches * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]);
  const int steps = z_hi - z_lo + 2 * R;  // plane z_lo - R + s is that of step s
  const auto readable_at = [&](int axis, int i) {
    return i >= readable.lo[axis] && i < readable.hi[axis];
  };

  // What this thread copies of every plane: offsets of groups of four voxels; -1 for none.
  constexpr int items = M::height * M::width / 4, mine = (items + M::threads - 1) / M::threads;
  int offset[mine];
#pragma unroll
  for (int i = 0; i < mine; ++i) {
    const int item = thread + i * M::threads;
    const int r = item / (M::width / 4), c = item % (M::width / 4) * 4;
    const int at_x = x0 - M::margin + c;
    const bool there = item < items && readable_at(1, y0 - R + r) && at_x >= in.stored.lo[2] &&
                       at_x < in.stored.hi[2];
    offset[i] = there ? static_cast<int>(r * in.stride_y) + c : -1;
  }
  const View<const float> from = in[part];
  const float* next = from.row(z_lo - R, y0 - R) + (x0 - M::margin);
  const auto first_stage = static_cast<unsigned int>(__cvta_generic_to_shared(&stages[0][0][0]));
  const auto present = [&](int s) { return s < steps && readable_at(0, z_lo - R + s); };
  const auto fetch = [&](int s, int slot) {
    if (present(s)) {
      const unsigned int to = first_stage + slot * static_cast<int>(sizeof(typename M::Stage));
      if (fours) {
#pragma unroll
        for (int i = 0; i < mine; ++i)
          if (offset[i] >= 0)
            device::copy_async<16>(to + 16 * (thread + i * M::threads), next + offset[i]);
      } else {
#pragma unroll 1
        for (int item = thread; item < M::height * M::width; item += M::threads) {
          const int r = item / M::width, c = item % M::width;
          if (readable_at(1, y0 - R + r) && readable_at(2, x0 - M::margin + c))
            device::copy_async<4>(to + 4 * item, next + (r * in.stride_y + c));
        }
      }
    }
    next += in.stride_z;
    asm volatile("cp.async.commit_group;");
  };

  // For the sums along y: a column.
  const bool has_column = thread < M::columns * (M::tile_y / run_y);
  const int column = thread % M::columns, top = thread / M::columns * run_y;
  const int column_x = x0 - R + column;
  const float column_edge = adjoint && readable_at(2, column_x) ? edge(2, column_x) : 0.0F;
  const auto y_sums = [&](int s, int slot) {
    float v[run_y + 2 * R], sums[run_y];
#pragma unroll
    for (int j = 0; j < run_y + 2 * R; ++j) {
      v[j] = stages[slot][top + j][M::margin - R + column];
      if (adjoint) v[j] *= edge_y[top + j];
    }
    line_sums<R, run_y>(v, weights.axis[1], sums);
#pragma unroll
    for (int j = 0; j < run_y; ++j)
      rows[s & 1][top + j][column] = adjoint ? sums[j] * column_edge : sums[j];
  };

  // For the sums along x and z: four voxels of a row.
  const int row = thread / (M::tile_x / run_x), first = thread % (M::tile_x / run_x) * run_x;
  MarchWriter<run_x, adjoint> writer(out[part], edge, box, z_lo, y0 + row, x0 + first);
  const auto x_sums = [&](int s, float(&sums)[run_x]) {
    constexpr int length = (run_x + 2 * R + 3) / 4 * 4;
    float v[length], line[run_x + 2 * R];
#pragma unroll
    for (int k = 0; k < length; k += 4) {
      const float4 four = *reinterpret_cast<const float4*>(&rows[s & 1][row][first + k]);
      v[k] = four.x;
      v[k + 1] = four.y;
      v[k + 2] = four.z;
      v[k + 3] = four.w;
    }
#pragma unroll
    for (int k = 0; k < run_x + 2 * R; ++k) line[k] = v[k];
    line_sums<R, run_x>(line, weights.axis[2], sums);
    if (!adjoint) return;
    const float plane_edge = edge(0, z_lo - R + s);
#pragma unroll
    for (int i = 0; i < run_x; ++i) sums[i] *= plane_edge;
  };
  for (int i = thread; i < M::stages * M::height * M::width; i += M::threads) stages[0][0][i] = 0;
  for (int i = thread; adjoint && i < M::height; i += M::threads)
    edge_y[i] = readable_at(1, y0 - R + i) ? edge(1, y0 - R + i) : 0.0F;
  __syncthreads();
  device::PlanesToCome<R, run_x> planes_to_come;
  fetch(0, 0);
  fetch(1, 1);
  for (int s = 0, slot = 0; s <= steps; ++s) {
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    fetch(s + 2, slot == 0 ? M::stages - 1 : slot - 1);
    if (present(s) && has_column) y_sums(s, slot);
    slot = slot == M::stages - 1 ? 0 : slot + 1;
    if (s == 0) continue;
    float sums[run_x] = {};
    if (present(s - 1)) x_sums(s - 1, sums);
    planes_to_come.push(weights.axis[0], sums);
    const int z = z_lo + s - 1 - 2 * R;
    if (z >= z_lo) writer.put(z, sums);
  }
}

/// Smooths `parts` components; shapes as for smooth::forward.
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
