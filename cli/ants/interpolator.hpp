// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ants/grammar.hpp"

#include "ffdp/core/grid.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::cli::ants {

/// The interpolation that -n names. The grid of the image is given later.
class Interpolator {
 public:
  Interpolator() = default;
  /// Throws InvalidArgument, which lists the possible names, if the name is not one of ANTs'.
  explicit Interpolator(const Value& value);

  /// Whether the result is always the value of a voxel, so that labels stay labels.
  bool keeps_labels() const;
  transforms::ApplyParams params(const Grid& moving, double fill) const;

 private:
  transforms::Interpolation kind_ = transforms::Interpolation::linear;
  transforms::Kernel kernel_;
  std::vector<double> sigma_;  ///< x, y, z or one for all [mm]; empty: the spacing
};

}  // namespace ffdp::cli::ants
