// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/ops/intensity/intensity.hpp"

namespace ffdp::registration {

/// The distribution of the intensities of the finite voxels of an image: a histogram of equal bins.
/// Counts are whole numbers, so the parts of an image add up to the same bits as the whole.
class Distribution {
 public:
  /// Of all voxels, or of those where `mask` is not 0. Throws InvalidArgument, which names the
  /// image, if no voxel counts or all are equal. Collective.
  /// @param image, mask  stored over at least what this rank owns
  Distribution(Context& ctx, dist::Comm& comm, const std::string& name, const ImageRef& image,
               View<const std::uint8_t> mask);

  const intensity::Statistics& all() const { return all_; }
  double mean() const { return all_.sum / static_cast<double>(all_.count); }
  /// The intensity below which the share `q` of the voxels lies, 0 to 1, linear within a bin.
  double quantile(double q) const;
  /// The share of the voxels below an intensity.
  double share_below(double value) const;
  /// The quantiles of 0.1 % and 99.9 %; smallest and largest intensity if nearly all voxels are
  /// equal.
  intensity::Range robust() const;

 private:
  intensity::Statistics all_;
  double lo_ = 0, hi_ = 1;  ///< of the bins [intensity]
  double scale_ = 1;        ///< [bins / intensity]
  bool nearly_constant_ = false;
  std::vector<std::int64_t> counts_;
};

}  // namespace ffdp::registration
