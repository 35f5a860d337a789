// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/images.hpp"
#include "ffdp/ops/common/metric_sum.hpp"

namespace ffdp::mi {

enum class Parzen {
  mattes,    ///< nearest bin for fixed, cubic B-spline for moving (Mattes 2003)
  cubic,     ///< cubic B-spline for both
  gaussian,  ///< Gaussian of one bin for both, cut at 4 bins (arXiv 2509.25044, section 3.3)
};
enum class Measure { mutual_information, normalized };

/// Mutual information of two images by implicit Parzen windows: only the joint histogram is stored.
/// Intensities beyond a range count in its end bins and carry no gradient.
struct Params {
  int bins = 32;  ///< per image, padding included; at most 128
  Parzen parzen = Parzen::mattes;
  Measure measure = Measure::mutual_information;
  float fixed_lo = 0, fixed_hi = 1;    ///< robust range [intensity]
  float moving_lo = 0, moving_hi = 1;  ///< robust range [intensity]
  friend bool operator==(const Params&, const Params&) = default;
};

/// Halo the inputs need around the compute box [voxels].
constexpr int halo(const Params&) { return 0; }

/// Joint histogram in fixed point; sums of integers have the same bits in any order and split.
struct Histogram {
  std::vector<std::int64_t> joint;  ///< [bins, bins] (fixed, moving), unit 1 / one
  std::int64_t samples = 0;         ///< voxels counted
  static constexpr std::int64_t one = 1 << 20;
};

/// Adds the voxels of `compute` to the histogram; an empty one is allocated. NaN voxels are
/// missing.
/// @param domain   whole image
/// @param images   stored over at least compute
void accumulate(Context&, const Params&, Box domain, Box compute, const Images<float>& images,
                Histogram& histogram);

/// The measure, and its derivative w.r.t. one histogram count.
struct Table {
  double value = 0;               ///< MI [nat] or NMI [1], larger is better
  std::vector<float> derivative;  ///< [bins, bins] d value / d count [1 / voxel]
};

/// The measure from the histogram of all shards. Throws InvalidArgument if it counts no voxel.
Table evaluate(const Params&, const Histogram& histogram);

/// Gradient of the measure w.r.t. `warped`, times `scale`.
/// @param scale  factor, e.g. the number of voxels
/// @param grad   [z,y,x] [1/intensity], written over compute; 0 where a voxel is missing
void backward(Context&, const Params&, Box domain, Box compute, float scale, const Table& table,
              const Images<float>& images, View<float> grad);

/// The same three with counts, table and result in memory of the backend. On CUDA they do not wait
/// for the device.
/// @param counts      [bins * bins + 1] added to: the histogram, then the samples; all-reduced over
///                    shards between accumulate and evaluate
/// @param derivative  [bins, bins] d value / d count [1 / voxel]
/// @param result      written: the measure [nat] or [1], with the samples as its weight. Value and
///                    derivative are 0 if nothing is counted or both images are constant
void accumulate(Context&, const Params&, Box domain, Box compute, const Images<float>& images,
                std::int64_t* counts);
void evaluate(Context&, const Params&, const std::int64_t* counts, float* derivative,
              MetricSum* result);
void backward(Context&, const Params&, Box domain, Box compute, float scale,
              const float* derivative, const Images<float>& images, View<float> grad);

}  // namespace ffdp::mi
