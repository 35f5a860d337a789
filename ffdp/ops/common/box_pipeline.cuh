// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "ffdp/ops/common/sweep.cuh"

/// Box sums of one reach R, 3 to 8, over several quantities at once, in one pass whose cost hardly
/// depends on R. Warps have different tasks, and pass planes on to each other through shared
/// memory.
namespace ffdp::device {

/// Sums over N windows of n elements of a line, each from what it has up to the end of the first
/// window and what it has beyond (van Herk 1992, doi:10.1016/0167-8655(92)90069-C). sum(i, s) is s
/// plus element i; put(j, s) takes the sum of the window that begins at j.
template <int n, int N, class Sum, class Put>
__device__ inline void window_sums(const Sum& sum, const Put& put) {
  static_assert(N <= n + 1);
  constexpr float none = -0.0F;  // adding to it costs nothing
  float to_end[N], last = none, beyond = none;
#pragma unroll
  for (int i = n - 1; i >= 0; --i) {
    last = sum(i, last);
    if (i < N) to_end[i] = last;
  }
  put(0, to_end[0]);
#pragma unroll
  for (int j = 1; j < N; ++j) {
    beyond = sum(n + j - 1, beyond);
    put(j, j < n ? to_end[j] + beyond : beyond);
  }
}

/// Sums of the 2 R + 1 bytes from `first`, an even place, on, and from the next place on: 16 bits
/// each.
template <int R>
__device__ inline std::uint32_t count_two(const std::uint8_t* row, int first) {
  constexpr int words = (2 * R + 2 + 3) / 4;
  const auto* from = reinterpret_cast<const std::uint32_t*>(row) + first / 4;
  std::uint32_t word[words], sum = 0;
#pragma unroll
  for (int i = 0; i < words; ++i) word[i] = __funnelshift_r(from[i], from[i + 1], 8 * (first % 4));
#pragma unroll
  for (int i = 0; 4 * i < 2 * R + 1; ++i) {
    const int bytes = 2 * R + 1 - 4 * i;
    sum = __dp4a(bytes >= 4 ? word[i] : word[i] & ((1U << 8 * bytes) - 1), 0x01010101U, sum);
  }
  const auto byte = [&](int i) { return word[i / 4] >> 8 * (i % 4) & 0xffU; };
  return sum | (sum - byte(0) + byte(2 * R + 1)) << 16U;
}

/// copy_async, only if `wanted`, without a branch. `past_l1`: sixteen bytes leave the L1 cache
/// alone.
template <int bytes, bool past_l1>
__device__ inline void copy_async_if(std::uint32_t wanted, float* to, const float* from) {
  const auto at = static_cast<unsigned int>(__cvta_generic_to_shared(to));
  if constexpr (past_l1 && bytes == 16)
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %2, 0; @p cp.async.cg.shared.global [%0], [%1], 16; }" ::
            "r"(at),
        "l"(from), "r"(wanted));
  else
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %3, 0; @p cp.async.ca.shared.global [%0], [%1], %2; }" ::
            "r"(at),
        "l"(from), "n"(bytes), "r"(wanted));
}

__device__ inline void load_four(const float4& from, float* to) {
  to[0] = from.x;
  to[1] = from.y;
  to[2] = from.z;
  to[3] = from.w;
}

/// Sums of the last R pairs of planes, of a run of voxels, from those of 1, 2 and 4 pairs.
template <int R, int run>
struct PairSums {
  float pairs[run] = {};
  float pair[run] = {}, two[2][run] = {}, four[4][run] = {};  ///< what the last steps had

  /// Takes the pair of step `phase` of four.
  template <int phase>
  __device__ void push(const float (&even)[run], const float (&odd)[run]) {
#pragma unroll
    for (int i = 0; i < run; ++i) {
      const float one = even[i] + odd[i], both = one + pair[i];
      const float all = both + two[phase % 2][i];
      const float two_ago = two[(phase + 1) % 2][i];  // a step ago
      const auto four_ago = [&](int steps) { return four[(phase + 4 - steps) % 4][i]; };
      if constexpr (R == 3) pairs[i] = one + two_ago;
      if constexpr (R == 4) pairs[i] = all;
      if constexpr (R == 5) pairs[i] = one + four_ago(1);
      if constexpr (R == 6) pairs[i] = both + four_ago(2);
      if constexpr (R == 7) pairs[i] = one + two_ago + four_ago(3);
      if constexpr (R == 8) pairs[i] = all + four_ago(4);
      pair[i] = one;
      two[phase % 2][i] = both;
      four[phase][i] = all;
    }
  }
};

inline constexpr int tile_columns = 32, step_planes = 2;
/// Under so many blocks of 16 planes, lower tiles make more of them.
inline constexpr int few_blocks = 8;
inline constexpr int run_of_sums = 8;  ///< x sums, or y sums, that a thread makes at once

/// Sizes for tiles of `tile_rows` rows: 16, or 8, which need less shared memory.
template <int R, int tile_rows, class Op>
struct PipelineSizes {
  static_assert(R >= 3 && R <= 8);
  static constexpr int Q = Op::quantities;
  static constexpr int tile_x = tile_columns, tile_y = tile_rows, planes = step_planes;
  static constexpr int run = run_of_sums, chunk = run_of_sums;
  static constexpr int side = 2 * R + 1, margin = (R + 3) / 4 * 4;
  static constexpr int columns = tile_x + 2 * R, width = tile_x + 2 * margin;
  static constexpr int height = tile_y + 2 * R;
  static constexpr int fours = (run + 2 * R + 3) / 4;                   // under a run
  static constexpr int pitch = 4 * (((tile_x - run) / 4 + fours) | 1);  // no bank conflicts
  static constexpr int items = planes * (tile_y / chunk) * columns;
  static constexpr int runs = tile_x * tile_y / run;
  static constexpr int pairs = tile_x / 2;  ///< of a row

  static constexpr int loaders = (items + 31) / 32 * 32;
  static constexpr int summers = Q * runs, emitters = tile_y * pairs;
  static constexpr int others = std::max(summers, emitters), threads = loaders + others;

  using Stage = float[Op::raws][planes][height][width];
  using Rows = float[planes][Q][tile_y][pitch];
  using Windows = float4[planes][Q][tile_y][tile_x / 4];
  using Ring = float4[run / 4][summers];
  using RowCounts = std::uint8_t[planes][tile_y][width + 4];
  using Counts = std::uint32_t[emitters];
  static constexpr int rest =
      2 * sizeof(Rows) + sizeof(Windows) + R * sizeof(Ring) +
      (Op::missing ? 2 * sizeof(RowCounts) + (planes + side) * sizeof(Counts) : 0);
  static constexpr int stages = tile_y == 16 && 2 * sizeof(Stage) + rest <= 222 * 1024 ? 2 : 1;
  static constexpr int shared = stages * sizeof(Stage) + rest;
};

/// Launch shape; depends on the boxes and the device.
template <int R, class Op>
struct BoxPipeline {
  using Large = PipelineSizes<R, 16, Op>;
  using Small = PipelineSizes<R, 8, Op>;
  int tile_y = 0;  ///< 0 where the shared memory of the device does not suffice
  dim3 grid;
  Int3 origin;
  int stretch = 0;
  std::int64_t blocks() const { return std::int64_t{grid.x} * grid.y * grid.z; }
  bool fits() const { return tile_y > 0; }

  BoxPipeline(const Box& domain, const Box& box) {
    int device = 0, shared = 0;
    check(cudaGetDevice(&device));
    check(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    shared -= 256 * static_cast<int>(sizeof(typename Op::Sum));  // of block_sum
    const auto cut = [](int n, int size) { return (n + size - 1) / size; };
    // Pairs of planes, chunks and runs lie as in the whole domain.
    const Int3 aligned{step_planes, run_of_sums, run_of_sums};
    for (int a = 0; a < 3; ++a) origin[a] = box.lo[a] - (box.lo[a] - domain.lo[a]) % aligned[a];
    const int nx = cut(box.hi[2] - origin[2], tile_columns), nz = box.hi[0] - origin[0];
    const auto high = [&](int rows) { return cut(box.hi[1] - origin[1], rows); };
    if (Large::shared <= shared && nx * high(16) * cut(nz, 16) >= few_blocks)
      tile_y = 16;
    else if (Small::shared <= shared)
      tile_y = 8;
    else
      return;
    const int ny = high(tile_y);
    stretch =
        cut(stretch_planes(std::int64_t{nx} * ny, nz, 2 * R + 2 * step_planes, tile_y == 8 ? 2 : 1),
            step_planes) *
        step_planes;
    grid = dim3(nx, ny, cut(nz, stretch));
  }
};

/// A block makes 32 x 16 (or 8) voxels of a stretch of planes, two planes a step. Loaders copy the
/// input to shared memory, two steps ahead where it fits, and make y sums of each quantity by
/// chunks of columns; summers make x sums of them by runs of rows, and z sums of those: a window is
/// the last R pairs of planes with the even plane to come, or with the odd plane before them, which
/// waits in a ring. They also count what is missing, in integers, and give the windows to Op::emit.
/// Loaders, sums and windows are one step ahead of each other.
///
/// Op as for sweep_kernel. How a sum adds up depends on the place of a voxel in the domain alone.
/// `bytes` of a copy to shared memory: 4, 8 or 16.
template <int R, int tile_rows, int bytes, class Op>
__global__ void __launch_bounds__(PipelineSizes<R, tile_rows, Op>::threads, tile_rows == 8 ? 2 : 1)
    box_pipeline_kernel(Op op, Box readable, Box box, Int3 origin, int stretch,
                        typename Op::Sum* parts) {
  using Pipeline = PipelineSizes<R, tile_rows, Op>;
  constexpr int Q = Pipeline::Q, P = Pipeline::planes, run = Pipeline::run, side = Pipeline::side;
  extern __shared__ float4 shared_stages[];
  auto* const stages = reinterpret_cast<typename Pipeline::Stage*>(shared_stages);
  auto* const rows = reinterpret_cast<typename Pipeline::Rows*>(stages + Pipeline::stages);
  auto& windows = *reinterpret_cast<typename Pipeline::Windows*>(rows + 2);
  auto* const ring = reinterpret_cast<typename Pipeline::Ring*>(&windows + 1);
  using Counts = typename Pipeline::Counts;
  auto* const counts = reinterpret_cast<Counts*>(ring + R);  // with missing values only
  auto* const count_ring = counts + P;
  auto* const row_counts = reinterpret_cast<typename Pipeline::RowCounts*>(count_ring + side);

  const int x0 = origin[2] + static_cast<int>(blockIdx.x) * Pipeline::tile_x;
  const int y0 = origin[1] + static_cast<int>(blockIdx.y) * Pipeline::tile_y;
  const int z_lo = origin[0] + static_cast<int>(blockIdx.z) * stretch;
  const int z_hi = min(z_lo + stretch, box.hi[0]);
  // Of planes from z_lo - R on. Step k loads batch k, sums batch k - 1 and hands over batch k - 2,
  // in two halves with a barrier before each: windows are read in the first and written in the
  // second, a stage is read in the first and copied to in the second.
  const int batches = R + (z_hi - z_lo + P - 1) / P;
  const int thread = static_cast<int>(threadIdx.x);
  typename Op::Sum total{};

  if (thread < Pipeline::loaders) {
    const auto wanted = [&](int z) {
      return z >= readable.lo[0] && z < readable.hi[0] && z < z_hi + R;
    };
    // What it copies: pieces of rows, the same ones of every plane.
    constexpr int floats = bytes / 4, pieces = Pipeline::width / floats;
    constexpr int at_once = Pipeline::loaders / pieces;
    constexpr int passes = (Pipeline::height + at_once - 1) / at_once;
    const int piece = thread % pieces, first_row = thread / pieces;
    const int at_x = x0 - Pipeline::margin + piece * floats, at_y = y0 - R + first_row;
    std::uint32_t mine = 0;  // of its passes, a bit each
    if (first_row < at_once && at_x >= readable.lo[2] && at_x < readable.hi[2])
      for (int i = 0; i < passes; ++i)
        if (first_row + i * at_once < Pipeline::height && at_y + i * at_once >= readable.lo[1] &&
            at_y + i * at_once < readable.hi[1])
          mine |= 1U << i;
    const float* next[Op::raws];
#pragma unroll
    for (int k = 0; k < Op::raws; ++k) next[k] = op.view(k).row(z_lo - R, at_y) + at_x;
    const auto copy = [&](int batch) {
#pragma unroll
      for (int p = 0; p < P; ++p) {
        const bool there = wanted(z_lo - R + P * batch + p);
#pragma unroll
        for (int k = 0; k < Op::raws; ++k) {
          const View<const float> from = op.view(k);
          float* const to = &stages[batch % Pipeline::stages][k][p][first_row][piece * floats];
          constexpr int pass = at_once * Pipeline::width;
          if (there) {
            const float* at = next[k];
#pragma unroll
            for (int i = 0; i < passes; ++i) {
              copy_async_if<bytes, (R > 4)>(mine & (1U << i), to + i * pass, at);
              at += at_once * from.stride_y;
            }
          } else {
            for (int i = 0; i < passes; ++i)
              if (mine & (1U << i))
                for (int j = 0; j < floats; ++j) to[i * pass + j] = op.outside(k);
          }
          next[k] += from.stride_z;
        }
      }
      asm volatile("cp.async.commit_group;");
    };
    // What no copy reaches is outside in every plane.
    constexpr int of_raw = P * Pipeline::height * Pipeline::width;
    for (int i = thread; i < Pipeline::stages * Op::raws * of_raw; i += Pipeline::loaders)
      (&stages[0][0][0][0][0])[i] = op.outside(i / of_raw % Op::raws);
    __syncthreads();
    for (int k = 0; k < Pipeline::stages; ++k) copy(k);

    // What it sums: a chunk of a column of a plane.
    constexpr int chunk = Pipeline::chunk, high = chunk + 2 * R;
    const bool works = thread < Pipeline::items;
    const int item = works ? thread : 0;
    const int c = item % Pipeline::columns, p = item / Pipeline::columns % P;
    const int top = item / Pipeline::columns / P * chunk;
    std::uint32_t there = 0;  // of its rows, a bit each
    if constexpr (Op::missing) {
      const int x = x0 - R + c;
      for (int j = 0; j < high; ++j) {
        const int y = y0 + top - R + j;
        if (y >= readable.lo[1] && y < readable.hi[1] && x >= readable.lo[2] && x < readable.hi[2])
          there |= 1U << j;
      }
    }
    const auto landed = [] {  // the next batch
      asm volatile("cp.async.wait_group %0;" ::"n"(Pipeline::stages - 1));
    };
    landed();
    for (int k = 0; k < batches + 2; ++k) {
      __syncthreads();
      float value[high][Op::values];
      auto& to = rows[k & 1][p];
      const auto sum = [&](int q) {
        window_sums<side, chunk>(
            [&](int j, float s) {
              float sums[Q] = {};
              sums[q] = s;
              op.add(1.0F, value[j], sums);
              return sums[q];
            },
            [&](int j, float s) { to[q][top + j][c] = s; });
      };
      constexpr int first_half = (Q + 1) / 2;  // quantities: both halves take as long
      if (k < batches) {
#pragma unroll
        for (int j = 0; j < high; ++j) {
          float raw[Op::raws];
#pragma unroll
          for (int i = 0; i < Op::raws; ++i)
            raw[i] = stages[k % Pipeline::stages][i][p][top + j][c + Pipeline::margin - R];
          op.prepare(raw, value[j]);
        }
        if constexpr (Op::missing) {
          std::uint32_t present = wanted(z_lo - R + P * k + p) ? there : 0;
          float seen = 0;
#pragma unroll
          for (int j = 0; j < high; ++j) seen = fmaf(value[j][0], value[j][1], seen);
          if (absent(seen, seen)) {
#pragma unroll
            for (int j = 0; j < high; ++j)
              if (absent(value[j][0], value[j][1])) {
                value[j][0] = value[j][1] = 0;
                present &= ~(1U << j);
              }
          }
          if (works)
#pragma unroll
            for (int j = 0; j < chunk; ++j)
              row_counts[k & 1][p][top + j][c] =
                  static_cast<std::uint8_t>(__popc((present >> j) & ((1U << side) - 1)));
        }
        if (works)
#pragma unroll
          for (int q = 0; q < first_half; ++q) sum(q);
      }
      __syncthreads();
      if (k < batches) {
        copy(k + Pipeline::stages);
        if (works)
#pragma unroll
          for (int q = first_half; q < Q; ++q) sum(q);
        landed();
      }
    }
  } else {
    // What it hands over: a pair of each plane.
    const int column = thread - Pipeline::loaders;
    const int row = column / Pipeline::pairs, pair = column % Pipeline::pairs;
    const int x = x0 + 2 * pair, y = y0 + row;
    const bool interior = x0 - R >= readable.lo[2] && x0 + Pipeline::tile_x + R <= readable.hi[2] &&
                          y0 - R >= readable.lo[1] && y0 + Pipeline::tile_y + R <= readable.hi[1];
    const int skip = min(max(0, box.lo[2] - x), 2), end = min(2, box.hi[2] - x);
    const bool full = op.paired && skip == 0 && end == 2;
    const bool makes = column < Pipeline::emitters && end > skip && y >= box.lo[1] && y < box.hi[1];
    typename Op::Place reads = op.place({z_lo, y, x, skip, end, full}), writes = reads;
    typename Op::Own own[P][Op::own + 1][2];
    const auto hand_over = [&](int k) {
      const int z = z_lo + P * (k - 2 - R);  // windows are centred R planes before their last
      if (makes && z >= z_lo) {
        std::uint32_t count[P] = {};
        bool whole = interior && z - R >= readable.lo[0] && z + P - 1 + R < readable.hi[0];
        if constexpr (Op::missing) {
          whole = true;
#pragma unroll
          for (int p = 0; p < P; ++p) {
            count[p] = counts[p][column];
            whole = whole && count[p] == side * side * side * 0x10001U;
          }
        }
        const auto emit = [&](int p, bool is_full, bool is_whole) {
          float sums[Q][2];
#pragma unroll
          for (int q = 0; q < Q; ++q) {
            const float2 two = reinterpret_cast<const float2*>(
                &windows[p][q][row][pair / 2 ^ (row & 7)])[pair % 2];
            sums[q][0] = two.x;
            sums[q][1] = two.y;
          }
          const float low = static_cast<float>(count[p] & 0xffffU);
          const float high = static_cast<float>(count[p] >> 16U);
          op.emit(writes, {z + p, y, x, skip, end, is_full}, sums,
                  {is_whole, is_whole || !Op::missing, {low, high}}, own[p], total);
        };
        if (whole && full && z >= box.lo[0] && z + P <= z_hi) {
#pragma unroll
          for (int p = 0; p < P; ++p) {
            emit(p, true, true);
            op.next_plane(writes);
          }
        } else {
#pragma unroll
          for (int p = 0; p < P; ++p) {
            if (z + p >= box.lo[0] && z + p < z_hi) emit(p, full, false);
            op.next_plane(writes);
          }
        }
      }
      if (Op::own > 0 && op.reads_own && makes && z + P >= z_lo) {  // for the next step
        const auto read = [&](int p, int lo, int hi, bool is_full) {
#pragma unroll
          for (int f = 0; f < Op::own; ++f)
            load_pair(op.own_at(reads, f), lo, hi, is_full, own[p][f]);
        };
        // All in one branch: loads in branches of their own would wait for each other.
        if (full && z + P >= box.lo[0] && z + 2 * P <= z_hi) {
#pragma unroll
          for (int p = 0; p < P; ++p) {
            read(p, 0, 2, true);
            op.next_plane(reads);
          }
        } else {
#pragma unroll
          for (int p = 0; p < P; ++p) {
            if (z + P + p >= box.lo[0] && z + P + p < z_hi) read(p, skip, end, full);
            op.next_plane(reads);
          }
        }
      }
    };
    __syncthreads();
    if (column >= Pipeline::summers) {
      for (int k = 0; k < batches + 2; ++k) {
        __syncthreads();
        hand_over(k);
        __syncthreads();
      }
    } else {
      // What it sums: a run of a row, of one quantity. Eight lanes have eight rows: no bank
      // conflicts.
      constexpr int across = Pipeline::tile_x / run;
      const int q = column / Pipeline::runs, r = column % Pipeline::runs;
      const int at_row = r / (8 * across) * 8 + r % 8, at_run = r / 8 % across;
      PairSums<R, run> queue;
      int slot = 0;
      const auto line = [&](const float* from, float(&sums)[run]) {
        float v[4 * Pipeline::fours];
#pragma unroll
        for (int i = 0; i < Pipeline::fours; ++i)
          load_four(reinterpret_cast<const float4*>(from)[i], &v[4 * i]);
        window_sums<side, run>([&](int i, float s) { return s + v[i]; },
                               [&](int i, float s) { sums[i] = s; });
      };
      const auto put = [&](int p, const float(&a)[run], const float(&b)[run]) {
#pragma unroll
        for (int i = 0; i < run; i += 4)
          windows[p][q][at_row][(at_run * (run / 4) + i / 4) ^ (at_row & 7)] = make_float4(
              a[i] + b[i], a[i + 1] + b[i + 1], a[i + 2] + b[i + 2], a[i + 3] + b[i + 3]);
      };
      const auto sum = [&]<int phase>(int k) {
        const auto& from = rows[k & 1];
        float even[run], odd[run], waited[run];
        line(&from[0][q][at_row][run * at_run], even);
        put(0, even, queue.pairs);
        line(&from[1][q][at_row][run * at_run], odd);
        queue.template push<phase>(even, odd);
#pragma unroll
        for (int i = 0; i < run; i += 4) {
          float4& waits = ring[slot][i / 4][column];
          load_four(waits, &waited[i]);
          waits = make_float4(odd[i], odd[i + 1], odd[i + 2], odd[i + 3]);
        }
        put(1, waited, queue.pairs);
        slot = slot == R - 1 ? 0 : slot + 1;
      };
      for (int i = 0; i < R; ++i)
        for (int j = 0; j < run / 4; ++j) ring[i][j][column] = make_float4(0, 0, 0, 0);

      const bool counts_too = Op::missing && column < Pipeline::emitters;
      std::uint32_t counted = 0;  // in the last windows of its pair, 16 bits each
      int count_slot = 0;
      if (counts_too)
        for (int i = 0; i < side; ++i) count_ring[i][column] = 0;
      const auto count = [&](int k) {
#pragma unroll
        for (int p = 0; p < P; ++p) {
          const std::uint32_t now = count_two<R>(row_counts[k & 1][p][row], 2 * pair);
          std::uint32_t& leaves = count_ring[count_slot][column];
          counted += now - leaves;
          leaves = now;
          counts[p][column] = counted;
          count_slot = count_slot == side - 1 ? 0 : count_slot + 1;
        }
      };

      __syncthreads();  // step 0
      __syncthreads();
      for (int k = 0; k <= batches; k += 4) {
        const auto step = [&]<int phase>(int batch) {
          if (batch > batches) return;
          __syncthreads();
          hand_over(batch + 1);
          __syncthreads();
          if (batch < batches) {
            sum.template operator()<phase>(batch);
            if (counts_too) count(batch);
          }
        };
        step.template operator()<0>(k);
        step.template operator()<1>(k + 1);
        step.template operator()<2>(k + 2);
        step.template operator()<3>(k + 3);
      }
    }
  }
  if (!parts) return;
  // The 256 threads that block_sum adds up hold those that emit.
  const bool emits = thread >= Pipeline::loaders;
  total = block_sum(emits ? thread - Pipeline::loaders : thread + Pipeline::others, total);
  if (thread == Pipeline::loaders)
    parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
}

/// Bytes of the widest access that cuts the rows of `readable` from `x` on into whole pieces: 4, 8
/// or 16.
inline int access_bytes(const View<const float>& view, const Box& readable, int x) {
  const auto allows = [&](int n) {
    return aligned_runs(view, x, n) && (readable.lo[2] - x) % n == 0 && readable.size(2) % n == 0;
  };
  return allows(4) ? 16 : allows(2) ? 8 : 4;
}

/// Runs the pipeline over `box`; `parts` holds a partial sum a block, or is null.
template <int R, class Op>
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
