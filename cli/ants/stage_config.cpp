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

/// Width of the Gaussian that smooths as the cubic B-spline of this knot distance does: the spline
/// is the Gaussian's fourfold box, of variance 4/12 [knot distances].
const double knot_sigma = std::sqrt(1.0 / 3);

/// Sigma of the update here for that of ANTs: 1 voxel for the variance of 3 that lines give.
const double update_share = std::sqrt(1.0 / 3);
constexpr double least_sigma_warp = 0.7071;  // [voxels]

/// Gaussian sigma [voxels of a level] of a stage. ANTs doubles the mesh from level to level, so a
/// spline's knots stay as many voxels of a level apart as at the first one.
double sigma_of(const StageLine& stage, double smoothing, const std::vector<double>& mesh,
                const Grid& fixed, int coarsest) {
  constexpr double most = 12;  // [voxels]
  if (!stage.spline) return std::min(std::sqrt(smoothing), most);
  double knots = smoothing;
  for (std::size_t axis = 0; axis < mesh.size() && axis < 3; ++axis)
    if (mesh[axis] > 0)
      knots = std::max(knots, fixed.spacing[axis] * fixed.size[2 - axis] / mesh[axis]);
  return std::min(knot_sigma * knots / (registration::finest_spacing(fixed) * coarsest), most);
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
  const int coarsest = stage.shrink[0];
  // Steps are larger here than in ANTs, so that the same variance would smooth too much of each
  // step and none at all too little of the warp (measured: docs/ants.md).
  deformable.sigma_update =
      sigma_of(stage, stage.update_smoothing, stage.update_mesh, fixed, coarsest) * update_share;
  deformable.sigma_warp = std::max(
      sigma_of(stage, stage.warp_smoothing, stage.warp_mesh, fixed, coarsest), least_sigma_warp);
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
    if (stage.spline) note("-t " + stage.name + ": a Gaussian as wide as the B-spline smooths");
    if (stage.name.ends_with("Exponential"))
      note("-t " + stage.name + ": runs as GaussianDisplacementField");
  }
  if (line.verbose)
    note(
        "gradient step, sampling, smoothing sigmas and convergence thresholds have no effect here "
        "(docs/ants.md)");
}

}  // namespace ffdp::cli::ants
