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
  registration::MetricConfig config;  ///< Images::inputs sets its image pair
  std::string fixed, moving;
};

/// The mesh of a B-spline at the first level of a stage.
struct SplineMesh {
  double distance = 0;           ///< of the knots [mm], or
  std::vector<double> elements;  ///< number of elements along x, y and z
  bool empty() const { return distance == 0 && elements.empty(); }
};

/// One stage of antsRegistration. Levels without iterations at the end are kept.
struct StageLine {
  std::string name;  ///< of the transform, for example "SyN"
  TransformKind kind = TransformKind::affine;
  double update_variance = 0, warp_variance = 0;  ///< of the smoothing Gaussians [voxels^2]
  SplineMesh update_mesh, warp_mesh;              ///< of B-splines that replace the Gaussians
  std::vector<MetricLine> metrics;
  std::vector<int> iterations, shrink;
  std::string fixed_mask, moving_mask;  ///< empty: none
  std::vector<double> restriction;      ///< --restrict-deformation; empty: none
};

/// The content of a command line of antsRegistration.
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

/// Parses the words of a command line. Throws InvalidArgument for everything that ANTs would refuse
/// or that is not supported here; the message names the option, what was given, and the right way
/// to write it. Prints a note() about everything that is done differently from ANTs.
RegistrationLine parse_registration(std::span<const std::string> words);

/// Parses one -t, and one -m.
StageLine parse_transform(const Value& value);
MetricLine parse_metric(const Value& value);

}  // namespace ffdp::cli::ants
