// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/config.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/ops/smooth/smooth.hpp"

namespace ffdp::registration {
namespace {

void within(const char* what, double value, double lo, double hi) {
  require(value >= lo && value <= hi, std::string("config: ") + what + " is " +
                                          std::to_string(value) + ", must be within " +
                                          std::to_string(lo) + " and " + std::to_string(hi));
}

void validate(const MetricConfig& metric, int least_radius) {
  within("metric weight", metric.weight, 0, 1e6);
  within("image_pair", metric.image_pair, 0, 1000);
  require(metric.kind != MetricKind::lncc || metric.window != lncc::Window::zero_padded_box,
          "config: the window of lncc is zero_padded_box, which is for training, box or gaussian "
          "is wanted");
  within("radius", metric.radius, least_radius, 32);
  for (int radius : metric.coarse_radii) within("coarse_radii", radius, 1, 32);
  within("sigma of the window", metric.sigma, 0.1, 16);
  within("floor", metric.floor, 0, 1);
  within("bins", metric.bins, 10, 128);
}

void validate(const Gentle& gentle) {
  within("gentle/full", gentle.full, 0, 10);
  within("gentle/none", gentle.none, gentle.full, 10);
  within("gentle/sigma_update", gentle.sigma_update, 0, 32);
  within("gentle/sigma_warp", gentle.sigma_warp, 0, 32);
  within("gentle/across", gentle.across, 0, 65536);
  within("gentle/update_fall", gentle.update_fall, 0, 1);
  within("gentle/damping", gentle.damping, 0, smooth::most_damping);
}

void validate(const std::vector<Vec3>& knots, const DeformableStage& stage) {
  require(knots.size() <= 1 || knots.size() == stage.iterations.size(),
          "config: there are knots for " + std::to_string(knots.size()) + " levels, for 1 or " +
              std::to_string(stage.iterations.size()) + " they are wanted");
  for (const Vec3& one : knots)
    for (double distance : one)
      if (distance != 0) within("distance of the knots", distance, 1, 64);
}

/// Mutual information finds the basin at 4 voxels; LNCC, which sees edges rather than the overlap
/// of grey values, sets the map at 2: Dice of the affine on two brain pairs 0.556 -> 0.588 and
/// 0.549 -> 0.591 (docs/algorithm.md). Twelve numbers need no more voxels than most_voxels.
std::vector<LinearStage> linear_stages(LinearKind kind) {
  LinearStage coarse, fine;
  coarse.kind = fine.kind = kind;
  coarse.most_voxels = fine.most_voxels = 4e6;
  coarse.resolutions = {4};
  coarse.iterations = {60};
  fine.metric.kind = MetricKind::lncc;
  fine.metric.radius = 3;
  fine.resolutions = {2};
  fine.iterations = {40};
  return {coarse, fine};
}

}  // namespace

Config preset(const std::string& name) {
  Config config;
  config.preset = name;
  config.linear = linear_stages(name == "rigid" ? LinearKind::rigid : LinearKind::affine);
  if (name == "rigid" || name == "affine") return config;
  // Chosen from benchmarks/results/front_h200_2.jsonl and _3.jsonl (docs/performance.md).
  DeformableStage stage;
  stage.metrics[0].radius = 0;
  stage.iterations = {100, 80, 18};
  stage.step = 0.6;
  stage.epsilon = 1.5;
  stage.sigma_update = 1.1;
  stage.update_fall = 0.8;
  stage.sigma_warp = 0.46;
  stage.damping = 0.2;
  stage.widening = 0.8;
  stage.gentle.sigma_update = 2.6;
  stage.gentle.sigma_warp = 1.3;
  stage.gentle.update_fall = 0.4;
  stage.gentle.damping = 0;
  if (name == "fast") {
    stage.iterations = {100, 40, 4};
    stage.sigma_warp = 0.5;
    stage.damping = 0.27;
    stage.gentle.full = 0.13;  // what is damped more changes less
    stage.gentle.none = 0.155;
  } else if (name == "accurate") {
    stage.iterations = {100, 100, 32};
    stage.sigma_warp = 0.42;
    stage.damping = 0.23;
    config.symmetric = true;
    config.refine = 8;
  } else {
    require(name == "default", "preset: \"" + name +
                                   "\" is unknown, one of fast, default, accurate, affine, rigid "
                                   "is wanted");
  }
  config.deformable = {stage};
  return config;
}

void use_global_metrics(Config& config) {
  for (LinearStage& stage : config.linear) stage.metric = LinearStage{}.metric;
  for (DeformableStage& stage : config.deformable) {
    stage.step = DeformableStage{}.step;
    stage.epsilon = DeformableStage{}.epsilon;
    stage.sigma_update = 5;
    stage.sigma_warp = 3;
    stage.damping = stage.update_fall = stage.widening = 0;
    stage.gentle = {};
  }
}

void validate(const Config& config) {
  within("winsorize_lo", config.winsorize_lo, 0, 1);
  within("winsorize_hi", config.winsorize_hi, 0, 1);
  require(config.winsorize_lo < config.winsorize_hi, "config: the winsorizing range is empty");
  within("refine", config.refine, 0, 1e6);
  within("inverse_tolerance", config.inverse_tolerance, 1e-4, 1);
  for (const LinearStage& stage : config.linear) {
    validate(stage.metric, 1);
    require(!stage.resolutions.empty() && stage.resolutions.size() == stage.iterations.size(),
            "config: a linear stage has " + std::to_string(stage.resolutions.size()) +
                " resolutions and " + std::to_string(stage.iterations.size()) +
                " iterations, as many of both are needed");
    for (double r : stage.resolutions) within("resolution", r, 1, 1024);
    for (int n : stage.iterations) within("iterations", n, 0, 1e6);
    within("most_voxels", stage.most_voxels, 0, 1e15);
    within("tolerance", stage.tolerance, 0, 10);
    for (const MetricConfig& metric : stage.further) validate(metric, 1);
    for (double share : stage.restriction) within("restriction", share, 0, 1);
  }
  require(config.deformable.size() <= 1, "config: there is at most one deformable stage");
  for (const DeformableStage& stage : config.deformable) {
    require(!stage.metrics.empty(), "config: the deformable stage has no metric");
    for (const MetricConfig& metric : stage.metrics) validate(metric, 0);
    require(!stage.iterations.empty(), "config: the deformable stage has no iterations");
    for (int n : stage.iterations) within("iterations", n, 0, 1e6);
    for (int s : stage.shrink) within("shrink", s, 1, 1024);
    within("beta1", stage.beta1, 0, 0.9999);
    within("beta2", stage.beta2, 0, 0.99999);
    within("epsilon", stage.epsilon, 0, 1e6);
    within("step", stage.step, 1e-6, 1);
    within("sigma_update", stage.sigma_update, 0, 32);
    within("sigma_warp", stage.sigma_warp, 0, 32);
    within("widening", stage.widening, 0, 3);
    within("damping", stage.damping, 0, smooth::most_damping);
    validate(stage.gentle);
    within("update_fall", stage.update_fall, 0, 1);
    within("warp_fall", stage.warp_fall, 0, 1);
    for (const auto* knots : {&stage.knots_update, &stage.knots_warp}) validate(*knots, stage);
    for (double share : stage.restriction) within("restriction", share, 0, 1);
  }
}

}  // namespace ffdp::registration
