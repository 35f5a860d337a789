// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/images.hpp"
#include "ffdp/ops/common/metric_sum.hpp"

/// Local normalised cross-correlation as the losses of training code define it: any separable
/// window, zeros outside the image, and several rules that keep the denominator away from 0.
/// Registration uses the op `lncc`, whose windows are cut at the edge of the image.
namespace ffdp::correlation {

/// The denominator D, made from the variances vF and vM and epsilon e.
enum class Floor {
  product,          ///< vF vM + e
  clamped_product,  ///< max(vF vM, e)
  clamped_each,     ///< max(vF, e) max(vM, e)
  added_each,       ///< (max(vF, 0) + e) (max(vM, 0) + e)
};
enum class Power {
  squared,  ///< (c^2 + numerator) / denominator
  plain,    ///< c / sqrt(denominator)
};

/// c, vF and vM are the covariance and the variances of a window. Its weights are divided by their
/// sum; voxels outside the image count as zeros.
struct Params {
  /// Weights along z, y and x; each has an odd length, at most 63, and is symmetric.
  std::array<std::vector<double>, 3> taps;
  Floor floor = Floor::product;
  Power power = Power::squared;
  double epsilon = 1e-5;  ///< [intensity^4] for products, [intensity^2] for `each`
  double numerator = 0;   ///< [intensity^4]
  friend bool operator==(const Params&, const Params&) = default;
};

/// Reach of one window along an axis [voxels].
inline int reach(const Params& p, int axis) { return static_cast<int>(p.taps[axis].size()) / 2; }
/// Halo the inputs need around the compute box for the gradient [voxels]; half of it for the value.
inline Int3 halo(const Params& p) { return {2 * reach(p, 0), 2 * reach(p, 1), 2 * reach(p, 2)}; }

/// The outputs; null data (or pointer) for those that are not wanted.
template <class T>
struct Outputs {
  View<T> map;               ///< [z,y,x] cc of the window centred at each voxel [1], over compute
  View<T> grad;              ///< [z,y,x] dL/d(warped) [1/intensity], over compute
  MetricSum* sum = nullptr;  ///< added to: sum of weight cc over compute, and sum of weight
};

/// L = sum of weight * cc over the windows of the domain. L is symmetric in the two images;
/// exchange them for the gradient w.r.t. the other one. T is float, or double on the CPU. On CUDA,
/// does not wait for the device.
/// @param domain   whole image; outside it are zeros
/// @param compute  voxels this call is responsible for
/// @param images   stored over at least grow(compute, halo) within the domain
/// @param centres  2 values in memory of the backend, near the means of fixed and warped
///                 [intensity]; subtracted on loading, which changes only the rounding
/// @param weight   [z,y,x] of each window [1], stored over at least grow(compute, halo / 2) within
///                 the domain; null for 1
template <class T>
void forward_backward(Context&, const Params&, Box domain, Box compute, const Images<T>& images,
                      const T* centres, View<const T> weight, const Outputs<T>& outputs);

}  // namespace ffdp::correlation
