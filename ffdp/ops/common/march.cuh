// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/voxels.cuh"

/// Separable weighted stencils of one reach R <= 8 for all axes in one pass: read once, write once.
namespace ffdp::device {

/// What one thread of march_kernel makes: y sums of `run_y` voxels, then x and z sums of `run_x`.
inline constexpr int march_x = 64, march_y = 16, march_threads = 256, run_y = 8, run_x = 4;
static_assert(march_x * march_y == march_threads * run_x);

enum class Stencil {
  box,       ///< sum over 2 R + 1 voxels
  weighted,  ///< taps in Weights, zero beyond the radius of an axis
};

struct Weights {
  float axis[3][17];
};

/// out[i] = sum_k taps[k] v[i + k].
template <int R, int N>
__device__ void line_sums(const float (&v)[N + 2 * R], const float (&taps)[17], float (&out)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
    out[i] = taps[0] * v[i];
#pragma unroll
    for (int k = 1; k <= 2 * R; ++k) out[i] += taps[k] * v[i + k];
  }
}

/// Four, eight or sixteen bytes from device to shared memory, asynchronously.
template <int bytes>
__device__ inline void copy_async(unsigned int to, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(to), "l"(from), "n"(bytes));
}
template <int bytes>
__device__ inline void copy_async(float* to, const float* from) {
  copy_async<bytes>(static_cast<unsigned int>(__cvta_generic_to_shared(to)), from);
}

/// A block of 256 threads makes 64 x 16 voxels of a stretch of planes. Planes of the input with
/// their halo stream into two stages of shared memory (raws x (16 + 2 R) x (64 + 8 or 16) floats),
/// one ahead of the sums. Per plane: a thread reads a column of 8 + 2 R voxels of a stage and
/// writes 8 y sums of each quantity to shared memory (quantities x 16 x (64 + 2 R) floats), then
/// reads a row of 4 + 2 R of them, makes 4 x sums and adds them along z. Reads every input once
/// from device memory but for the halo of tiles and stretches, which mostly comes from the caches;
/// writes what Op::emit writes.
///
/// Op has `quantities`, `raws`, `values`, Sum; chunk<R>, the y sums a thread makes at once (8, or 4
/// where registers are short); blocks<R> for a multiprocessor; view(part, k) of raw input k;
/// prepare(z, y, x, inside, raw, value) with zeros outside; quantity(q, value) with zeros giving
/// zero; emit(part, z, y, x, n, sums[q][4], total) for n <= 4 voxels from x on.
/// `readable` is the part of the domain that may be read; blockIdx.z counts stretches of parts.
template <int R, int blocks, class Op>
__global__ void __launch_bounds__(march_threads, blocks)
    march_kernel(Op op, Weights weights, Box readable, Box box, int planes, int stretches,
                 bool aligned, typename Op::Sum* parts) {
  constexpr int Q = Op::quantities, columns = march_x + 2 * R, pitch = (columns + 3) / 4 * 4;
  constexpr int chunk = Op::template chunk<R>, column = chunk + 2 * R,
                segment = (run_x + 2 * R + 3) / 4 * 4;
  constexpr int margin = R <= 4 ? 4 : 8, width = march_x + 2 * margin, height = march_y + 2 * R;
  extern __shared__ float4 shared_rows[];
  using Rows = float[Q][march_y][pitch];
  using Stage = float[Op::raws][height][width];
  Rows& rows = *reinterpret_cast<Rows*>(shared_rows);
  Stage* const stages = reinterpret_cast<Stage*>(&rows + 1);

  const int thread = threadIdx.x;
  const int part = static_cast<int>(blockIdx.z) / stretches;
  const int x0 = box.lo[2] + static_cast<int>(blockIdx.x) * march_x;
  const int y0 = box.lo[1] + static_cast<int>(blockIdx.y) * march_y;
  const int z_lo = box.lo[0] + static_cast<int>(blockIdx.z) % stretches * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]);
  const int row = thread / (march_x / run_x), first = thread % (march_x / run_x) * run_x;
  const int y = y0 + row, x = x0 + first;
  const int wanted = y < box.hi[1] ? min(run_x, box.hi[2] - x) : 0;
  const int steps = z_hi - z_lo + 2 * R;

  const bool interior_tile = y0 - R >= readable.lo[1] && y0 + march_y + R <= readable.hi[1] &&
                             x0 - R >= readable.lo[2] && x0 + march_x + R <= readable.hi[2];

  // Step s adds plane z_lo - R + s.
  const auto wanted_step = [&](int s) {
    const int z = z_lo - R + s;
    return s < steps && z >= readable.lo[0] && z < readable.hi[0];
  };
  // The same fours of a plane are this thread's at every step: -1 where there is nothing to fetch.
  constexpr int fours = width / 4, mine = (height * fours + march_threads - 1) / march_threads;
  int four_row[mine], four_at[mine];
#pragma unroll
  for (int i = 0; i < mine; ++i) {
    const int item = thread + i * march_threads;
    four_row[i] = item / fours;
    four_at[i] = item % fours * 4;
    const int at_y = y0 - R + four_row[i], at_x = x0 - margin + four_at[i];
    const Box stored = op.view(part, 0).stored;
    if (item >= height * fours || at_y < readable.lo[1] || at_y >= readable.hi[1] ||
        at_x < stored.lo[2] || at_x >= stored.hi[2])
      four_row[i] = -1;
  }
  const auto fetch = [&](int s) {
    if (wanted_step(s)) {
      const int z = z_lo - R + s;
      Stage& stage = stages[s & 1];
#pragma unroll
      for (int k = 0; k < Op::raws; ++k) {
        const View<const float> from = op.view(part, k);
        const float* origin = from.row(z, y0 - R) + (x0 - margin);
        if (aligned) {
#pragma unroll
          for (int i = 0; i < mine; ++i)
            if (four_row[i] >= 0)
              copy_async<16>(&stage[k][four_row[i]][four_at[i]],
                             origin + (four_row[i] * from.stride_y + four_at[i]));
          continue;
        }
#pragma unroll 1
        for (int item = thread; item < height * width; item += march_threads) {
          const int r = item / width, c = item % width;
          const int at_y = y0 - R + r, at_x = x0 - margin + c;
          if (at_y >= readable.lo[1] && at_y < readable.hi[1] && at_x >= readable.lo[2] &&
              at_x < readable.hi[2])
            copy_async<4>(&stage[k][r][c], origin + (r * from.stride_y + c));
        }
      }
    }
    asm volatile("cp.async.commit_group;");
  };
  // Most tiles lie inside; they need no test a voxel.
  const auto y_sums = [&]<bool interior>(int z, const Stage& from) {
#pragma unroll 1
    for (int item = thread; item < columns * (march_y / run_y); item += march_threads) {
      const int c = item % columns, at_x = x0 - R + c;
      const bool inside = interior || (at_x >= readable.lo[2] && at_x < readable.hi[2]);
      const int first_row = item / columns * run_y;
#pragma unroll 1
      for (int top = first_row; top < first_row + run_y; top += chunk) {
        const int at_y = y0 + top - R;
        float value[column][Op::values];
#pragma unroll
        for (int j = 0; j < column; ++j) {
          float raw[Op::raws];
#pragma unroll
          for (int k = 0; k < Op::raws; ++k) raw[k] = from[k][top + j][margin - R + c];
          const bool voxel_inside =
              interior || (inside && at_y + j >= readable.lo[1] && at_y + j < readable.hi[1]);
          op.prepare(z, at_y + j, at_x, voxel_inside, raw, value[j]);
        }
#pragma unroll
        for (int q = 0; q < Q; ++q) {
          float v[column], out[chunk];
#pragma unroll
          for (int j = 0; j < column; ++j) v[j] = op.quantity(q, value[j]);
          line_sums<R, chunk>(v, weights.axis[1], out);
#pragma unroll
          for (int j = 0; j < chunk; ++j) rows[q][top + j][c] = out[j];
        }
      }
    }
  };
  const auto x_sums = [&](int q, float(&out)[run_x]) {
    float v[segment];
#pragma unroll
    for (int k = 0; k < segment; k += 4) {
      const float4 four = *reinterpret_cast<const float4*>(&rows[q][row][first + k]);
      v[k] = four.x;
      v[k + 1] = four.y;
      v[k + 2] = four.z;
      v[k + 3] = four.w;
    }
    float line[run_x + 2 * R];
#pragma unroll
    for (int k = 0; k < run_x + 2 * R; ++k) line[k] = v[k];
    line_sums<R, run_x>(line, weights.axis[2], out);
  };

  typename Op::Sum total{};
  float sums[Q][run_x];
  float waiting[2 * R][Q][run_x] = {};
  fetch(0);
  for (int s = 0; s < steps; ++s) {
    const int z = z_lo - R + s;
    const bool present = wanted_step(s);
    fetch(s + 1);
    asm volatile("cp.async.wait_group 1;");
    __syncthreads();
    if (present) {
      if (interior_tile)
        y_sums.template operator()<true>(z, stages[s & 1]);
      else
        y_sums.template operator()<false>(z, stages[s & 1]);
    }
    __syncthreads();
#pragma unroll
    for (int q = 0; q < Q; ++q) {
      float line[run_x] = {};
      if (present) x_sums(q, line);
#pragma unroll
      for (int i = 0; i < run_x; ++i) {
        const auto weigh = [&](int k) { return weights.axis[0][k] * line[i]; };
        sums[q][i] = waiting[0][q][i] + weigh(2 * R);
#pragma unroll
        for (int k = 0; k + 1 < 2 * R; ++k)
          waiting[k][q][i] = waiting[k + 1][q][i] + weigh(2 * R - 1 - k);
        waiting[2 * R - 1][q][i] = weigh(0);
      }
    }
    if (z - R < z_lo || wanted <= 0) continue;
    op.emit(part, z - R, y, x, wanted, sums, total);
  }
  if (parts) {
    total = block_sum(thread, total);
    if (thread == 0)
      parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
  }
}

struct NoSum {
  __device__ void operator+=(const NoSum&) {}
};

/// Planes that a block makes, of `planes` in each of `tiles`: with the least steps for a device
/// that runs `blocks` a multiprocessor at once, where a block takes `halo` steps before its first
/// plane. At most 128, so that blocks that take longer do not hold up the end.
inline int stretch_planes(std::int64_t tiles, int planes, int halo, int blocks) {
  int device = 0, multiprocessors = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const std::int64_t at_once = std::int64_t{multiprocessors} * blocks;
  int best = 1;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (int stretch = std::min(planes, 128); stretch >= 1; --stretch) {
    const std::int64_t all = tiles * ((planes + stretch - 1) / stretch);
    const std::int64_t steps = (all + at_once - 1) / at_once * (stretch + halo);
    if (steps < least) best = stretch;
    least = std::min(least, steps);
  }
  return best;
}

/// Launch shape for one radius; depends on the box and the device.
struct March {
  dim3 grid;
  int planes, stretches;
  std::int64_t blocks() const { return std::int64_t{grid.x} * grid.y * grid.z; }
};
template <int R, class Op>
March march_of(const Box& box, int parts) {
  const auto cut = [](int n, int size) { return (n + size - 1) / size; };
  March m;
  const int nx = cut(box.size(2), march_x), ny = cut(box.size(1), march_y);
  m.planes =
      stretch_planes(std::int64_t{nx} * ny * parts, box.size(0), 2 * R, Op::template blocks<R>);
  m.stretches = cut(box.size(0), m.planes);
  m.grid = dim3(nx, ny, m.stretches * parts);
  return m;
}

/// Whether runs of n voxels from `x` on may be had with one access.
template <class T>
bool aligned_runs(const View<T>& view, int x, int n) {
  return reinterpret_cast<std::uintptr_t>(view.data) % (n * sizeof(T)) == 0 &&
         view.stride_z % n == 0 && view.stride_y % n == 0 && (x - view.stored.lo[2]) % n == 0;
}

/// Whether fours of voxels from box.lo x on may be read with one 16-byte access.
inline bool aligned_rows(const View<const float>& view, const Box& box) {
  return aligned_runs(view, box.lo[2], 4) && view.stored.size(2) % 4 == 0;
}

/// Runs the stencil over `box`; `parts` holds a partial sum a block, or is null.
template <int R, class Op>
void march(const Context& ctx, const March& m, const Op& op, const Weights& weights,
           const Box& readable, const Box& box, typename Op::Sum* parts) {
  constexpr int pitch = (march_x + 2 * R + 3) / 4 * 4, width = march_x + (R <= 4 ? 8 : 16);
  constexpr int shared =
      static_cast<int>(sizeof(float)) *
      (Op::quantities * march_y * pitch + 2 * Op::raws * (march_y + 2 * R) * width);
  bool aligned = true;
  for (int part = 0; part < static_cast<int>(m.grid.z) / m.stretches; ++part)
    for (int k = 0; k < Op::raws; ++k) {
      const View<const float> view = op.view(part, k);
      aligned = aligned && aligned_rows(view, box) && view.stored == op.view(0, 0).stored;
    }
  const auto kernel = march_kernel<R, Op::template blocks<R>, Op>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  kernel<<<m.grid, march_threads, shared, stream_of(ctx)>>>(op, weights, readable, box, m.planes,
                                                            m.stretches, aligned, parts);
  check(cudaGetLastError());
}

inline constexpr int widest_march = 8;
/// Calls body.operator()<R>() for a radius within 1 and `widest`.
template <int widest = widest_march, int R = 1, class Body>
void with_radius(int radius, Body&& body) {
  if constexpr (R < widest)
    if (radius > R) return with_radius<widest, R + 1>(radius, body);
  body.template operator()<R>();
}

/// Four voxels to a row, in one 16-byte store where the address allows it.
__device__ inline void store_run(float* to, int n, const float (&v)[run_x]) {
  if (n == run_x && reinterpret_cast<std::uintptr_t>(to) % 16 == 0) {
    *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
    return;
  }
#pragma unroll
  for (int i = 0; i < run_x; ++i)
    if (i < n) to[i] = v[i];
}

}  // namespace ffdp::device
