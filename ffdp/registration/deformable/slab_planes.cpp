// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/slab_planes.hpp"

#include <algorithm>

#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/registration/deformable/smoothing.hpp"
#include "ffdp/registration/metrics/metric.hpp"

namespace ffdp::registration {
namespace {

constexpr int least_planes = 16;   // a slab of fewer mostly makes halos
constexpr int widest_stencil = 8;  // CUDA: beyond, axis by axis through scratch

}  // namespace

int compose_lead(const DeformableStage& stage) {
  return std::max(warp_reach(stage), compose::halo({.max_step = 1}));
}

SlabPlanes::SlabPlanes(const DeformableStage& stage, int planes) {
  const int smoothing = update_reach(stage);
  gradient = planes + smoothing;
  vectors = planes + 2 * std::max(smoothing, compose_lead(stage));
  workspace = stage.damping > 0 ? planes + 2 * warp_reach(stage) : planes;
  const int widest = std::max(smoothing, warp_reach(stage));
  const bool splines = !stage.knots_update.empty() || !stage.knots_warp.empty();
  if (widest > widest_stencil || splines) axis_fields = 2, axis_planes = planes + 2 * widest;
  for (const MetricConfig& metric : stage.metrics) {
    const int reach = warped_reach(metric);
    warped = std::max(warped, gradient + 2 * reach);
    if (!reach) continue;
    workspace = std::max(workspace, gradient + reach);
    if (metric.window == lncc::Window::gaussian || metric.radius > widest_stencil)
      axis_fields = 8, axis_planes = std::max(axis_planes, gradient + 2 * reach);
  }
  if (!stage.knots_update.empty()) workspace += planes;  // the smoothed gradient
}

std::int64_t slab_budget(MemoryMode mode, Backend backend, std::int64_t own, std::int64_t level) {
  // Together with images, warp and moments this is 48 bytes per voxel in standard mode and 36 in
  // compact mode; the CPU keeps the unprepared images, too, and gets less. Small levels may take
  // more and run as one slab, because short kernels are slow. On CPUs the ranks divide what one
  // rank may take, and keep some of it for their rims.
  const auto voxels = static_cast<double>(own);
  constexpr double mib = 1 << 20U;
  if (mode == MemoryMode::compact) return static_cast<std::int64_t>(std::max(64 * mib, 8 * voxels));
  const bool gpu = backend == Backend::cuda;
  const double least = gpu ? 2048 * mib : 256 * mib * voxels / static_cast<double>(level);
  const double each = gpu ? 11 : own == level ? 5 : 4;
  return static_cast<std::int64_t>(std::max(least, each * voxels));
}

std::int64_t slab_bytes(const DeformableStage& stage, const Box& domain, int planes) {
  const SlabPlanes most(stage, planes);
  const auto of = [&](int n) { return std::int64_t{std::min(n, domain.size(0))}; };
  const auto metrics = static_cast<std::int64_t>(stage.metrics.size());
  // Vectors, workspace, the gradient of the warped image, warped.
  const std::int64_t values = 3 * of(most.vectors) + 3 * of(most.workspace) +
                              most.axis_fields * of(most.axis_planes) + of(most.gradient) +
                              metrics * of(most.warped);
  return values * domain.size(1) * domain.size(2) * static_cast<std::int64_t>(sizeof(float));
}

int slab_planes(const DeformableStage& stage, const Box& domain, std::int64_t bytes) {
  int planes = domain.size(0);
  while (planes > least_planes && slab_bytes(stage, domain, planes) > bytes) --planes;
  // Slabs of one size.
  const int slabs = (domain.size(0) + planes - 1) / planes;
  return (domain.size(0) + slabs - 1) / slabs;
}

}  // namespace ffdp::registration
