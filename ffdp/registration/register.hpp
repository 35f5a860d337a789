// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ffdp/registration/deformable/deformable.hpp"
#include "ffdp/registration/linear/linear.hpp"
#include "ffdp/registration/plan.hpp"
#include "ffdp/transforms/invert.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::registration {

/// The inputs of a registration. Of every image and mask a rank passes what it owns (dist::Cut of
/// its grid), on either backend. register_images consumes them: it moves them to the backend of its
/// context and works on them in place.
struct Inputs {
  std::vector<Image<float>> fixed;   ///< at least one; all on the grid of the first
  std::vector<Image<float>> moving;  ///< as many
  std::vector<std::string> fixed_names, moving_names;  ///< for messages
  std::optional<Image<std::uint8_t>> fixed_mask;       ///< on the grid of fixed[0]
  std::optional<Image<std::uint8_t>> moving_mask;      ///< on the grid of moving[0]
  std::optional<Affine> start;  ///< fixed to moving, LPS mm; replaces the initialisation
  CallerNeeds caller{};         ///< for the memory plan
};

struct StageTime {
  std::string name;
  double seconds = 0;
};

/// phi(p) = affine(p + d(p)) maps a fixed point p to a moving point; d is `displacement` in mm. The
/// fields are on the backend of the context, stored over what this rank owns of the fixed grid.
struct Result {
  Grid fixed_grid;
  Affine affine;                    ///< LPS mm
  VectorField<float> displacement;  ///< [3,z,y,x] u [voxels of fixed_grid]; empty if linear only
  VectorField<float> inverse;       ///< (Id + u)^-1 - Id, likewise
  invert::Residual inverse_residual;
  jacobian::Statistics jacobian;
  std::vector<LinearTrace> linear;  ///< of the linear stages
  std::vector<LevelTrace> levels;   ///< of the deformable stage
  std::vector<StageTime> times;
  Plan plan;
};

/// The whole registration: checks, intensity preparation, initialisation, linear stages, deformable
/// stage, inverse. Throws InvalidArgument before any work if an input cannot be registered.
/// Collective: all ranks of `comm` call it, with the same configuration, and get the bits that one
/// rank would get.
/// @param checkpoint  saves the state from time to time, and may resume an earlier registration
/// with
///                    the same configuration and images; may be null
Result register_images(Context& ctx, dist::Comm& comm, const Config& config, Inputs inputs,
                       const ProgressSink& progress, Checkpoint* checkpoint = nullptr);

}  // namespace ffdp::registration
