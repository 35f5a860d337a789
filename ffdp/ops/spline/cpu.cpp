// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/spline/backends.hpp"

namespace ffdp::spline {
namespace {

enum Slot { image_slot };  // two images in turn

/// Weighted sums along z or y, as sums of rows.
void add_rows(int axis, const AxisWeights& w, const Box& made, View<const float> in, int z, int y,
              float* to) {
  const int i = axis == 0 ? z - made.lo[0] : y - made.lo[1], n = made.size(2);
  std::fill_n(to, n, 0.0F);
  for (int k = 0; k < w.count; ++k) {
    const float weight = w.weights[static_cast<std::size_t>(i) * w.count + k];
    if (weight == 0) continue;
    const int at = w.first[i] + k;
    const float* from = in.row(axis == 0 ? at : z, axis == 1 ? at : y) + made.lo[2];
#pragma omp simd
    for (int x = 0; x < n; ++x) to[x] += weight * from[x];
  }
}

/// In double, in which a product is exact, so that the sum does not depend on whether the compiler
/// uses fused multiply-add.
void add_voxels(const AxisWeights& w, const Box& made, const float* from, float* to) {
  for (int i = 0; i < made.size(2); ++i) {
    const float* weights = w.weights.data() + static_cast<std::size_t>(i) * w.count;
    const float* values = from + w.first[i];
    double sum = 0;
    for (int k = 0; k < w.count; ++k) sum += double{weights[k]} * double{values[k]};
    to[i] = static_cast<float>(sum);
  }
}

void pass(Context& ctx, int axis, const AxisWeights& w, const Box& made, View<const float> in,
          View<float> out) {
  parallel_for(ctx, std::int64_t{made.size(0)} * made.size(1), [&](std::int64_t row, int) {
    const int z = made.lo[0] + static_cast<int>(row / made.size(1));
    const int y = made.lo[1] + static_cast<int>(row % made.size(1));
    float* to = out.row(z, y) + made.lo[2];
    if (axis == 2)
      add_voxels(w, made, in.row(z, y), to);
    else
      add_rows(axis, w, made, in, z, y, to);
  });
}

}  // namespace

template <>
void On<Backend::cpu>::forward(Context& ctx, const Mesh& mesh, Box reach, Box compute,
                               VectorView<const float> in, VectorView<float> out) {
  for (int c = 0; c < 3; ++c) {
    View<const float> from = in[c];
    int step = 0;
    six_passes(mesh, reach, compute, [&](int axis, const AxisWeights& w, const Box& made) {
      View<float> to = out[c];
      if (step < 5)
        to = {ctx.scratch<float>(image_slot + step % 2, static_cast<std::size_t>(made.volume())),
              made, std::int64_t{made.size(1)} * made.size(2), made.size(2)};
      pass(ctx, axis, w, made, from, to);
      from = to;
      ++step;
    });
  }
}

}  // namespace ffdp::spline
