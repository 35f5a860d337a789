// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/soft_bins/math.hpp"

/// Weights as factors of matrix products on tensor cores.
namespace ffdp::soft_bins {

constexpr int tile = 32;  ///< bins along each side of what a warp holds of the joint histogram

struct Pair {
  Axis<float> a, b;
};
/// First bins of a tile of the joint histogram.
struct Tile {
  int a, b;
};

/// A voxel among the bins of one image: its place, minus the logarithm (base 2) of the sum of its
/// weights, and their mean distance.
struct Position {
  float at, scale, mean;
};
/// @param there  a voxel that is not there has weights 0
__device__ inline Position position(const Axis<float>& axis, float value, bool there) {
  const float at = to_bin(axis, value);
  const Reach<float> reach = reach_of(axis, at, [](int, float) {});
  return {at, there ? -log2f(reach.sum) : -INFINITY, reach.moment / reach.sum};
}
/// Of another lane, without the mean.
__device__ inline Position from_lane(const Position& p, int lane) {
  return {__shfl_sync(~0U, p.at, lane), __shfl_sync(~0U, p.scale, lane), 0};
}
__device__ inline float weight(const Axis<float>& axis, const Position& p, int bin) {
  const float d = static_cast<float>(bin) - p.at;
  float w;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(w) : "f"(fmaf(axis.exponent * d, d, p.scale)));
  return w;
}
/// Whether a voxel has a weight in the tile that begins at `first`. True for NaN.
__device__ inline bool reaches(const Axis<float>& axis, const Position& p, int first) {
  const float reach = static_cast<float>(axis.reach);
  return !(p.at + reach < static_cast<float>(first) ||
           p.at - reach > static_cast<float>(first + tile - 1));
}

/// A float as the sum of two of TF32, which tensor cores multiply: to 21 bits. They ignore the last
/// 13 bits of a factor.
struct Split {
  unsigned int high, low;
};
__device__ inline Split split(float x) {
  const unsigned int high = __float_as_uint(x) & 0xFFFFE000U;
  return {high, __float_as_uint(x - __uint_as_float(high))};
}

__device__ inline void multiply_add_part(float (&c)[4], unsigned int a0, unsigned int a1,
                                         unsigned int a2, unsigned int a3, unsigned int b0,
                                         unsigned int b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
/// c += a b, with c of 16 x 8, a of 16 x 8 and b of 8 x 8 numbers, of which each lane holds some
/// (PTX, mma.m16n8k8). The product of the low parts is left out.
__device__ inline void multiply_add(float (&c)[4], const Split (&a)[4], const Split (&b)[2]) {
  multiply_add_part(c, a[0].low, a[1].low, a[2].low, a[3].low, b[0].high, b[1].high);
  multiply_add_part(c, a[0].high, a[1].high, a[2].high, a[3].high, b[0].low, b[1].low);
  multiply_add_part(c, a[0].high, a[1].high, a[2].high, a[3].high, b[0].high, b[1].high);
}

}  // namespace ffdp::soft_bins
