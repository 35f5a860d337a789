// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/grammar.hpp"

#include "ffdp/core/grid.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::cli::ants {

/// How -n says that an image is sampled; the grid of the image that is sampled is known later.
class Interpolator {
 public:
  Interpolator() = default;
  /// Throws InvalidArgument naming what there is where the name is none of ANTs'.
  explicit Interpolator(const Value& value);

  /// Whether it takes one of the voxels' values, so that labels stay labels.
  bool keeps_labels() const;
  transforms::ApplyParams params(const Grid& moving, double fill) const;

 private:
  transforms::Interpolation kind_ = transforms::Interpolation::linear;
  transforms::Kernel kernel_;
  std::vector<double> sigma_;  ///< x, y, z or one for all [mm]; empty: the spacing
};

}  // namespace ffdp::cli::ants
