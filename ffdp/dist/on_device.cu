// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/cuda_check.hpp"
#include "ffdp/dist/on_device.hpp"

namespace ffdp::dist::device {
namespace {

constexpr int threads = 256;

unsigned blocks(std::int64_t count) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

__global__ void add_kernel(View<const float> from, View<float> to, Box box) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= box.volume()) return;
  const int x = static_cast<int>(i % box.size(2));
  const std::int64_t row = i / box.size(2);
  const int y = static_cast<int>(row % box.size(1)), z = static_cast<int>(row / box.size(1));
  to(box.lo[0] + z, box.lo[1] + y, box.lo[2] + x) +=
      from(box.lo[0] + z, box.lo[1] + y, box.lo[2] + x);
}

template <class T, class Combine>
__global__ void reduce_kernel(const T* all, int ranks, std::int64_t count, T* to, Combine combine) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) return;
  T result = all[i];
  for (int r = 1; r < ranks; ++r) result = combine(result, all[r * count + i]);
  to[i] = result;
}

template <class T, class Combine>
void reduce(const Context& ctx, const T* all, int ranks, std::int64_t count, T* to,
            const Combine& combine) {
  reduce_kernel<<<blocks(count), threads, 0, stream_of(ctx)>>>(all, ranks, count, to, combine);
  check(cudaGetLastError());
}

}  // namespace

void add(const Context& ctx, const View<const float>& from, const View<float>& to, const Box& box) {
  if (box.empty()) return;
  add_kernel<<<blocks(box.volume()), threads, 0, stream_of(ctx)>>>(from, to, box);
  check(cudaGetLastError());
}

void sum(const Context& ctx, const std::int64_t* all, int ranks, std::int64_t count,
         std::int64_t* to) {
  reduce(ctx, all, ranks, count, to,
         [] __device__(std::int64_t a, std::int64_t b) { return a + b; });
}

void max(const Context& ctx, const float* all, int ranks, std::int64_t count, float* to) {
  reduce(ctx, all, ranks, count, to, [] __device__(float a, float b) { return fmaxf(a, b); });
}

}  // namespace ffdp::dist::device
