// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "ffdp/core/context.hpp"

/// Joint histogram of two images whose voxels are spread over bins by Gaussians, and its gradient:
/// the mutual information of MONAI and TransMorph (ffdp.torch.mi). Voxels know no neighbours, so
/// images are rows of n values, or any part of them.
namespace ffdp::soft_bins {

inline constexpr int most_bins = 128;

/// The slope of an intensity that lies exactly at an end of its range.
enum class Ends {
  flat,   ///< 0, as beyond the end
  steep,  ///< as inside
};

struct Params {
  int bins = 32;  ///< per image; their centres lie from end to end of the range, within 2 and 128
  double sigma = 0.5;  ///< of the Gaussians, within 0.05 and 16 [bins]
  std::array<double, 2> range_a{0, 1}, range_b{0, 1};  ///< what is beyond counts as its end
  Ends ends = Ends::flat;
  friend bool operator==(const Params&, const Params&) = default;
};

/// Adds the voxels to the histogram. The weights of a voxel have the sum 1 over the bins of an
/// image; a NaN makes NaNs. T is float, or double on the CPU. The bits do not depend on the number
/// of threads; those of parts that are added differ from those of the whole by rounding.
/// @param n      number of voxels
/// @param a, b   [n] intensities, in memory of the backend
/// @param joint  [bins, bins] (a, b), in memory of the backend [voxels]
template <class T>
void accumulate(Context&, const Params&, std::int64_t n, const T* a, const T* b, double* joint);

/// Gradient w.r.t. a of the sum over all cells of table times joint. That w.r.t. b is that of the
/// swapped images, ranges and axes of the table.
/// @param table   [bins, bins] (a, b), in memory of the backend
/// @param grad_a  [n] written [1/intensity]
template <class T>
void backward(Context&, const Params&, std::int64_t n, const T* a, const T* b, const T* table,
              T* grad_a);

}  // namespace ffdp::soft_bins
