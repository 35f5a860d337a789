// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/image_view.hpp"
#include "ffdp/ops/common/voxels.cuh"

namespace ffdp::device {

/// Weighted sums along one axis (axis_weights.hpp): out(i) = sum_k weights[i][k] in(first[i] + k).
template <class T>
struct AxisPass {
  int axis, count, lo;
  const int* first;
  const float* weights;
  float scale, offset;  ///< intensity = offset + scale * stored
  View<const T> in;
  View<float> out;

  __device__ void operator()(int z, int y, int x) const {
    const int i = (axis == 0 ? z : axis == 1 ? y : x) - lo;
    const int from = first[i];
    const std::int64_t stride = axis == 0 ? in.stride_z : axis == 1 ? in.stride_y : 1;
    const T* d =
        in.data + in.offset(axis == 0 ? from : z, axis == 1 ? from : y, axis == 2 ? from : x);
    float sum = 0;
    for (int k = 0; k < count; ++k)
      sum += weights[static_cast<std::int64_t>(i) * count + k] * to_float(d[k * stride]);
    out(z, y, x) = offset + scale * sum;
  }
};

}  // namespace ffdp::device
