// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/images.hpp"
#include "ffdp/ops/common/metric_sum.hpp"

namespace ffdp::mse {

/// Squared difference.
struct Params {
  /// A power of two [intensity^2]. Squares are rounded to multiples of it before they are added, so
  /// that sums below 2^53 units have the same bits in any order (ops/common/exact_sum.hpp). 0: not
  /// rounded.
  double unit = 0;
  friend bool operator==(const Params&, const Params&) = default;
};

/// Halo the inputs need around the compute box [voxels].
constexpr int halo(const Params&) { return 0; }

/// Sum of (fixed - warped)^2 over `compute` [intensity^2], a cost, and its gradient w.r.t.
/// `warped`. A NaN voxel of either image is missing: no value, no weight, no gradient.
/// @param domain   whole image
/// @param compute  voxels this call is responsible for
/// @param images   stored over at least compute
/// @param grad     [z,y,x] d(sum)/d(warped) [intensity], written over compute; null for value only
MetricSum forward_backward(Context&, const Params&, Box domain, Box compute,
                           const Images<float>& images, View<float> grad);

/// The same, but adds to *sum, which is in memory of the backend. On CUDA, does not wait for the
/// device.
void forward_backward(Context&, const Params&, Box domain, Box compute, const Images<float>& images,
                      View<float> grad, MetricSum* sum);

}  // namespace ffdp::mse
