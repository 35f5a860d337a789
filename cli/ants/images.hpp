// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "cli/ants/registration_line.hpp"

#include "ffdp/registration/register.hpp"
#include "ffdp/transforms/composite_transform.hpp"

namespace ffdp::cli::ants {

/// The images of a registration, each read once.
class Images {
 public:
  /// @param dimension  2 or 3: what all images must be
  /// @param fixed      transform by which fixed images are resampled first (-q)
  Images(Context& ctx, int dimension, transforms::CompositeTransform fixed)
      : ctx_(ctx), dimension_(dimension), fixed_(std::move(fixed)) {}

  /// The image in a file, as it is.
  const Image<float>& at(const std::string& path);

  /// The inputs of a stage. Sets the image pairs of its metrics. Fixed images on another grid are
  /// resampled to that of the first one, and masks to the grids of their images.
  /// @param before  a chain that moving images are resampled by, to the fixed grid; identity: none
  registration::Inputs inputs(StageLine& stage, const transforms::CompositeTransform& before);

 private:
  Image<float> fixed_copy(const std::string& path);
  std::optional<Image<std::uint8_t>> mask(const std::string& path, const Grid& grid,
                                          const transforms::CompositeTransform& chain);

  Context& ctx_;
  int dimension_;
  transforms::CompositeTransform fixed_;
  std::map<std::string, Image<float>> images_;
};

}  // namespace ffdp::cli::ants
