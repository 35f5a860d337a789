// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/axis_weights.cuh"
#include "ffdp/ops/spline/backends.hpp"

namespace ffdp::spline {
namespace {

enum Slot {
  image_slot,      // two images in turn
  table_slot = 2,  // two per pass
};

}  // namespace

/// Reads 4 B/voxel four times along z, mostly from the caches, and writes 4; the rest is smaller by
/// the knot distance.
template <>
void On<Backend::cuda>::forward(Context& ctx, const Mesh& mesh, Box reach, Box compute,
                                VectorView<const float> in, VectorView<float> out) {
  const int* first[6];
  const float* weights[6];
  int step = 0;
  six_passes(mesh, reach, compute, [&](int, const AxisWeights& w, const Box&) {
    first[step] = device::upload(ctx, table_slot + 2 * step, w.first);
    weights[step] = device::upload(ctx, table_slot + 2 * step + 1, w.weights);
    ++step;
  });
  for (int c = 0; c < 3; ++c) {
    View<const float> from = in[c];
    step = 0;
    six_passes(mesh, reach, compute, [&](int axis, const AxisWeights& w, const Box& made) {
      const View<float> to =
          step == 5
              ? out[c]
              : device::dense_view(ctx.scratch<float>(image_slot + step % 2,
                                                      static_cast<std::size_t>(made.volume())),
                                   made);
      device::for_each_voxel(ctx, made,
                             device::AxisPass<float>{axis, w.count, made.lo[axis], first[step],
                                                     weights[step], 1, 0, from, to});
      from = to;
      ++step;
    });
  }
}

}  // namespace ffdp::spline
