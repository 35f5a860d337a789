// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ffdp/core/error.hpp"
#include "ffdp/registration/deformable/deformable.hpp"
#include "ffdp/registration/deformable/slab_planes.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {
namespace {

std::int64_t voxels(const Grid& grid) { return grid.domain().volume(); }

/// Memory of the images on a level's own grids while they are shrunk: the level's images and the
/// two partly shrunk ones (ops/resize).
struct LevelImages {
  std::int64_t kept = 0, shrinking = 0;
  LevelImages(const Extent& extent, double spacing) {
    const auto add = [&](const Grid& full, int masks, int images) {
      const Grid level = level_grid(full, spacing, 8);
      if (level.size == full.size) return;
      const std::int64_t planes = std::int64_t{level.size[0]} * full.size[1] * full.size[2] * 4;
      const std::int64_t rows = std::int64_t{level.size[0]} * level.size[1] * full.size[2] * 4;
      // With a mask the sums of the weights besides those of the image.
      const std::int64_t shrunk = masks ? 2 * (planes + rows) + 4 * voxels(level) : planes + rows;
      shrinking = std::max(shrinking, shrunk);
      kept += voxels(level) * images * (masks ? 5 : 4);
    };
    add(extent.fixed, extent.fixed_masks, extent.pairs);
    add(extent.moving, extent.moving_masks, extent.pairs);
  }
};

class Planner {
 public:
  Planner(const Config& config, const Extent& extent, Backend backend, MemoryMode mode)
      : config_(config), extent_(extent), backend_(backend) {
    plan_.mode = mode;
    const bool compact = mode == MemoryMode::compact;
    const std::int64_t v = voxels(extent.fixed), m = voxels(extent.moving);
    const std::int64_t masks = v * extent.fixed_masks + m * extent.moving_masks;
    // The CPU keeps what the warped images are made from besides what it works on.
    const Written& w = extent.written;
    const std::int64_t originals =
        backend == Backend::cpu ? (w.warped ? 4 * m : 0) + (w.inverse_warped ? 4 * v : 0) : 0;
    images_ = extent.pairs * (4 * v + (compact ? 2 : 4) * m) + masks + originals;
    add("preparation", extent.fixed,
        extent.pairs * (v + m) * 4 + masks + originals + (compact ? 2 * m : 0));
    linear();
    if (!config.deformable.empty()) deformable();
    saving();
  }
  Plan take() { return std::move(plan_); }

 private:
  void add(std::string name, const Grid& grid, std::int64_t bytes) {
    plan_.stages.push_back({std::move(name), grid.size, bytes});
    plan_.peak = std::max(plan_.peak, bytes);
  }

  void linear() {
    const double finest = finest_spacing(extent_.fixed);
    for (const LinearStage& stage : config_.linear)
      for (double resolution : stage.resolutions) {
        const LevelImages level(extent_, resolution * finest);
        const Grid grid = level_grid(extent_.fixed, resolution * finest, 8);
        // Warped image and gradient; LNCC's workspace.
        const std::int64_t work =
            voxels(grid) * (8 + (stage.metric.kind == MetricKind::lncc ? 12 : 0));
        add("linear", grid, images_ + level.kept + std::max(level.shrinking, work));
      }
  }

  void deformable() {
    const DeformableStage& stage = config_.deformable[0];
    const bool compact = plan_.mode == MemoryMode::compact;
    const std::int64_t v = voxels(extent_.fixed);
    const std::int64_t moment = compact ? 2 : 4;
    std::int64_t moments = 3 * moment;
    if (stage.optimizer == Optimizer::adam)
      moments += stage.second_moment == adam::SecondMoment::element ? 3 * moment : moment;
    // Going both ways the first warp waits, and moving is resampled to the grid of fixed.
    const std::int64_t waiting = config_.symmetric ? 12 * v + 4 * v * extent_.pairs + v : 0;
    std::int64_t coarser = 0;
    for (int shrink : stage.shrink) {
      const double spacing = shrink * finest_spacing(extent_.fixed);
      const Grid grid = level_grid(extent_.fixed, spacing, 8);
      const LevelImages level(extent_, spacing);
      const std::int64_t n = voxels(grid);
      const std::int64_t budget = slab_budget(plan_.mode, backend_, n);
      const int planes = slab_planes(stage, grid.domain(), budget);
      const std::int64_t running = n * (12 + moments) + slab_bytes(stage, grid.domain(), planes);
      const std::int64_t starting = 12 * coarser + std::max(level.shrinking, 12 * n);
      add("deformable", grid, images_ + waiting + level.kept + std::max(running, starting));
      coarser = n;
    }
    // The warp, its inverse; the determinant comes and goes before.
    add("inverse", extent_.fixed, 24 * v);
  }

  /// The program holds warp, inverse and the images it warps on a device, and makes a slab of each
  /// file at a time; of the inverse warped image also of the warp on its grid.
  void saving() {
    if (backend_ != Backend::cuda) return;
    const Written& w = extent_.written;
    const std::int64_t v = voxels(extent_.fixed), m = voxels(extent_.moving);
    const std::int64_t slab = 4 * std::min(std::max(v, m), std::int64_t{1} << 23U);
    const bool warp = !config_.deformable.empty();
    const int slabs = (warp && w.warp) + (warp && w.inverse_warp) + w.warped +
                      (w.inverse_warped ? (warp ? 4 : 1) : 0);
    const std::int64_t images = (w.warped ? m : 0) + (w.inverse_warped ? v : 0);
    add("saving", extent_.fixed, 4 * images + (warp ? 24 * v : 0) + slabs * slab);
  }

  const Config& config_;
  const Extent& extent_;
  Backend backend_;
  Plan plan_;
  std::int64_t images_ = 0;
};

std::string gib(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / (1U << 30U));
  return text;
}

}  // namespace

Config resolved(const Config& config, const Grid& fixed) {
  Config r = config;
  for (DeformableStage& stage : r.deformable) {
    if (stage.shrink.empty()) stage.shrink = automatic_shrink(fixed);
    const std::size_t levels = stage.shrink.size();
    // Fewer levels than numbers: the image is small, and takes the first ones. More: the coarse
    // levels share the first number.
    while (stage.iterations.size() < levels)
      stage.iterations.insert(stage.iterations.begin(), stage.iterations[0]);
    stage.iterations.resize(levels);
  }
  return r;
}

Plan make_plan(const Config& config, const Extent& extent, Backend backend) {
  const MemoryMode mode =
      config.memory == MemoryMode::compact ? MemoryMode::compact : MemoryMode::standard;
  require(mode == MemoryMode::standard || backend == Backend::cuda,
          "plan: compact memory is a mode of the CUDA backend, the CPU works in float32");
  return Planner(config, extent, backend, mode).take();
}

Plan choose_plan(const Config& config, const Extent& extent, Backend backend,
                 std::int64_t available) {
  Plan plan = make_plan(config, extent, backend);
  const auto fits = [&] { return available <= 0 || plan.peak <= available; };
  if (!fits() && config.memory == MemoryMode::automatic && backend == Backend::cuda) {
    Config compact = config;
    compact.memory = MemoryMode::compact;
    plan = make_plan(compact, extent, backend);
  }
  if (fits()) return plan;
  const auto most =
      std::max_element(plan.stages.begin(), plan.stages.end(),
                       [](const PlanStage& a, const PlanStage& b) { return a.bytes < b.bytes; });
  std::string message = "plan: the " + most->name + " stage at " + size_in_words(most->size) +
                        " voxels needs " + gib(plan.peak) + ", " + gib(available) +
                        " are available";
  message += plan.mode == MemoryMode::standard && backend == Backend::cuda
                 ? "; try --memory compact"
                 : "; leave out the finest level (--shrink 4x2) or crop the images";
  throw OutOfMemory(message);
}

}  // namespace ffdp::registration
