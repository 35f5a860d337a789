// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/images.hpp"
#include "ffdp/ops/common/metric_sum.hpp"

namespace ffdp::gc {

/// Global correlation: the square of Pearson's correlation of two images over all voxels. It does
/// not change when either image is scaled, shifted or inverted. Intensities enter the sums as
/// (intensity - centre) * scale; these parameters change only how the sums are rounded.
struct Params {
  float fixed_centre = 0, moving_centre = 0;  ///< near the means [intensity]
  float fixed_scale = 1, moving_scale = 1;    ///< near 1 / standard deviation [1/intensity]
  friend bool operator==(const Params&, const Params&) = default;
};

/// Halo the inputs need around the compute box [voxels].
constexpr int halo(const Params&) { return 0; }

/// Number of voxels, then sums of f, m, f^2, m^2 and f m, centred and scaled, in units of 1 / one.
/// Sums of integers have the same bits in any order and split.
using Sums = std::array<std::int64_t, 6>;
inline constexpr std::int64_t one = 1 << 20;

/// Coefficients of the gradient: d value / d moving = [0] f - [1] m + [2], with f and m centred and
/// scaled.
using Slope = std::array<float, 3>;

/// Adds the voxels of `compute` to the sums. NaN voxels are missing.
/// @param domain  whole image
/// @param images  stored over at least compute
void accumulate(Context&, const Params&, Box domain, Box compute, const Images<float>& images,
                Sums& sums);

/// The measure and the coefficients of its gradient.
struct Correlation {
  MetricSum value;  ///< between 0 and 1, larger is better; its weight is the number of voxels
  Slope slope{};
};

/// The measure from the sums of all shards. Value and slope are 0 if no voxel is counted or an
/// image is constant.
Correlation evaluate(const Params&, const Sums& sums);

/// Gradient of the measure w.r.t. `warped`, times `scale`.
/// @param scale  factor, e.g. the number of voxels
/// @param grad   [z,y,x] [1/intensity], written over compute; 0 where a voxel is missing
void backward(Context&, const Params&, Box domain, Box compute, float scale, const Slope& slope,
              const Images<float>& images, View<float> grad);

/// The same three with sums, slope and result in memory of the backend. On CUDA they do not wait
/// for the device.
/// @param sums    [6] added to; all-reduced over shards between accumulate and evaluate
/// @param slope   [3]
/// @param result  written: the measure, and the number of voxels as its weight
void accumulate(Context&, const Params&, Box domain, Box compute, const Images<float>& images,
                std::int64_t* sums);
void evaluate(Context&, const Params&, const std::int64_t* sums, float* slope, MetricSum* result);
void backward(Context&, const Params&, Box domain, Box compute, float scale, const float* slope,
              const Images<float>& images, View<float> grad);

}  // namespace ffdp::gc
