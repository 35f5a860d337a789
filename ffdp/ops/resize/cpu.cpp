// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/trilinear.hpp"
#include "ffdp/ops/resize/backends.hpp"
#include "ffdp/ops/resize/math.hpp"

namespace ffdp::resize {

namespace {

enum Slot { planes_slot };

/// Makes one output plane of `Q` images at a time: sums planes, then rows, then voxels. Reads an
/// input plane once for each output plane that it contributes to.
/// @param add    add(z, y, w, sums): adds w times the row from reach.lo[2] on to the Q sums
/// @param store  store(z, y, x, values): the Q values of a voxel
template <int Q, class Add, class Store>
void shrink_planes(Context& ctx, const std::array<AxisWeights, 3>& weights, const Box& reach,
                   const Box& compute, Add&& add, Store&& store) {
  const AxisWeights &wz = weights[0], &wy = weights[1], &wx = weights[2];
  const int rows = reach.size(1), width = reach.size(2);
  const std::size_t size = static_cast<std::size_t>(rows) * width;
  const std::size_t per_worker = Q * (size + width);
  float* scratch = ctx.scratch<float>(planes_slot, per_worker * ctx.threads);
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int worker) {
    std::array<float*, Q> plane, row, sum;
    for (int q = 0; q < Q; ++q) {
      plane[q] = scratch + per_worker * worker + q * (size + width);
      row[q] = plane[q] + size;
    }
    for (int y = 0; y < rows; ++y) {
      for (int q = 0; q < Q; ++q) {
        sum[q] = plane[q] + static_cast<std::size_t>(y) * width;
        std::fill_n(sum[q], width, 0.0F);
      }
      for (int k = 0; k < wz.count; ++k)
        add(wz.first[i] + k, reach.lo[1] + y, wz.weights[i * wz.count + k], sum);
    }
    for (int y = 0; y < compute.size(1); ++y) {
      for (int q = 0; q < Q; ++q) {
        std::fill_n(row[q], width, 0.0F);
        for (int k = 0; k < wy.count; ++k) {
          const float w = wy.weights[static_cast<std::size_t>(y) * wy.count + k];
          const float* from =
              plane[q] + static_cast<std::size_t>(wy.first[y] - reach.lo[1] + k) * width;
          float* to = row[q];
#pragma omp simd
          for (int x = 0; x < width; ++x) to[x] += w * from[x];
        }
      }
      for (int x = 0; x < compute.size(2); ++x) {
        std::array<float, Q> value{};
        for (int k = 0; k < wx.count; ++k)
          for (int q = 0; q < Q; ++q)
            value[q] += wx.weights[static_cast<std::size_t>(x) * wx.count + k] *
                        row[q][wx.first[x] - reach.lo[2] + k];
        store(compute.lo[0] + static_cast<int>(i), compute.lo[1] + y, compute.lo[2] + x, value);
      }
    }
  });
}

}  // namespace

template <>
void On<Backend::cpu>::shrink(Context& ctx, const std::array<AxisWeights, 3>& weights, Box reach,
                              Box compute, const ImageView& image, View<float> out) {
  const View<const float> in = require_floats("resize", image);
  shrink_planes<1>(
      ctx, weights, reach, compute,
      [&](int z, int y, float w, const std::array<float*, 1>& sums) {
        const float* from = in.row(z, y) + reach.lo[2];
        float* sum = sums[0];
#pragma omp simd
        for (int x = 0; x < reach.size(2); ++x) sum[x] += w * from[x];
      },
      [&](int z, int y, int x, const std::array<float, 1>& v) { out(z, y, x) = v[0]; });
}

template <>
void On<Backend::cpu>::shrink_masked(Context& ctx, const std::array<AxisWeights, 3>& weights,
                                     Box reach, Box compute, const ImageView& image,
                                     View<const std::uint8_t> mask, View<float> out,
                                     View<float> coverage) {
  const View<const float> in = require_floats("resize", image);
  shrink_planes<2>(
      ctx, weights, reach, compute,
      [&](int z, int y, float w, const std::array<float*, 2>& sums) {
        const float* from = in.row(z, y) + reach.lo[2];
        const std::uint8_t* counts = mask.row(z, y) + reach.lo[2];
        float *value = sums[0], *share = sums[1];
#pragma omp simd
        for (int x = 0; x < reach.size(2); ++x) {
          value[x] += w * (counts[x] != 0 ? from[x] : 0.0F);
          share[x] += counts[x] != 0 ? w : 0.0F;
        }
      },
      [&](int z, int y, int x, const std::array<float, 2>& v) {
        out(z, y, x) = v[1] > 0 ? v[0] / v[1] : 0.0F;
        coverage(z, y, x) = v[1];
      });
}

template <>
void On<Backend::cpu>::displacement(Context& ctx, const Domains& domains, Box compute,
                                    VectorView<const float> in, VectorView<float> out) {
  std::array<std::vector<AxisCell>, 3> cells;
  std::array<float, 3> rescale;
  for (int a = 0; a < 3; ++a) {
    const int from = domains.from.size(a), to = domains.to.size(a);
    rescale[a] = static_cast<float>(static_cast<double>(to) / from);
    for (int i = compute.lo[a]; i < compute.hi[a]; ++i) {
      const double q = std::clamp(centre(i - domains.to.lo[a], from, to), 0.0, from - 1.0);
      const int lower = std::min(static_cast<int>(q), std::max(from - 2, 0));
      cells[a].push_back({domains.from.lo[a] + lower, static_cast<float>(q - lower), true, false});
    }
  }
  parallel_for(ctx, compute.size(0), [&](std::int64_t i, int) {
    const AxisCell z = cells[0][i];
    const int z1 = z.lower + (z.fraction > 0);
    for (int j = 0; j < compute.size(1); ++j) {
      const AxisCell y = cells[1][j];
      const int y1 = y.lower + (y.fraction > 0);
      for (int c = 0; c < 3; ++c) {
        const float *a = in[c].row(z.lower, y.lower), *b = in[c].row(z.lower, y1),
                    *d = in[c].row(z1, y.lower), *e = in[c].row(z1, y1);
        float* to =
            out[c].row(compute.lo[0] + static_cast<int>(i), compute.lo[1] + j) + compute.lo[2];
        for (int x = 0; x < compute.size(2); ++x) {
          const AxisCell w = cells[2][x];
          const int x0 = w.lower, x1 = w.lower + (w.fraction > 0);
          const float v[8] = {a[x0], a[x1], b[x0], b[x1], d[x0], d[x1], e[x0], e[x1]};
          to[x] = rescale[c] * trilinear(v, z.fraction, y.fraction, w.fraction);
        }
      }
    }
  });
}

}  // namespace ffdp::resize
