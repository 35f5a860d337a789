// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "ffdp/core/context.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/registration/deformable/moving_samples.hpp"
#include "ffdp/registration/images/intensity_model.hpp"
#include "ffdp/registration/images/pair.hpp"

namespace ffdp::registration {

/// One image pair at one level: the voxels that this rank needs, and the constants of its metrics.
/// All calls are collective.
class LevelPair {
 public:
  /// The pair on the grid of a level. The moving image is shrunk as much as the fixed one.
  /// @param pair       outlives the level
  /// @param grid       of the level
  /// @param spacing    of the level [mm]
  /// @param affine     fixed to moving, LPS mm
  /// @param fixed_box  voxels of the fixed image that this rank will read
  /// @param limit      what a rank may hold of the moving image
  LevelPair(Context& ctx, dist::Comm& comm, const Pair& pair, const Grid& grid, double spacing,
            const Affine& affine, const Box& fixed_box, const MovingLimit& limit = {});

  /// The matrix that multiplies a vector in voxels (z, y, x) by `shares` along the axes x, y, z of
  /// the world; none if all shares are 1.
  std::optional<Mat3> restriction(const std::array<double, 3>& shares) const;
  View<const float> fixed() const { return fixed_window_.view().as<float>(); }
  MovingSamples& moving() { return *samples_; }
  const IntensityModel& fixed_model() const { return fixed_model_; }
  const IntensityModel& moving_model() const { return moving_model_; }

 private:
  /// An image and its mask (or null) on the grid of the level. If that is their own grid, these are
  /// the originals, not copies.
  struct AtLevel {
    ImageRef image;
    std::shared_ptr<const Image<float>> own;
    std::shared_ptr<const Image<std::uint8_t>> mask;
    AtLevel(Context& ctx, dist::Comm& comm, const ImageRef& full,
            const Image<std::uint8_t>* full_mask, const Grid& grid);
  };
  AtLevel fixed_, moving_;
  dist::Window fixed_window_;
  dist::MaskWindow fixed_mask_window_;
  IntensityModel fixed_model_, moving_model_;
  std::unique_ptr<MovingSamples> samples_;
};

}  // namespace ffdp::registration
