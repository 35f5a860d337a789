// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "ffdp/core/error.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/registration/deformable/deformable.hpp"
#include "ffdp/registration/deformable/level.hpp"
#include "ffdp/registration/deformable/slab_planes.hpp"
#include "ffdp/registration/deformable/smoothing.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {
namespace {

/// What one rank holds of a grid.
class RankShare {
 public:
  RankShare(const Grid& grid, const Extent& extent)
      : size_(grid.size),
        sides_(dist::Cut(grid.domain(), extent.ranks, extent.uncut).whole()
                   ? 0
                   : std::min(extent.ranks - 1, 2)) {
    planes_ = whole() ? size_[0] : (size_[0] + extent.ranks - 1) / extent.ranks;
  }
  bool whole() const { return sides_ == 0; }
  /// The number of its neighbours, for a rank that is not at an end.
  int sides() const { return sides_; }
  /// Voxels that it owns, and `rim` more planes on each side with a neighbour.
  std::int64_t voxels(int rim = 0) const { return planes(rim) * plane(); }
  std::int64_t planes(int rim) const {
    return std::min<std::int64_t>(planes_ + sides_ * rim, size_[0]);
  }
  std::int64_t plane() const { return std::int64_t{size_[1]} * size_[2]; }
  /// These voxels as a domain of their own.
  Box box(int rim) const { return box_of({static_cast<int>(planes(rim)), size_[1], size_[2]}); }

 private:
  Int3 size_;
  int sides_, planes_ = 0;
};

/// How many planes beyond its own a rank fetches of the moving image on each side: as many as the
/// warp may move (at most `motion` voxels), and a few for the affine.
int moving_margin(double motion) { return static_cast<int>(std::ceil(fetched_margin(motion))) + 4; }

/// Memory of the images on the grids of a level: `kept` for the images and for what a rank fetches
/// of the fixed ones, `fetched` for what it fetches of the moving ones, `shrinking` for two partly
/// shrunk images while they are made (ops/resize).
struct LevelImages {
  std::int64_t kept = 0, fetched = 0, shrinking = 0;
  /// @param element  bytes of a voxel of the moving image of full size
  LevelImages(const Extent& extent, double spacing, int fixed_rim, std::int64_t element) {
    const auto add = [&](const Grid& full, int masks, int images, int rim, std::int64_t& window) {
      const Grid level = level_grid(full, spacing, 8);
      const RankShare share(level, extent);
      const bool moving = &full == &extent.moving, finest = level.size == full.size;
      const std::int64_t voxel =
          images * ((finest && moving ? element : std::int64_t{4}) + (masks ? 1 : 0));
      if (!share.whole()) window += share.voxels(rim) * voxel;
      // The fixed image itself has these rims.
      if (finest && !share.whole() && !moving) window -= share.voxels() * std::int64_t{images} * 4;
      if (finest) return;
      // Each rank shrinks a part, of levels too that are then gathered.
      const std::int64_t planes = (level.size[0] + extent.ranks - 1) / extent.ranks;
      const std::int64_t made = planes * full.size[1] * full.size[2] * 4;
      const std::int64_t rows = planes * level.size[1] * full.size[2] * 4;
      // With a mask the sums of the weights besides those of the image.
      std::int64_t shrunk = masks ? 2 * (made + rows) + 4 * share.voxels() : made + rows;
      if (extent.ranks > 1) shrunk += RankShare(full, extent).voxels(2) * (masks ? 5 : 4);
      shrinking = std::max(shrinking, shrunk);
      kept += share.voxels() * voxel;
    };
    add(extent.fixed, extent.fixed_masks, extent.pairs, fixed_rim, kept);
    add(extent.moving, extent.moving_masks, extent.pairs,
        fixed_rim + moving_margin(std::numeric_limits<double>::infinity()), fetched);
  }
};

class Planner {
 public:
  Planner(const Config& config, const Extent& extent, Backend backend, MemoryMode mode,
          std::int64_t available)
      : config_(config),
        extent_(extent),
        backend_(backend),
        available_(available),
        fixed_(RankShare(extent.fixed, extent).voxels()),
        moving_(RankShare(extent.moving, extent).voxels()) {
    plan_.mode = mode;
    const bool compact = mode == MemoryMode::compact;
    const std::int64_t v = fixed_, m = moving_;
    const std::int64_t masks = v * extent.fixed_masks + m * extent.moving_masks;
    if (extent.caller) caller_ = extent.caller(config, backend, v, m);
    images_ = extent.pairs * (4 * v + (compact ? 2 : 4) * m) + masks + caller_.kept;
    add("preparation", extent.fixed,
        extent.pairs * (v + m) * 4 + masks + caller_.kept + (compact ? 2 * m : 0));
    linear();
    if (!config.deformable.empty()) deformable();
    if (caller_.after > 0) add("saving", extent.fixed, caller_.kept + caller_.after);
  }
  Plan take() { return std::move(plan_); }

 private:
  std::int64_t moving_element() const { return plan_.mode == MemoryMode::compact ? 2 : 4; }

  PlanStage& add(std::string name, const Grid& grid, std::int64_t bytes) {
    plan_.peak = std::max(plan_.peak, bytes);
    return plan_.stages.emplace_back(PlanStage{std::move(name), grid.size, bytes, 0, 0, 0});
  }

  void linear() {
    for (const LinearStage& stage : config_.linear)
      for (double resolution : stage.resolutions) {
        const double spacing = linear_spacing(extent_.fixed, resolution, stage.most_voxels);
        const LevelImages level(extent_, spacing, metric_reach(stage.metric), moving_element());
        const Grid grid = level_grid(extent_.fixed, spacing, 8);
        // Warped image, gradient and workspace of the metric.
        const std::int64_t work = RankShare(grid, extent_).voxels(metric_reach(stage.metric)) *
                                  (8 + metric_workspace(stage.metric));
        add("linear", grid, images_ + level.kept + std::max(level.shrinking, level.fetched + work));
      }
  }

  void deformable() {
    const DeformableStage& stage = config_.deformable[0];
    std::vector<DeformableLevel> levels;
    std::int64_t most = 0, coarser = 0;
    for (std::size_t i = 0; i < stage.shrink.size(); ++i) {
      const Grid grid = grid_at(stage, i, extent_.fixed);
      levels.push_back(level_of(at_level(stage, static_cast<int>(i), grid.size), grid, i, coarser));
      most = std::max(most, levels.back().running);
      coarser = levels.back().voxels;
    }
    if (available_ > 0)
      plan_.moving_room = std::max<std::int64_t>(1, (available_ - most) / extent_.pairs);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const DeformableLevel& level = levels[i];
      const MovingAccess access =
          choose_access({config_.moving_access, plan_.moving_room, backend_}, level.moving);
      const std::int64_t moving = access == MovingAccess::replicate ? level.moving.replicate
                                  : access == MovingAccess::fetch   ? level.moving.fetch
                                                                    : level.moving.ring;
      PlanStage& made = add("deformable", level.grid,
                            std::max(level.running + extent_.pairs * moving, level.starting));
      made.iterations = stage.iterations[i];
      made.voxels = level.worked;
      made.sent = level.sent;
      if (moving > 0) made.moving = access;
      if (access == MovingAccess::ring) made.sent += extent_.pairs * level.passed;
    }
    // The warp, its inverse; the determinant comes and goes before.
    add("inverse", extent_.fixed, 24 * fixed_ + caller_.kept);
  }

  struct DeformableLevel {
    Grid grid;
    std::int64_t voxels = 0, worked = 0;     ///< that a rank owns; with those made twice
    std::int64_t starting = 0, running = 0;  ///< memory, without the moving images' [bytes]
    MovingNeeds moving{};                    ///< of one pair, beside what a rank owns [bytes]
    std::int64_t sent = 0;                   ///< of the warp in an iteration [bytes]
    std::int64_t passed = 0;  ///< of one pair, where it goes by the ring, likewise [bytes]
  };

  DeformableLevel level_of(const DeformableStage& stage, const Grid& grid, std::size_t index,
                           std::int64_t coarser) {
    // Memory is that of the widest Gaussians, time that of the stage's own.
    const Halo halo(stage), usual(after_start(stage, {}));
    const std::int64_t moment = plan_.mode == MemoryMode::compact ? 2 : 4;
    std::int64_t moments = 3 * moment;
    if (stage.optimizer == Optimizer::adam)
      moments += stage.second_moment == descent::SecondMoment::element ? 3 * moment : moment;
    const double spacing = stage.shrink[index] * finest_spacing(extent_.fixed);
    DeformableLevel level{.grid = grid};
    const RankShare share(level.grid, extent_);
    const LevelImages images(extent_, spacing, halo.warped, moving_element());
    level.voxels = share.voxels();
    // Near its neighbours, a rank computes gradients and steps that they compute, too.
    level.worked = share.voxels(usual.gradient + usual.moments);
    // In a symmetric registration, the first warp is kept, and the moving images are resampled to
    // the fixed grid.
    const std::int64_t waiting =
        config_.symmetric ? fixed_ * (12 + 4 * std::int64_t{extent_.pairs} + 1) : 0;
    const std::int64_t kept = images_ + waiting + images.kept;
    const std::int64_t budget =
        slab_budget(plan_.mode, backend_, level.voxels, level.grid.domain().volume());
    const int planes = slab_planes(stage, share.box(0), budget);
    level.running = kept + 12 * share.voxels(halo.warp) + moments * share.voxels(halo.moments) +
                    slab_bytes(stage, share.box(halo.gradient), planes);
    level.starting = kept + 12 * coarser + std::max(images.shrinking, 12 * level.voxels);
    if (!share.whole()) {  // to its neighbours
      const std::int64_t warped = 4 * static_cast<std::int64_t>(stage.metrics.size());
      level.sent =
          share.sides() * share.plane() *
          (std::int64_t{12} * usual.warp + moments * usual.moments + warped * usual.warped);
      level.running += warped * (share.voxels(2 * halo.warped) - share.voxels());
    }
    add_moving(level, spacing, share, halo, most_step(stage) * stage.iterations[index]);
    return level;
  }

  /// Memory of the ways to a moving image, if it is cut. While a box is fetched anew, the voxels
  /// that a rank owns are there twice.
  void add_moving(DeformableLevel& level, double spacing, const RankShare& fixed, const Halo& halo,
                  double motion) const {
    const Grid grid = level_grid(extent_.moving, spacing, 8);
    const RankShare share(grid, extent_);
    if (share.whole()) return;
    const std::int64_t element = grid.size == extent_.moving.size ? moving_element() : 4;
    const std::int64_t voxel = element + (extent_.moving_masks ? 1 : 0);
    const dist::Cut cut(grid.domain(), extent_.ranks, extent_.uncut);
    level.moving = {
        .replicate = grid.domain().volume() * voxel,
        .fetch = share.voxels(halo.gradient + moving_margin(motion)) * voxel,
        .ring = ring_bytes(cut, voxel, fixed.voxels(halo.gradient), fixed.voxels(halo.gradient))};
    level.passed = dist::Ring::bytes_sent(cut, voxel);
  }

  const Config& config_;
  const Extent& extent_;
  Backend backend_;
  std::int64_t available_;
  std::int64_t fixed_, moving_;  ///< voxels that a rank owns
  Plan plan_;
  CallerMemory caller_;
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
    const auto fit = [&](auto& numbers) {
      while (numbers.size() < levels) numbers.insert(numbers.begin(), numbers[0]);
      numbers.resize(levels);
    };
    fit(stage.iterations);
    for (auto* knots : {&stage.knots_update, &stage.knots_warp})
      if (knots->size() > 1) fit(*knots);
  }
  return r;
}

Plan make_plan(const Config& config, const Extent& extent, Backend backend,
               std::int64_t available) {
  const MemoryMode mode =
      config.memory == MemoryMode::compact ? MemoryMode::compact : MemoryMode::standard;
  require(mode == MemoryMode::standard || backend == Backend::cuda,
          "plan: compact memory is a mode of the CUDA backend, the CPU works in float32");
  return Planner(config, extent, backend, mode, available).take();
}

Plan choose_plan(const Config& config, const Extent& extent, Backend backend,
                 std::int64_t available) {
  Plan plan = make_plan(config, extent, backend, available);
  const auto fits = [&] { return available <= 0 || plan.peak <= available; };
  if (!fits() && config.memory == MemoryMode::automatic && backend == Backend::cuda) {
    Config compact = config;
    compact.memory = MemoryMode::compact;
    plan = make_plan(compact, extent, backend, available);
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
                 : "; take more ranks on more machines, leave out the finest level (--shrink 4x2) "
                   "or crop the images";
  if (config.moving_access == MovingAccess::replicate || config.moving_access == MovingAccess::ring)
    message += "; --moving-access automatic may take less";
  throw OutOfMemory(message);
}

}  // namespace ffdp::registration
