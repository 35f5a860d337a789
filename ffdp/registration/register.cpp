// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/register.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
#include <memory>
#include <utility>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/vectors/vectors.hpp"
#include "ffdp/registration/deformable/level.hpp"
#include "ffdp/registration/deformable/smoothing.hpp"
#include "ffdp/registration/images/preparation.hpp"
#include "ffdp/registration/linear/initialize.hpp"
#include "ffdp/registration/linear/maps.hpp"
#include "ffdp/registration/plan.hpp"

namespace ffdp::registration {
namespace {

class Clock {
 public:
  explicit Clock(std::vector<StageTime>& times) : times_(times) {}
  void stage(const char* name) {
    const auto now = std::chrono::steady_clock::now();
    times_.push_back({name, std::chrono::duration<double>(now - last_).count()});
    last_ = now;
  }

 private:
  std::vector<StageTime>& times_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void check_mask(Context& ctx, dist::Comm& comm, const char* name, const Image<std::uint8_t>& mask,
                const Grid& grid) {
  require(same_space(mask.grid, grid, 1e-2),
          std::string(name) + ": the mask lies on another grid than its image");
  const dist::Cut cut(comm, mask.grid.domain());
  require(dist::sum_count(comm, cut, intensity::count(ctx, cut.own(comm), mask.data)) > 0,
          std::string(name) + ": the mask is empty");
}

/// Moves an image to the backend of the context and frees its old memory.
template <class T>
void bring(Context& ctx, Image<T>& image) {
  if (image.data.backend() != ctx.backend) image.data = copy_to(ctx, ctx.backend, image.data);
}

void bring(Context& ctx, Inputs& in) {
  for (auto* images : {&in.fixed, &in.moving})
    for (auto& image : *images) bring(ctx, image);
  for (auto* mask : {&in.fixed_mask, &in.moving_mask})
    if (*mask) bring(ctx, **mask);
}

void check(Context& ctx, dist::Comm& comm, const Config& config, const Inputs& in) {
  for (std::size_t i = 0; i < in.fixed.size(); ++i) {
    const int f = in.fixed[i].grid.dimension(), m = in.moving[i].grid.dimension();
    require(f == m, in.moving_names[i] + ": a " + std::to_string(m) + "-D image, " +
                        in.fixed_names[i] + " is " + std::to_string(f) + "-D");
    require(same_space(in.fixed[i].grid, in.fixed[0].grid, 1e-2),
            in.fixed_names[i] + ": lies on another grid than " + in.fixed_names[0]);
    require(!in.moving_mask || same_space(in.moving[i].grid, in.moving[0].grid, 1e-2),
            in.moving_names[i] + ": lies on another grid than " + in.moving_names[0] +
                ", and so than the moving mask");
  }
  const auto check_pair = [&](const MetricConfig& metric) {
    require(metric.image_pair < static_cast<int>(in.fixed.size()),
            "register: a metric names image pair " + std::to_string(metric.image_pair) + " of " +
                std::to_string(in.fixed.size()));
  };
  for (const auto& stage : config.deformable) std::ranges::for_each(stage.metrics, check_pair);
  for (const auto& stage : config.linear) {
    check_pair(stage.metric);
    std::ranges::for_each(stage.further, check_pair);
    require_shares(stage, in.fixed[0].grid.dimension());
  }
  if (in.fixed_mask) check_mask(ctx, comm, "fixed mask", *in.fixed_mask, in.fixed[0].grid);
  if (in.moving_mask) check_mask(ctx, comm, "moving mask", *in.moving_mask, in.moving[0].grid);
}

/// The masks of the images: a voxel counts if it is inside the given mask and finite. All images
/// share one mask, except those with voxels that are not finite.
class Masks {
 public:
  Masks(Context& ctx, dist::Comm& comm, std::vector<Image<float>>& images,
        const std::vector<std::string>& names, std::optional<Image<std::uint8_t>> given) {
    const auto common =
        given ? std::make_shared<const Image<std::uint8_t>>(*std::move(given)) : nullptr;
    different_ = common ? 1 : 0;
    for (std::size_t i = 0; i < images.size(); ++i) {
      masks_.push_back(common);
      const dist::Cut cut(comm, images[i].grid.domain());
      const auto all = dist::ordered_sum(
          comm, cut, intensity::statistics(ctx, cut.own(comm), images[i].data, (*this)(i)));
      if (all.not_finite == 0) continue;
      log(Level::warning, names[i] + ": " + std::to_string(all.not_finite) + " of " +
                              std::to_string(all.not_finite + all.count) +
                              " voxels are NaN, infinite or beyond the range of float32: they are "
                              "left out");
      masks_.back() = finite(ctx, images[i], common.get());
      ++different_;
    }
  }
  const Image<std::uint8_t>* at(std::size_t i) const { return masks_[i].get(); }
  View<const std::uint8_t> operator()(std::size_t i) const {
    return masks_[i] ? masks_[i]->data.view() : View<const std::uint8_t>{};
  }
  int different() const { return different_; }

 private:
  static std::shared_ptr<const Image<std::uint8_t>> finite(Context& ctx, Image<float>& image,
                                                           const Image<std::uint8_t>* common) {
    const Box own = image.data.stored();
    auto mask = std::make_shared<Image<std::uint8_t>>(
        Image<std::uint8_t>{image.grid, Field<std::uint8_t>(ctx.backend, own)});
    if (common)
      copy(ctx, mask->data, common->data);
    else
      intensity::store_mask(ctx, own, -std::numeric_limits<float>::infinity(), image.data,
                            mask->data);
    intensity::drop_missing(ctx, own, image.data, mask->data);
    return mask;
  }
  std::vector<std::shared_ptr<const Image<std::uint8_t>>> masks_;
  int different_ = 0;
};

/// Prepares the intensities for the stages.
void prepare(Context& ctx, dist::Comm& comm, const Config& config, Inputs& in,
             const Masks& fixed_masks, const Masks& moving_masks) {
  for (std::size_t i = 0; i < in.fixed.size(); ++i) {
    const Prepared fixed{in.fixed_names[i], in.fixed[i], fixed_masks(i)};
    const Prepared moving{in.moving_names[i], in.moving[i], moving_masks(i)};
    for (const Prepared& image : {fixed, moving}) require_registrable(ctx, comm, image);
    if (config.winsorize_lo > 0 || config.winsorize_hi < 1)
      for (const Prepared& image : {fixed, moving})
        winsorize(ctx, comm, image, config.winsorize_lo, config.winsorize_hi);
    if (config.match_histograms) match_histogram(ctx, comm, moving, fixed);
    for (const Prepared& image : {fixed, moving}) normalize(ctx, comm, image);
  }
}

/// The images that the stages use: the fixed ones with the rims that the finest level reads; the
/// moving ones themselves, or half-precision copies, for which the originals are freed. Not
/// movable, because the pairs refer to it.
class Working {
 public:
  /// @param rim  planes beyond those that this rank owns
  Working(Context& ctx, dist::Comm& comm, Inputs& in, const Masks& fixed_masks,
          const Masks& moving_masks, MemoryMode memory, int rim) {
    for (std::size_t i = 0; i < in.fixed.size(); ++i) {
      const Box domain = in.fixed[i].grid.domain(), own = dist::Cut(comm, domain).own(comm);
      widen(ctx, comm, in.fixed[i], intersect(grow(own, Int3{rim, 0, 0}), domain));
      pairs.push_back({in.fixed[i], {}, fixed_masks.at(i), moving_masks.at(i)});
    }
    for (std::size_t i = 0; i < in.moving.size(); ++i) {
      if (memory == MemoryMode::compact)
        use(ctx, comm, halve(ctx, in.moving[i]), pairs[i]);
      else
        use(ctx, comm, in.moving[i], pairs[i]);
    }
  }
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;
  Working(Working&&) = delete;
  Working& operator=(Working&&) = delete;
  ~Working() = default;
  std::vector<Pair> pairs;

 private:
  template <class T>
  static void widen(Context& ctx, dist::Comm& comm, Image<T>& image, const Box& box) {
    const dist::Cut cut(comm, image.grid.domain());
    if (cut.whole()) return;
    image.data = dist::fetched(ctx, comm, cut, image.data, hull(cut.own(comm), box));
  }
  template <class T>
  static void use(Context& ctx, dist::Comm& comm, Image<T>& moving, Pair& pair) {
    pair.moving = moving;
    pair.widen_moving = [&ctx, &comm, &moving, &pair](const Box& box) -> const ImageRef& {
      widen(ctx, comm, moving, box);
      return pair.moving = moving;
    };
  }
  Image<Half>& halve(Context& ctx, Image<float>& image) {
    const Box own = image.data.stored();
    halves_.push_back({image.grid, Field<Half>(ctx.backend, own)});
    intensity::store(ctx, own, image.data, halves_.back().data);
    synchronize(ctx);
    image.data = Field<float>();
    return halves_.back();
  }
  std::deque<Image<Half>> halves_;
};

Extent extent_of(const dist::Comm& comm, const Inputs& in, int fixed_masks, int moving_masks) {
  return {.fixed = in.fixed[0].grid,
          .moving = in.moving[0].grid,
          .pairs = static_cast<int>(in.fixed.size()),
          .fixed_masks = fixed_masks,
          .moving_masks = moving_masks,
          .caller = in.caller,
          .ranks = comm.size(),
          .uncut = comm.uncut()};
}

/// Runs the initialisation and the linear stages, or only those that a checkpoint lacks. Returns
/// the affine.
Affine run_linear_stages(Context& ctx, dist::Comm& comm, const Config& config,
                         const std::vector<Pair>& pairs, const std::optional<Affine>& start,
                         const Watch& watch, std::vector<LinearTrace>& traces, Clock& clock) {
  const Standing* from = watch.checkpoint ? watch.checkpoint->standing() : nullptr;
  Standing standing;
  const auto save = [&] {
    if (watch.checkpoint && watch.checkpoint->due(comm))
      watch.checkpoint->save(ctx, comm, standing, {});
  };
  if (from) {
    standing.linear_stages = from->linear_stages;
    standing.affine = from->affine;
    traces = from->linear;
  } else {
    LinearKind most = config.linear.empty() ? LinearKind::rigid : LinearKind::translation;
    for (const LinearStage& stage : config.linear) most = std::max(most, stage.kind);
    standing.affine =
        start ? *start
              : initialize(ctx, comm, config.initialization, most, pairs[0], watch.progress);
    clock.stage("initialization");
    save();
  }
  // An automatic start has tried all orientations; any other one leaves that to the stages.
  const bool searched = !start && config.initialization == Initialization::automatic;
  const double most_turn = searched ? far_turn : 180;
  while (standing.linear_stages < static_cast<int>(config.linear.size())) {
    const LinearStage& stage = config.linear[standing.linear_stages];
    standing.affine =
        run_linear(ctx, comm, stage, pairs, standing.affine, most_turn, watch.progress, traces);
    ++standing.linear_stages;
    standing.linear = traces;
    clock.stage("linear");
    save();
  }
  return standing.affine;
}

/// The registration in the other direction: the moving image, resampled to the fixed grid by the
/// affine, takes the role of the fixed one. Returns the inverse of the warp that it finds, which
/// can be averaged with the forward warp (docs/algorithm.md).
VectorField<float> backward_warp(Context& ctx, dist::Comm& comm, const DeformableStage& stage,
                                 const std::vector<Pair>& pairs, const Affine& affine,
                                 const DeformableMemory& memory, double tolerance,
                                 const Watch& watch) {
  const Grid& grid = pairs[0].fixed.grid;
  const dist::Cut cut(comm, grid.domain());
  const Box own = cut.own(comm);
  std::vector<Image<float>> resampled;
  std::vector<Pair> swapped;
  std::optional<Image<std::uint8_t>> mask;
  for (const Pair& pair : pairs) {
    sampler::Params p;
    p.map = pair.moving.grid.to_index() * affine * grid.to_world();
    p.displacement_map = p.map.linear;
    p.moving_domain = pair.moving.grid.domain();
    const Box reached = sampler::reach(p, own, {}, {});
    const dist::Window moving(ctx, comm, pair.moving, reached);
    const dist::MaskWindow moving_mask(ctx, comm, pair.moving_mask, reached);
    resampled.push_back({grid, Field<float>(ctx.backend, own)});
    auto& image = resampled.back().data;
    const std::int64_t outside = dist::sum_count(
        comm, cut,
        sampler::forward(ctx, p, cut.domain(), own, moving.view(), VectorView<const float>{},
                         {{}, moving_mask.view()}, image));
    if (outside > 0) {
      if (!mask) {  // 1 wherever there is a sample of this pair
        mask = Image<std::uint8_t>{grid, Field<std::uint8_t>(ctx.backend, own)};
        intensity::store_mask(ctx, own, -std::numeric_limits<float>::infinity(), image, mask->data);
      }
      intensity::drop_missing(ctx, own, image, mask->data);
    }
  }
  swapped.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i)
    swapped.push_back({resampled[i], pairs[i].fixed, mask ? &*mask : nullptr, pairs[i].fixed_mask});
  const auto u = run_deformable(ctx, comm, stage, swapped, Affine{}, memory, {}, watch);
  resampled.clear();
  return transforms::inverse_warp(ctx, comm, cut, u, tolerance, nullptr);
}

/// The passes of the deformable stage: forward; in a symmetric registration also backward, and a
/// refinement of the average. Returns u over what this rank owns.
VectorField<float> run_deformable_passes(Context& ctx, dist::Comm& comm, const Config& config,
                                         const std::vector<Pair>& pairs, const Affine& affine,
                                         const DeformableMemory& memory, Watch& watch,
                                         Clock& clock) {
  const DeformableStage& stage = config.deformable[0];
  const dist::Cut cut(comm, pairs[0].fixed.grid.domain());
  const Standing* from = watch.checkpoint ? watch.checkpoint->standing() : nullptr;
  const int pass = from && from->deformable ? from->pass : 0;
  VectorField<float> u;
  if (pass == 0) {
    u = run_deformable(ctx, comm, stage, pairs, affine, memory, {}, watch);
    clock.stage("deformable");
  }
  if (!config.symmetric) return u;
  if (pass < 2) {
    if (pass == 1) u = VectorField<float>(ctx.backend, cut.own(comm));
    const OwnPlanes forward = own_planes("forward", u.view(), cut.domain(), cut.own(comm));
    if (pass == 1) watch.checkpoint->load(ctx, forward);
    watch.before.pass = 1;
    watch.fields_before = {forward};
    vectors::average(
        ctx, cut.own(comm), u,
        backward_warp(ctx, comm, stage, pairs, affine, memory, config.inverse_tolerance, watch));
    clock.stage("deformable, backward");
  }
  watch.before.pass = 2;
  watch.fields_before.clear();
  const std::size_t finest = stage.shrink.size() - 1;
  const Grid grid = grid_at(stage, finest, pairs[0].fixed.grid);
  DeformableStage refine = after_start(at_level(stage, static_cast<int>(finest), grid.size),
                                       watch.levels->back().change);  // the passes'
  refine.shrink = {stage.shrink.back()};
  refine.iterations = {config.refine};
  u = run_deformable(ctx, comm, refine, pairs, affine, memory, {std::move(u), cut.domain()}, watch);
  clock.stage("deformable, refinement");
  return u;
}

}  // namespace

Result register_images(Context& ctx, dist::Comm& comm, const Config& config, Inputs in,
                       const ProgressSink& progress, Checkpoint* checkpoint) {
  Result result;
  Clock clock(result.times);
  validate(config);
  require(!in.fixed.empty() && in.fixed.size() == in.moving.size(),
          "register: " + std::to_string(in.fixed.size()) + " fixed and " +
              std::to_string(in.moving.size()) + " moving images, as many of both are needed");
  const Grid grid = in.fixed[0].grid;
  const dist::Cut cut(comm, grid.domain());
  const Config full = resolved(config, grid);
  const std::int64_t available = dist::available_to_each(comm, ctx.backend);
  const int given[2] = {in.fixed_mask ? 1 : 0, in.moving_mask ? 1 : 0};
  result.plan = choose_plan(full, extent_of(comm, in, given[0], given[1]), ctx.backend, available);
  bring(ctx, in);
  check(ctx, comm, config, in);
  std::optional<Masks> fixed_masks, moving_masks;
  fixed_masks.emplace(ctx, comm, in.fixed, in.fixed_names, std::exchange(in.fixed_mask, {}));
  moving_masks.emplace(ctx, comm, in.moving, in.moving_names, std::exchange(in.moving_mask, {}));
  const int needed[2] = {fixed_masks->different(), moving_masks->different()};
  if (needed[0] > given[0] || needed[1] > given[1])
    result.plan =
        choose_plan(full, extent_of(comm, in, needed[0], needed[1]), ctx.backend, available);
  prepare(ctx, comm, config, in, *fixed_masks, *moving_masks);
  result.fixed_grid = grid;
  const DeformableMemory memory{result.plan.mode,
                                {config.moving_access, result.plan.moving_room, ctx.backend}};
  std::optional<Working> working(std::in_place, ctx, comm, in, *fixed_masks, *moving_masks,
                                 memory.mode,
                                 full.deformable.empty() ? 0 : Halo(full.deformable[0]).warped);
  const std::vector<Pair>& pairs = working->pairs;
  clock.stage("preparation");

  const Standing* from = checkpoint ? checkpoint->standing() : nullptr;
  if (from) result.levels = from->levels;
  if (from && from->deformable) result.levels.pop_back();  // the one under way
  Watch watch{progress, &result.levels, checkpoint};
  result.affine =
      run_linear_stages(ctx, comm, config, pairs, in.start, watch, result.linear, clock);
  if (config.deformable.empty()) return result;

  watch.before.linear_stages = static_cast<int>(config.linear.size());
  watch.before.affine = result.affine;
  watch.before.linear = result.linear;
  result.displacement =
      run_deformable_passes(ctx, comm, full, pairs, result.affine, memory, watch, clock);
  working.reset();
  fixed_masks.reset();
  moving_masks.reset();
  in = Inputs();
  ctx.release_scratch();
  result.jacobian = transforms::repair_folds(ctx, comm, cut, result.displacement, 0.01, 20);
  result.inverse = transforms::inverse_warp(ctx, comm, cut, result.displacement,
                                            config.inverse_tolerance, &result.inverse_residual);
  clock.stage("inverse");
  return result;
}

}  // namespace ffdp::registration
