// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/ops/common/voxels.cuh"

/// The sums of box_pipeline.cuh: over windows of a line of numbers or of 8-bit counts, and over
/// windows of planes, which are first added in pairs.
namespace ffdp::device {

/// Sums over N windows of n elements of a line (van Herk 1992, doi:10.1016/0167-8655(92)90069-C).
/// Each is the sum of its elements up to the end of the first window plus the sum of those beyond.
/// sum(i, s) returns s plus element i; put(j, s) takes the sum of the window that begins at j.
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

/// Sums of the 2 R + 1 bytes from `first` (an even number) on, and of those from the next byte on,
/// 16 bits each.
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

__device__ inline void load_four(const float4& from, float* to) {
  to[0] = from.x;
  to[1] = from.y;
  to[2] = from.z;
  to[3] = from.w;
}

/// Sums of the last R pairs of planes for a run of voxels, made from sums of 1, 2 and 4 pairs.
template <int R, int run>
struct PairSums {
  float pairs[run] = {};
  float pair[run] = {}, two[2][run] = {}, four[4][run] = {};  ///< sums of the last steps

  /// Adds the pair of planes of step `phase` (0 to 3).
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

}  // namespace ffdp::device
