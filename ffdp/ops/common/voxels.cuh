// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ffdp/core/box.hpp"
#include "ffdp/core/cuda_check.hpp"
#include "ffdp/ops/common/metric_sum.hpp"
#include "ffdp/ops/common/slots.hpp"

/// Loops over the voxels of a box on the device, and sums with one order of addition.
namespace ffdp::device {

struct Vector3 {
  float v[3];
};

/// A sum of N doubles; the zero is all bits zero.
template <int N>
struct Sums {
  double v[N] = {};
  __device__ void operator+=(const Sums& other) {
    for (int i = 0; i < N; ++i) v[i] += other.v[i];
  }
};

inline constexpr int tile_x = 32, tile_y = 8, tile_threads = tile_x * tile_y;

/// A block makes a tile of 256 voxels, 32 x 8 of them by default, over `planes` planes. It depends
/// on the box alone.
struct Tiles {
  dim3 grid;
  int planes;
};
inline Tiles tiles_of(const Box& box, int size_x = tile_x, int size_y = tile_y) {
  const auto parts = [](int n, int size) { return (n + size - 1) / size; };
  const int nx = parts(box.size(2), size_x), ny = parts(box.size(1), size_y);
  const std::int64_t all = std::int64_t{nx} * ny * box.size(0);
  const int planes = static_cast<int>(std::clamp<std::int64_t>(all / 8192, 1, 64));
  return {dim3(nx, ny, parts(box.size(0), planes)), planes};
}

/// A dense view of scratch memory over `box`.
template <class T>
FFDP_HD View<T> dense_view(T* data, const Box& box) {
  return {data, box, std::int64_t{box.size(1)} * box.size(2), box.size(2)};
}

/// Prefetches a voxel, or its components, to the L2 cache.
template <class T>
__device__ inline void prefetch(const T* at) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(at));
}
template <class T>
__device__ inline void prefetch(const View<T>& image, int z, int y, int x) {
  prefetch(&image(z, y, x));
}
template <int components = 3, class T>
__device__ inline void prefetch_components(const T* at, std::int64_t stride_c) {
#pragma unroll
  for (int c = 0; c < components; ++c) prefetch(at + c * stride_c);
}
template <int components = 3, class T>
__device__ inline void prefetch(const VectorView<T>& field, int z, int y, int x) {
  prefetch_components<components>(&field[0](z, y, x), field.stride_c);
}

/// The voxels of one thread: those at z_lo <= z < z_hi of the column (y, x), if that is in the box.
struct Column {
  int x, y, z_lo, z_hi;
  bool in_box;
};
/// The column of `planes` voxels that a thread makes, in a block of one of the Tiles.
template <int size_x = tile_x, int size_y = tile_y>
__device__ Column thread_column(const Box& box, int planes) {
  const int x = box.lo[2] + static_cast<int>(blockIdx.x) * size_x + threadIdx.x;
  const int y = box.lo[1] + static_cast<int>(blockIdx.y) * size_y + threadIdx.y;
  const int z_lo = box.lo[0] + static_cast<int>(blockIdx.z) * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]);
  return {x, y, z_lo, z_hi, !(x >= box.hi[2] || y >= box.hi[1])};
}

/// Makes a column of voxels that wait for gathers, two at a time. two(z) makes the voxels at z and
/// z + 1 and adds 2 to z; it writes neither before it has made both, so that their loads are in
/// flight together. one(z) makes the last of an odd number. prefetch(z, planes) prefetches the
/// inputs at z + planes.
template <class Prefetch, class Two, class One>
__device__ void two_by_two(const Column& column, const Prefetch& prefetch, const Two& two,
                           const One& one) {
  int z = column.z_lo;
  while (z + 1 < column.z_hi) {
    if (z + 3 < column.z_hi) {
      prefetch(z, 2);
      prefetch(z, 3);
    }
    two(z);
  }
  if (z < column.z_hi) one(z);
}

/// A thread makes one column of `planes` voxels. `blocks` is the number of blocks that should fit
/// on a multiprocessor. Bodies that wait for gathers gain from 6, at the price of registers.
template <int blocks, class Body>
__global__ void __launch_bounds__(tile_threads, blocks)
    visit_kernel(Box box, int planes, Body body) {
  const Column column = thread_column(box, planes);
  if (!column.in_box) return;
  for (int z = column.z_lo; z < column.z_hi; ++z) body(z, column.y, column.x);
}

/// Calls body(z, y, x) for every voxel of the box.
template <int blocks = 1, class Body>
void for_each_voxel(const Context& ctx, const Box& box, const Body& body) {
  const Tiles tiles = tiles_of(box);
  visit_kernel<blocks>
      <<<tiles.grid, dim3(tile_x, tile_y), 0, stream_of(ctx)>>>(box, tiles.planes, body);
  check(cudaGetLastError());
}

/// Sum over the threads 0 to 255 of a block (which may have more), by a tree of fixed shape. Valid
/// in thread 0. Takes shared memory for 256 sums.
template <class Sum>
__device__ Sum block_sum(int thread, Sum sum) {
  __shared__ alignas(16) unsigned char bytes[256 * sizeof(Sum)];
  Sum* sums = reinterpret_cast<Sum*>(bytes);
  if (thread >= 0 && thread < 256) sums[thread] = sum;
  for (int half = 128; half > 0; half /= 2) {
    __syncthreads();
    if (thread >= 0 && thread < half) {
      sum += sums[thread + half];
      sums[thread] = sum;
    }
  }
  return sum;
}

/// As visit_kernel, with one partial sum per block.
template <int blocks, class Sum, class Body>
__global__ void __launch_bounds__(tile_threads, blocks)
    sum_kernel(Box box, int planes, Body body, Sum* parts) {
  const Column column = thread_column(box, planes);
  Sum sum{};
  if (column.in_box)
    for (int z = column.z_lo; z < column.z_hi; ++z) body(z, column.y, column.x, sum);
  const int thread = threadIdx.y * tile_x + threadIdx.x;
  sum = block_sum(thread, sum);
  if (thread == 0)
    parts[(std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = sum;
}

/// One block adds all partial sums in a fixed order; one thread calls put(total).
template <class Sum, class Put>
__global__ void __launch_bounds__(256)
    finish_kernel(const Sum* parts, std::int64_t count, Put put) {
  Sum sum{};
#pragma unroll 4
  for (std::int64_t i = threadIdx.x; i < count; i += 256) sum += parts[i];
  sum = block_sum(static_cast<int>(threadIdx.x), sum);
  if (threadIdx.x == 0) put(sum);
}

/// Calls put(total) on the device with the sum of `count` partial sums.
template <class Sum, class Put>
void finish_sum(const Context& ctx, const Sum* parts, std::int64_t count, const Put& put) {
  finish_kernel<<<1, 256, 0, stream_of(ctx)>>>(parts, count, put);
  check(cudaGetLastError());
}

/// A put() for metrics: adds (value, weight) to *to, unless that is null.
struct AddTo {
  MetricSum* to;
  __device__ void operator()(const Sums<2>& sum) const {
    if (!to) return;
    to->value += sum.v[0];
    to->weight += sum.v[1];
  }
};
template <class Sum>
struct Put {
  Sum* to;
  __device__ void operator()(const Sum& sum) const { *to = sum; }
};

/// The sum of `count` partial sums. It is made in parts[count]. Waits for the stream.
template <class Sum>
Sum finish_sum(const Context& ctx, Sum* parts, std::int64_t count) {
  finish_sum(ctx, parts, count, Put<Sum>{parts + count});
  Sum sum;
  check(cudaMemcpyAsync(&sum, parts + count, sizeof(Sum), cudaMemcpyDeviceToHost, stream_of(ctx)));
  check(cudaStreamSynchronize(stream_of(ctx)));
  return sum;
}

/// body(z, y, x, sum) must add the part of one voxel. Calls finish(parts, count) with the partial
/// sums; `parts` has room for one more.
template <class Sum, int blocks, class Body, class Finish>
auto partial_sums(Context& ctx, const Box& box, const Body& body, Finish&& finish) {
  const Tiles tiles = tiles_of(box);
  const std::int64_t count = std::int64_t{tiles.grid.x} * tiles.grid.y * tiles.grid.z;
  Sum* parts = ctx.scratch<Sum>(sum_slot, static_cast<std::size_t>(count) + 1);
  sum_kernel<blocks, Sum>
      <<<tiles.grid, dim3(tile_x, tile_y), 0, stream_of(ctx)>>>(box, tiles.planes, body, parts);
  check(cudaGetLastError());
  return finish(parts, count);
}

/// The sum of what body(z, y, x, sum) adds, with the same bits at every run. Waits for the stream.
template <class Sum, int blocks = 1, class Body>
Sum sum_voxels(Context& ctx, const Box& box, const Body& body) {
  return partial_sums<Sum, blocks>(ctx, box, body, [&](Sum* parts, std::int64_t count) {
    return finish_sum(ctx, parts, count);
  });
}
/// The same, but calls put(sum) on the device and does not wait.
template <class Sum, int blocks = 1, class Body, class Put>
void sum_voxels(Context& ctx, const Box& box, const Body& body, const Put& put) {
  partial_sums<Sum, blocks>(
      ctx, box, body, [&](Sum* parts, std::int64_t count) { finish_sum(ctx, parts, count, put); });
}

/// The number of blocks that share the tiles of a plane in `plane_sums`. It depends on the plane
/// alone.
inline int blocks_of_plane(const Box& box) {
  constexpr std::int64_t most = 32;
  const std::int64_t tiles =
      std::int64_t{(box.size(2) + tile_x - 1) / tile_x} * ((box.size(1) + tile_y - 1) / tile_y);
  return static_cast<int>(std::min(tiles, most));
}

/// As sum_kernel, for planes: the blocks of a plane take its tiles in turn.
template <int blocks, class Sum, class Body>
__global__ void __launch_bounds__(tile_threads, blocks)
    plane_sum_kernel(Box box, Body body, Sum* parts) {
  const int across = (box.size(2) + tile_x - 1) / tile_x;
  const int tiles = across * ((box.size(1) + tile_y - 1) / tile_y);
  const int z = box.lo[0] + static_cast<int>(blockIdx.y);
  Sum sum{};
  for (int tile = static_cast<int>(blockIdx.x); tile < tiles; tile += static_cast<int>(gridDim.x)) {
    const int x = box.lo[2] + tile % across * tile_x + static_cast<int>(threadIdx.x);
    const int y = box.lo[1] + tile / across * tile_y + static_cast<int>(threadIdx.y);
    if (x < box.hi[2] && y < box.hi[1]) body(z, y, x, sum);
  }
  const int thread = threadIdx.y * tile_x + threadIdx.x;
  sum = block_sum(thread, sum);
  if (thread == 0) parts[std::int64_t{blockIdx.y} * gridDim.x + blockIdx.x] = sum;
}

/// planes[i] = the sum of the `count` parts of plane i, in their order.
template <class Sum>
__global__ void add_parts_kernel(const Sum* parts, int count, int planes, Sum* sums) {
  const int plane = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (plane >= planes) return;
  Sum sum{};
  for (int i = 0; i < count; ++i) sum += parts[std::int64_t{plane} * count + i];
  sums[plane] = sum;
}

/// The sums of what body(z, y, x, sum) adds, one per plane. Each depends on its plane alone. Waits
/// for the stream.
template <class Sum, int blocks = 1, class Body>
std::vector<Sum> plane_sums(Context& ctx, const Box& box, const Body& body) {
  const int planes = box.size(0), count = blocks_of_plane(box);
  std::vector<Sum> sums(static_cast<std::size_t>(planes));
  if (box.empty()) return sums;
  Sum* parts = ctx.scratch<Sum>(sum_slot, sums.size() * (static_cast<std::size_t>(count) + 1));
  Sum* of_planes = parts + sums.size() * static_cast<std::size_t>(count);
  constexpr int most = 65535;  // planes of a grid of blocks
  for (int first = 0; first < planes; first += most) {
    Box some = box;
    some.lo[0] += first;
    some.hi[0] = std::min(some.lo[0] + most, box.hi[0]);
    plane_sum_kernel<blocks, Sum>
        <<<dim3(count, some.size(0)), dim3(tile_x, tile_y), 0, stream_of(ctx)>>>(
            some, body, parts + std::int64_t{first} * count);
    check(cudaGetLastError());
  }
  add_parts_kernel<<<(planes + 63) / 64, 64, 0, stream_of(ctx)>>>(parts, count, planes, of_planes);
  check(cudaGetLastError());
  check(cudaMemcpyAsync(sums.data(), of_planes, sums.size() * sizeof(Sum), cudaMemcpyDeviceToHost,
                        stream_of(ctx)));
  check(cudaStreamSynchronize(stream_of(ctx)));
  return sums;
}

/// A copy of `values` in a scratch slot.
template <class T>
const T* upload(Context& ctx, int slot, const std::vector<T>& values) {
  T* to = ctx.scratch<T>(slot, values.size());
  check(cudaMemcpyAsync(to, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice,
                        stream_of(ctx)));
  return to;
}

}  // namespace ffdp::device
