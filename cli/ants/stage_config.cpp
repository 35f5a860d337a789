// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/stage_config.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/core/error.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::cli::ants {
namespace {

using registration::Config;
using registration::DeformableStage;
using registration::LinearKind;
using registration::LinearStage;

/// Factor from ANTs' sigma of the update to ours: 1 voxel for the usual variance of 3.
const double update_share = std::sqrt(1.0 / 3);

/// Gaussian sigma of a variance [voxels of a level].
double sigma_of(double variance) {
  constexpr double most = 12;  // [voxels]
  return std::min(std::sqrt(variance), most);
}

/// The least Gaussian sigma of the warp [voxels]. Without CC, which compares shapes, costs say
/// little about each voxel, and the warp has to be smoother (measured: docs/ants.md).
double least_sigma_warp(const StageLine& stage) {
  const bool by_shape = std::ranges::any_of(stage.metrics, [](const MetricLine& metric) {
    return metric.config.kind == registration::MetricKind::lncc;
  });
  return by_shape ? 0.7071 : 1;
}

/// Spline elements along an axis x, y, z at the first level, which the line gives or which the
/// distance of the knots makes of the extent.
double elements(const SplineMesh& mesh, const Grid& fixed, std::size_t axis) {
  if (!mesh.elements.empty()) return mesh.elements[axis];
  return std::ceil((fixed.size[2 - axis] - 1) * fixed.spacing[axis] / mesh.distance);
}

/// Distances of the knots at the levels that have iterations: the mesh doubles from level to level
/// of the line, as in ANTs. Empty: there is no mesh.
std::vector<Vec3> knots_of(const StageLine& stage, const SplineMesh& mesh, const Grid& fixed) {
  constexpr double least = 1, most = 64;  // [voxels of the level]
  std::vector<Vec3> knots;
  if (mesh.empty()) return knots;
  for (std::size_t level = 0; level < stage.iterations.size(); ++level) {
    if (stage.iterations[level] == 0) continue;
    const Grid grid = registration::level_grid(
        fixed, stage.shrink[level] * registration::finest_spacing(fixed), 8);
    Vec3& here = knots.emplace_back();
    for (std::size_t axis = 0; axis < 3; ++axis)
      if (grid.size[2 - axis] > 1)
        here[2 - axis] =
            std::clamp((grid.size[2 - axis] - 1) /
                           std::ldexp(elements(mesh, fixed, axis), static_cast<int>(level)),
                       least, most);
  }
  return knots;
}

/// The restriction of a linear stage in the order of registration::parametric_map. ITK counts the
/// scale of a similarity first in 2-D and last in 3-D; we count it after the turns.
std::vector<double> in_our_order(const StageLine& stage) {
  std::vector<double> r = stage.restriction;
  if (stage.kind != TransformKind::similarity) return r;
  if (r.size() == 4) std::swap(r[0], r[1]);
  if (r.size() == 7) std::rotate(r.begin() + 3, r.begin() + 6, r.end());
  return r;
}

/// The factors and iterations of the levels that have iterations.
template <class Factor>
void take_levels(const StageLine& stage, std::vector<Factor>& factors,
                 std::vector<int>& iterations) {
  factors.clear();
  iterations.clear();
  for (std::size_t i = 0; i < stage.iterations.size(); ++i)
    if (stage.iterations[i] > 0) {
      factors.push_back(stage.shrink[i]);
      iterations.push_back(stage.iterations[i]);
    }
}

LinearStage linear_stage(const StageLine& stage) {
  LinearStage linear;
  linear.kind = static_cast<LinearKind>(stage.kind);
  linear.metric = stage.metrics[0].config;
  for (std::size_t i = 1; i < stage.metrics.size(); ++i)
    linear.further.push_back(stage.metrics[i].config);
  linear.restriction = in_our_order(stage);
  take_levels(stage, linear.resolutions, linear.iterations);
  return linear;
}

DeformableStage deformable_stage(const StageLine& stage, const Grid& fixed) {
  DeformableStage deformable;
  deformable.metrics.clear();
  for (const MetricLine& metric : stage.metrics) deformable.metrics.push_back(metric.config);
  take_levels(stage, deformable.shrink, deformable.iterations);
  for (std::size_t axis = 0; axis < stage.restriction.size(); ++axis)
    deformable.restriction.at(axis) = stage.restriction[axis];
  // Steps are larger here than in ANTs, so that the same variance would smooth too much of each
  // step and none at all too little of the warp (measured: docs/ants.md).
  deformable.sigma_update = sigma_of(stage.update_variance) * update_share;
  deformable.sigma_warp = std::max(sigma_of(stage.warp_variance), least_sigma_warp(stage));
  deformable.knots_update = knots_of(stage, stage.update_mesh, fixed);
  deformable.knots_warp = knots_of(stage, stage.warp_mesh, fixed);
  return deformable;
}

}  // namespace

bool has_iterations(const StageLine& stage) {
  return std::ranges::any_of(stage.iterations, [](int n) { return n > 0; });
}

Config stage_config(const RegistrationLine& line, const StageLine& stage, const Grid& fixed) {
  constexpr int most_refining = 8;  // iterations of both directions' mean, as preset accurate
  Config config;
  config.preset = stage.name;
  config.initialization = registration::Initialization::identity;
  config.winsorize_lo = line.winsorize[0];
  config.winsorize_hi = line.winsorize[1];
  config.match_histograms = line.match_histograms;
  if (is_linear(stage.kind)) {
    config.linear = {linear_stage(stage)};
    return config;
  }
  config.deformable = {deformable_stage(stage, fixed)};
  config.symmetric = stage.kind == TransformKind::symmetric;
  if (config.symmetric)
    config.refine = std::min(config.deformable[0].iterations.back(), most_refining);
  return config;
}

void note_stages(const RegistrationLine& line) {
  for (const StageLine& stage : line.stages) {
    if (stage.name.ends_with("Exponential"))
      note("-t " + stage.name + ": runs as GaussianDisplacementField");
  }
  if (line.verbose)
    note(
        "gradient step, sampling, smoothing sigmas and convergence thresholds have no effect here "
        "(docs/ants.md)");
}

}  // namespace ffdp::cli::ants
