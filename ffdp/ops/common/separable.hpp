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

/// For each position in [lo, hi) of one axis, the sum of the taps that fall inside the domain;
/// padded.
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

/// How separable_stencil divides its work into units: tiles of rows times stretches of planes.
/// Units depend on the boxes alone, so sums per unit have the same bits at any number of threads.
struct StencilUnits {
  int tile = 1, tiles = 1;         ///< rows per unit, number of tiles
  int stretch = 1, stretches = 1;  ///< planes per unit, number of stretches
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

/// out[x] = in[x] + ... + in[x + 2 radius] for radius >= 3, by sums of two and of four. This takes
/// 6 + (radius + 1) / 2 memory operations instead of 2 radius + 1. `pairs` holds two rows of `wide`
/// elements.
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

/// Sizes that are the same for all units of a separable_stencil with Q quantities.
template <int Q>
struct StencilShape {
  const Taps& taps;
  Box domain, compute;
  StencilUnits units;
  int rz, ry, rx;
  int window_z;             ///< planes of the ring
  bool box_x;               ///< all taps along x are 1
  std::size_t width, wide;  ///< elements of an output row and of an input row
  std::size_t plane,
      rows;  ///< elements of one quantity of a ring plane, and of its rows summed along x

  StencilShape(const Taps& t, const Box& d, const Box& c)
      : taps(t),
        domain(d),
        compute(c),
        units(stencil_units(Q, t, c)),
        rz(t.radius(0)),
        ry(t.radius(1)),
        rx(t.radius(2)),
        window_z(2 * rz + 1),
        box_x(rx >= 3 && std::all_of(t.axis[2].begin(), t.axis[2].end(),
                                     [](float tap) { return tap == 1.0F; })),
        width(simd::padded(c.size(2))),
        wide(width + simd::padded(2 * static_cast<std::size_t>(rx))),
        plane(static_cast<std::size_t>(units.tile) * width),
        rows(static_cast<std::size_t>(units.tile + 2 * ry) * width) {}

  /// Scratch of a worker [floats].
  std::size_t per_worker() const { return Q * (wide + rows + plane * window_z + width) + 2 * wide; }
};

/// One unit: a tile of rows times a stretch of planes, with the scratch of one worker.
template <int Q>
struct StencilUnit {
  const StencilShape<Q>& shape;
  const int z_lo, z_hi, y_lo, y_hi;

  StencilUnit(const StencilShape<Q>& of, std::int64_t unit, float* scratch)
      : shape(of),
        z_lo(shape.compute.lo[0] +
             static_cast<int>(unit / shape.units.tiles) * shape.units.stretch),
        z_hi(std::min(z_lo + shape.units.stretch, shape.compute.hi[0])),
        y_lo(shape.compute.lo[1] + static_cast<int>(unit % shape.units.tiles) * shape.units.tile),
        y_hi(std::min(y_lo + shape.units.tile, shape.compute.hi[1])),
        x_lo_(std::max(shape.compute.lo[2] - shape.rx, shape.domain.lo[2])),
        x_hi_(std::min(shape.compute.hi[2] + shape.rx, shape.domain.hi[2])),
        input_(scratch),
        summed_(input_ + Q * shape.wide),
        ring_(summed_ + Q * shape.rows),
        output_(ring_ + Q * shape.plane * shape.window_z),
        pairs_(output_ + Q * shape.width),
        source_(std::max(
            {shape.taps.axis[0].size(), shape.taps.axis[1].size(), shape.taps.axis[2].size()})) {
    std::memset(input_, 0, Q * shape.wide * sizeof(float));
    for (int q = 0; q < Q; ++q) {
      load_rows_[q] = input_ + q * shape.wide + (x_lo_ - (shape.compute.lo[2] - shape.rx));
      out_rows_[q] = output_ + q * shape.width;
    }
  }

  /// Loads a plane and puts its sums along x and y into the ring.
  template <class Load>
  void fill_plane(int z, Load& load) {
    float* const to = ring_plane(z);
    if (z < shape.domain.lo[0] || z >= shape.domain.hi[0]) {
      std::memset(to, 0, Q * shape.plane * sizeof(float));
      return;
    }
    for (int y = y_lo - shape.ry; y < y_hi + shape.ry; ++y) {
      const std::size_t offset = static_cast<std::size_t>(y - y_lo + shape.ry) * shape.width;
      if (y < shape.domain.lo[1] || y >= shape.domain.hi[1]) {
        for (int q = 0; q < Q; ++q)
          std::memset(summed_ + offset + q * shape.rows, 0, shape.width * sizeof(float));
        continue;
      }
      load(z, y, x_lo_, x_hi_, load_rows_);
      for (int q = 0; q < Q; ++q)
        sum_x(q, shape.ry ? summed_ + offset + q * shape.rows : to + offset + q * shape.plane);
    }
    if (shape.ry) sum_y(to);
  }

  /// The sums of a row along z, whose planes are in the ring.
  std::array<float*, Q>& sum_z(int z, int y) {
    for (int q = 0; q < Q; ++q) {
      for (int k = 0; k < shape.window_z; ++k)
        source_[k] = ring_plane(z - shape.rz + k) + q * shape.plane +
                     static_cast<std::size_t>(y - y_lo) * shape.width;
      weighted_rows(shape.taps.axis[0], source_.data(), out_rows_[q], shape.width);
    }
    return out_rows_;
  }

 private:
  float* ring_plane(int z) const {
    return ring_ +
           static_cast<std::size_t>((z - z_lo + shape.rz) % shape.window_z) * Q * shape.plane;
  }
  void sum_x(int q, float* sum) {
    const float* const row = input_ + q * shape.wide;
    if (shape.box_x) {
      box_row(shape.rx, row, pairs_, shape.wide, sum, shape.width);
      return;
    }
    for (int k = 0; k <= 2 * shape.rx; ++k) source_[k] = row + k;
    weighted_rows(shape.taps.axis[2], source_.data(), sum, shape.width);
  }
  void sum_y(float* to) {
    for (int q = 0; q < Q; ++q)
      for (int y = 0; y < y_hi - y_lo; ++y) {
        for (int k = 0; k <= 2 * shape.ry; ++k)
          source_[k] = summed_ + q * shape.rows +
                       (static_cast<std::size_t>(y) + static_cast<std::size_t>(k)) * shape.width;
        weighted_rows(shape.taps.axis[1], source_.data(),
                      to + q * shape.plane + static_cast<std::size_t>(y) * shape.width,
                      shape.width);
      }
  }

  int x_lo_, x_hi_;
  float* input_;   // Q wide rows
  float* summed_;  // Q x rows
  float* ring_;    // window_z x Q x plane
  float* output_;  // Q rows
  float* pairs_;   // two wide rows
  std::vector<const float*> source_;
  std::array<float*, Q> load_rows_, out_rows_;
};

}  // namespace detail

/// Streams a separable stencil over `compute`, Q quantities at once. Outside the domain they are
/// zero.
///
/// load(z, y, x_lo, x_hi, rows) must fill rows[q][x - x_lo] for q < Q. It is called only for
/// positions of the domain within the reach of compute. emit(z, y, rows, unit) gets the stencil
/// sums of one row at rows[q][x - compute.lo x] and may overwrite them. One thread makes the rows
/// of a unit in a fixed order, and the units do not depend on the number of threads. Every sum has
/// the same terms in the same order wherever the compute box is cut.
///
/// A unit sums along x, then y within a plane, then z over a ring of 2 radius + 1 planes that stays
/// in the second-level cache.
template <int Q, class Load, class Emit>
void separable_stencil(Context& ctx, int slot, const Taps& taps, const Box& domain,
                       const Box& compute, Load load, Emit emit) {
  const detail::StencilShape<Q> shape(taps, domain, compute);
  float* const scratch = ctx.scratch<float>(slot, shape.per_worker() * ctx.threads);
  parallel_for(ctx, shape.units.count(), [&](std::int64_t index, int worker) {
    detail::StencilUnit<Q> unit(shape, index, scratch + shape.per_worker() * worker);
    for (int z = unit.z_lo - shape.rz; z < unit.z_lo + shape.rz; ++z) unit.fill_plane(z, load);
    for (int z = unit.z_lo; z < unit.z_hi; ++z) {
      unit.fill_plane(z + shape.rz, load);
      for (int y = unit.y_lo; y < unit.y_hi; ++y) emit(z, y, unit.sum_z(z, y), index);
    }
  });
}

}  // namespace ffdp
