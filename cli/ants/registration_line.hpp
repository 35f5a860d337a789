// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "cli/ants/grammar.hpp"

#include "ffdp/registration/config.hpp"

namespace ffdp::cli::ants {

enum class TransformKind { translation, rigid, similarity, affine, symmetric, greedy };

constexpr bool is_linear(TransformKind kind) { return kind < TransformKind::symmetric; }

/// One -m of a stage.
struct MetricLine {
  registration::MetricConfig config;  ///< its image pair is set by whoever reads the images
  std::string fixed, moving;
};

/// The mesh of a B-spline at the first level of a stage.
struct SplineMesh {
  double distance = 0;           ///< of its knots [mm], or
  std::vector<double> elements;  ///< how many it has along x, y and z
  bool empty() const { return distance == 0 && elements.empty(); }
};

/// One stage of antsRegistration. Levels without iterations at the end are kept.
struct StageLine {
  std::string name;  ///< of the transform, as "SyN"
  TransformKind kind = TransformKind::affine;
  double update_variance = 0, warp_variance = 0;  ///< of Gaussians that smooth [voxels^2]
  SplineMesh update_mesh, warp_mesh;              ///< of B-splines that smooth in their place
  std::vector<MetricLine> metrics;
  std::vector<int> iterations, shrink;
  std::string fixed_mask, moving_mask;  ///< empty: none
  std::vector<double> restriction;      ///< --restrict-deformation; empty: none
};

/// A command line of antsRegistration, understood.
struct RegistrationLine {
  int dimension = 3;
  std::string prefix, warped, inverse_warped;  ///< empty: not wanted
  std::string save_state, restore_state;
  bool composite = false, collapse = true, single_precision = false, verbose = false,
       match_histograms = false;
  std::array<double, 2> winsorize{0, 1};
  Value interpolation;
  std::vector<Value> initial_moving, initial_fixed;
  std::vector<StageLine> stages;
};

/// The options of antsRegistration.
const std::vector<OptionName>& registration_options();

/// Throws InvalidArgument naming option, what it got and how it is written, for whatever ANTs would
/// refuse and what is not done here. Says with note() what is done otherwise than in ANTs.
RegistrationLine parse_registration(std::span<const std::string> words);

/// One -t, and one -m, taken apart.
StageLine parse_transform(const Value& value);
MetricLine parse_metric(const Value& value);

}  // namespace ffdp::cli::ants
