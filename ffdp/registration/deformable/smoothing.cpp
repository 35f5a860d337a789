// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/smoothing.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {
namespace {

void keep_one(std::vector<Vec3>& knots, int level) {
  if (knots.size() > 1) knots = {knots.at(static_cast<std::size_t>(level))};
}

int reach_of(const std::vector<Vec3>& knots, double sigma) {
  int reach = knots.empty() ? gaussian_radius(sigma) : 0;
  for (const Vec3& k : knots) reach = std::max(reach, spline::reach(k[0]));
  return reach;
}

}  // namespace

Grid grid_at(const DeformableStage& stage, std::size_t level, const Grid& full) {
  return level_grid(full, stage.shrink[level] * finest_spacing(full), 8);
}

int radius_for(const Int3& size) {
  const auto axes = std::count_if(size.begin(), size.end(), [](int n) { return n > 1; });
  const double volume = static_cast<double>(box_of(size).volume());
  const double across = axes > 0 ? std::pow(volume, 1.0 / static_cast<double>(axes)) : 1;
  return static_cast<int>(std::clamp(std::lround(across / 32), 2L, 6L));
}

DeformableStage at_level(const DeformableStage& stage, int level, const Int3& size) {
  constexpr double usual = 256, widest = 8.0 / 3;  // [voxels]
  DeformableStage here = stage;
  const double across = std::cbrt(static_cast<double>(box_of(size).volume()));
  const double wider = std::pow(std::max(1.0, across / usual), stage.widening);
  if (wider > 1)
    for (double* sigma : {&here.sigma_update, &here.sigma_warp})
      *sigma = std::max(*sigma, std::min(*sigma * wider, widest));
  here.widening = 0;
  keep_one(here.knots_update, level);
  keep_one(here.knots_warp, level);
  const int above = static_cast<int>(stage.iterations.size()) - 1 - level;  // 0: the finest
  for (MetricConfig& metric : here.metrics) {
    const int count = static_cast<int>(metric.coarse_radii.size());
    if (above > 0 && count > 0)
      metric.radius = metric.coarse_radii[static_cast<std::size_t>(std::max(count - above, 0))];
    metric.coarse_radii.clear();
    if (metric.radius == 0) metric.radius = radius_for(size);
  }
  if (above > 0 || level == 0) here.gentle = {};  // only the finest has coarser ones to judge by
  return here;
}

double change_of(const jacobian::Statistics& warp, double finer, const Gentle& gentle) {
  const double extent = finer * warp.extent();
  return warp.mean_change() * (extent > 0 ? std::max(1.0, gentle.across / extent) : 1);
}

DeformableStage after_start(const DeformableStage& stage, std::optional<double> change) {
  DeformableStage here = stage;
  here.gentle = {};
  const Gentle& to = stage.gentle;
  if (!change || *change >= to.none) return here;
  const double share = *change <= to.full ? 1 : (to.none - *change) / (to.none - to.full);
  here.sigma_update += share * std::max(0.0, to.sigma_update - stage.sigma_update);
  here.sigma_warp += share * std::max(0.0, to.sigma_warp - stage.sigma_warp);
  here.update_fall += share * std::min(0.0, to.update_fall - stage.update_fall);
  here.damping += share * std::min(0.0, to.damping - stage.damping);
  return here;
}

int update_reach(const DeformableStage& stage) {
  return reach_of(stage.knots_update, std::max(stage.sigma_update, stage.gentle.sigma_update));
}

int warp_reach(const DeformableStage& stage) {
  const bool damped = stage.damping > 0 && stage.knots_warp.empty();
  return reach_of(stage.knots_warp, std::max(stage.sigma_warp, stage.gentle.sigma_warp)) +
         (damped ? 1 : 0);
}

int Smoothing::lead() const {
  return spline ? spline::halo(*spline)[0] : smooth::halo(gaussian)[0];
}

namespace {

Smoothing smoothing_of(const std::vector<Vec3>& knots, double sigma, const Box& domain) {
  const bool by_spline = !knots.empty();
  Smoothing smoothing;
  if (by_spline) smoothing.spline.emplace();
  for (int a = 0; a < 3; ++a) {
    const bool flat = domain.size(a) == 1;
    smoothing.gaussian.sigma[a] = flat || by_spline ? 0 : sigma;
    if (by_spline) smoothing.spline->knots[a] = flat ? 0 : knots.front()[a];
  }
  return smoothing;
}

}  // namespace

Smoothing update_smoothing(const DeformableStage& stage, double done, const Box& domain) {
  return smoothing_of(stage.knots_update, stage.sigma_update * (1 - stage.update_fall * done),
                      domain);
}

Smoothing warp_smoothing(const DeformableStage& stage, double done, const Box& domain) {
  Smoothing smoothing =
      smoothing_of(stage.knots_warp, stage.sigma_warp * (1 - stage.warp_fall * done), domain);
  smoothing.gaussian.damping = stage.damping;
  return smoothing;
}

void smooth_field(Context& ctx, const Smoothing& smoothing, const Box& domain, const Box& compute,
                  VectorView<const float> in, VectorView<float> out) {
  if (smoothing.spline)
    spline::forward(ctx, *smoothing.spline, domain, compute, in, out);
  else
    smooth::forward(ctx, smoothing.gaussian, domain, compute, in, out);
}

}  // namespace ffdp::registration
