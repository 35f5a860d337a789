// SPDX-License-Identifier: Apache-2.0
#include "cli/speed.hpp"

#include <algorithm>

#include "ffdp/registration/deformable/smoothing.hpp"

namespace ffdp::cli {
namespace {

double of_metric(const Speed& speed, const registration::MetricConfig& metric) {
  using enum registration::MetricKind;
  return metric.kind == lncc  ? speed.lncc + metric.radius * speed.lncc_radius
         : metric.kind == mi  ? speed.mi
         : metric.kind == mse ? speed.mse
                              : speed.gc;
}

int reach_of(const registration::DeformableStage& stage) {
  return registration::update_reach(stage) + registration::warp_reach(stage);
}

}  // namespace

double nanoseconds_of(const Speed& speed, const registration::DeformableStage& stage) {
  double sum = speed.vectors + speed.reach * std::max(0, reach_of(stage) - reach_of({}));
  if (stage.damping > 0) sum += speed.damping;
  for (const registration::MetricConfig& metric : stage.metrics) sum += of_metric(speed, metric);
  return sum;
}

}  // namespace ffdp::cli
