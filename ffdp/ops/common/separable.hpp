// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "ffdp/core/box.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/simd.hpp"

namespace ffdp {

/// Weights of a separable stencil, axes z, y, x; each has odd length 2 radius + 1.
struct Taps {
  std::array<std::vector<float>, 3> axis;
  int radius(int a) const { return static_cast<int>(axis[a].size()) / 2; }
  Int3 radius() const { return {radius(0), radius(1), radius(2)}; }
};

/// Sum of the taps that fall inside the domain, for the positions [lo, hi) of one axis; padded.
inline std::vector<float> tap_sums(const std::vector<float>& taps, int domain_lo, int domain_hi,
                                   int lo, int hi) {
  const int radius = static_cast<int>(taps.size()) / 2;
  std::vector<float> sums(simd::padded(hi - lo), 1.0F);
  for (int i = lo; i < hi; ++i) {
    double sum = 0;
    for (int k = -radius; k <= radius; ++k)
      if (i + k >= domain_lo && i + k < domain_hi) sum += taps[k + radius];
    sums[i - lo] = static_cast<float>(sum);
  }
  return sums;
}

/// How separable_stencil cuts its work: tiles of rows times stretches of planes. It depends on the
/// boxes alone, so sums per unit have the same bits at any thread count.
struct StencilUnits {
  int tile = 1, tiles = 1;         ///< rows a unit, number of tiles
  int stretch = 1, stretches = 1;  ///< planes a unit, number of stretches
  std::int64_t count() const { return std::int64_t{tiles} * stretches; }
};

/// @param quantities  quantities streamed at once
inline StencilUnits stencil_units(int quantities, const Taps& taps, const Box& compute) {
  const auto parts = [](int n, int size) { return std::max(1, (n + size / 2) / size); };
  const std::size_t row_bytes = simd::padded(compute.size(2)) * sizeof(float);
  // The ring of a tile should stay within the second-level cache, its y halo a modest part of it.
  const auto ring_rows = row_bytes * quantities * (2 * taps.radius(0) + 1);
  const int least = std::clamp(2 * taps.radius(1), 8, 32);
  const int tile = std::clamp(static_cast<int>((512U << 10U) / ring_rows), least, 64);
  StencilUnits units;
  units.stretches = parts(compute.size(0), 96);
  units.stretch = (compute.size(0) + units.stretches - 1) / units.stretches;
  units.stretches = (compute.size(0) + units.stretch - 1) / units.stretch;
  units.tiles = std::max(parts(compute.size(1), tile),
                         std::min(parts(compute.size(1), least), 8 / units.stretches));
  units.tile = (compute.size(1) + units.tiles - 1) / units.tiles;
  units.tiles = (compute.size(1) + units.tile - 1) / units.tile;
  return units;
}

namespace detail {

/// out[x] = sum_k taps[k] rows[k][x] over `n` padded elements.
inline void weighted_rows(const std::vector<float>& taps, const float* const* rows, float* out,
                          std::size_t n) {
  const int count = static_cast<int>(taps.size());
  for (std::size_t x = 0; x < n; x += simd::lanes) {
    simd::Vector sum = taps[0] * simd::load(rows[0] + x);
    for (int k = 1; k < count; ++k) sum += taps[k] * simd::load(rows[k] + x);
    simd::store(out + x) = sum;
  }
}

/// out[x] = in[x] + ... + in[x + 2 radius] for radius >= 3, by sums of two and of four: 6 + (radius
/// + 1) / 2 memory operations in place of 2 radius + 1. `pairs` holds two rows of `wide` elements.
inline void box_row(int radius, const float* in, float* pairs, std::size_t wide, float* out,
                    std::size_t n) {
  float* fours = pairs + wide;
  const std::size_t window = 2 * static_cast<std::size_t>(radius) + 1;
  const std::size_t quads = window / 4, rest = window % 4;
  const std::size_t needed = std::min(simd::padded(n + 4 * quads), wide);
  for (std::size_t x = 0; x < needed; x += simd::lanes) {
    const simd::Vector sum = simd::load(in + x) + simd::load(in + x + 1);
    simd::store(pairs + x) = sum;
  }
  for (std::size_t x = 0; x < needed; x += simd::lanes) {
    const simd::Vector sum = simd::load(pairs + x) + simd::load(pairs + x + 2);
    simd::store(fours + x) = sum;
  }
  for (std::size_t x = 0; x < n; x += simd::lanes) {
    simd::Vector sum = simd::load(in + x + (window - 1));
    if (rest == 3) sum += simd::load(pairs + x + (window - 3));
    for (std::size_t k = 0; k < quads; ++k) sum += simd::load(fours + x + 4 * k);
    simd::store(out + x) = sum;
  }
}

}  // namespace detail

/// Streams a separable stencil over `compute`, Q quantities at once, zero outside the domain.
///
/// load(z, y, x_lo, x_hi, rows) fills rows[q][x - x_lo] for q < Q; only positions of the domain
/// within the reach of compute are asked for. emit(z, y, rows, unit) receives, at
/// rows[q][x - compute.lo x], the stencil sums of one row (it may overwrite them); rows of one unit
/// come from one thread in a fixed order, and the units do not depend on the thread count.
/// Every sum has the same terms in the same order wherever the compute box is cut.
///
/// A unit is a tile of rows times a stretch of planes: x then y within a plane, then z over a ring
/// of 2 radius + 1 planes that stays in the second-level cache.
template <int Q, class Load, class Emit>
void separable_stencil(Context& ctx, int slot, const Taps& taps, const Box& domain,
                       const Box& compute, Load load, Emit emit) {
  const int rz = taps.radius(0), ry = taps.radius(1), rx = taps.radius(2);
  const int window_z = 2 * rz + 1;
  const bool box_x = rx >= 3 && std::all_of(taps.axis[2].begin(), taps.axis[2].end(),
                                            [](float tap) { return tap == 1.0F; });
  const std::size_t width = simd::padded(compute.size(2));
  const std::size_t wide = width + simd::padded(2 * static_cast<std::size_t>(rx));
  const StencilUnits units = stencil_units(Q, taps, compute);
  const int tile = units.tile;

  const std::size_t plane = static_cast<std::size_t>(tile) * width;  // one q of a ring plane
  const std::size_t rows = static_cast<std::size_t>(tile + 2 * ry) * width;  // one q, x-summed
  const std::size_t per_worker = Q * (wide + rows + plane * window_z + width) + 2 * wide;
  float* scratch = ctx.scratch<float>(slot, per_worker * ctx.threads);

  parallel_for(ctx, units.count(), [&](std::int64_t unit, int worker) {
    float* input = scratch + per_worker * worker;  // Q wide rows
    float* summed = input + Q * wide;              // Q x rows
    float* ring = summed + Q * rows;               // window_z x Q x plane
    float* output = ring + Q * plane * window_z;   // Q rows
    const int z_lo = compute.lo[0] + static_cast<int>(unit / units.tiles) * units.stretch;
    const int z_hi = std::min(z_lo + units.stretch, compute.hi[0]);
    const int y_lo = compute.lo[1] + static_cast<int>(unit % units.tiles) * tile;
    const int y_hi = std::min(y_lo + tile, compute.hi[1]);
    const int x_lo = std::max(compute.lo[2] - rx, domain.lo[2]);
    const int x_hi = std::min(compute.hi[2] + rx, domain.hi[2]);
    float* pairs = output + Q * width;  // two wide rows
    std::memset(input, 0, Q * wide * sizeof(float));
    std::array<float*, Q> load_rows;
    for (int q = 0; q < Q; ++q) load_rows[q] = input + q * wide + (x_lo - (compute.lo[2] - rx));
    std::vector<const float*> source(
        std::max({taps.axis[0].size(), taps.axis[1].size(), taps.axis[2].size()}));

    const auto fill_plane = [&](int z) {
      float* slot_plane = ring + static_cast<std::size_t>((z - z_lo + rz) % window_z) * Q * plane;
      if (z < domain.lo[0] || z >= domain.hi[0]) {
        std::memset(slot_plane, 0, Q * plane * sizeof(float));
        return;
      }
      for (int y = y_lo - ry; y < y_hi + ry; ++y) {
        float* into = summed + static_cast<std::size_t>(y - y_lo + ry) * width;
        if (y < domain.lo[1] || y >= domain.hi[1]) {
          for (int q = 0; q < Q; ++q) std::memset(into + q * rows, 0, width * sizeof(float));
          continue;
        }
        load(z, y, x_lo, x_hi, load_rows);
        for (int q = 0; q < Q; ++q) {
          float* sum = ry ? into + q * rows : slot_plane + q * plane + (into - summed);
          if (box_x) {
            detail::box_row(rx, input + q * wide, pairs, wide, sum, width);
            continue;
          }
          for (int k = 0; k <= 2 * rx; ++k) source[k] = input + q * wide + k;
          detail::weighted_rows(taps.axis[2], source.data(), sum, width);
        }
      }
      if (!ry) return;
      for (int q = 0; q < Q; ++q)
        for (int y = 0; y < y_hi - y_lo; ++y) {
          for (int k = 0; k <= 2 * ry; ++k)
            source[k] = summed + q * rows + static_cast<std::size_t>(y + k) * width;
          detail::weighted_rows(taps.axis[1], source.data(),
                                slot_plane + q * plane + static_cast<std::size_t>(y) * width,
                                width);
        }
    };

    std::array<float*, Q> out_rows;
    for (int q = 0; q < Q; ++q) out_rows[q] = output + q * width;
    for (int z = z_lo - rz; z < z_lo + rz; ++z) fill_plane(z);
    for (int z = z_lo; z < z_hi; ++z) {
      fill_plane(z + rz);
      for (int y = y_lo; y < y_hi; ++y) {
        for (int q = 0; q < Q; ++q) {
          for (int k = 0; k < window_z; ++k)
            source[k] = ring +
                        (static_cast<std::size_t>((z - z_lo + k) % window_z) * Q + q) * plane +
                        static_cast<std::size_t>(y - y_lo) * width;
          detail::weighted_rows(taps.axis[0], source.data(), out_rows[q], width);
        }
        emit(z, y, out_rows, unit);
      }
    }
  });
}

}  // namespace ffdp
