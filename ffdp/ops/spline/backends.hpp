// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "ffdp/ops/common/axis_weights.hpp"
#include "ffdp/ops/spline/spline.hpp"

namespace ffdp::spline {

/// One axis: from voxels to control points, and back.
struct AxisMesh {
  int lo, hi;  ///< control points that `compute` needs
  AxisWeights reduce, expand;
};
using Mesh = std::array<AxisMesh, 3>;

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  static void forward(Context&, const Mesh& mesh, Box reach, Box compute,
                      VectorView<const float> in, VectorView<float> out);
};

/// Calls pass(axis, weights, made) for the six passes in their order, from the voxels of `box` to
/// those of `compute`. `made` is the box that a pass writes, in voxels or control points of each
/// axis. The z axis is reduced first, which makes all other passes smaller. The first pass reads
/// the field and the last one writes it; the others use two scratch images in turn.
template <class Pass>
void six_passes(const Mesh& mesh, Box box, const Box& compute, Pass&& pass) {
  for (int axis = 0; axis < 3; ++axis) {
    box.lo[axis] = mesh[axis].lo;
    box.hi[axis] = mesh[axis].hi;
    pass(axis, mesh[axis].reduce, box);
  }
  for (int axis = 2; axis >= 0; --axis) {
    box.lo[axis] = compute.lo[axis];
    box.hi[axis] = compute.hi[axis];
    pass(axis, mesh[axis].expand, box);
  }
}

}  // namespace ffdp::spline
