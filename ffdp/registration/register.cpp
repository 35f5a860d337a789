// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/register.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/vectors/vectors.hpp"
#include "ffdp/registration/images/preparation.hpp"
#include "ffdp/registration/linear/initialize.hpp"
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

void check_mask(Context& ctx, const char* name, const Image<std::uint8_t>& mask, const Grid& grid) {
  require(same_space(mask.grid, grid, 1e-2),
          std::string(name) + ": the mask lies on another grid than its image");
  require(intensity::count(ctx, mask.grid.domain(), mask.data) > 0,
          std::string(name) + ": the mask is empty");
}

/// Moves an image to the backend of the context; the memory it had goes.
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

void check(Context& ctx, const Config& config, const Inputs& in) {
  for (std::size_t i = 0; i < in.fixed.size(); ++i) {
    require_registrable(ctx, in.fixed_names[i], in.fixed[i]);
    require_registrable(ctx, in.moving_names[i], in.moving[i]);
    const int f = in.fixed[i].grid.dimension(), m = in.moving[i].grid.dimension();
    require(f == m, in.moving_names[i] + ": a " + std::to_string(m) + "-D image, " +
                        in.fixed_names[i] + " is " + std::to_string(f) + "-D");
    require(same_space(in.fixed[i].grid, in.fixed[0].grid, 1e-2),
            in.fixed_names[i] + ": lies on another grid than " + in.fixed_names[0]);
  }
  for (const auto& stage : config.deformable)
    for (const auto& metric : stage.metrics)
      require(metric.image_pair < static_cast<int>(in.fixed.size()),
              "register: a metric names image pair " + std::to_string(metric.image_pair) + " of " +
                  std::to_string(in.fixed.size()));
  if (in.fixed_mask) check_mask(ctx, "fixed mask", *in.fixed_mask, in.fixed[0].grid);
  if (in.moving_mask) check_mask(ctx, "moving mask", *in.moving_mask, in.moving[0].grid);
}

/// The images as the stages use them: those of the inputs, or half-precision copies of the moving
/// ones, for which those of the inputs are given up.
class Working {
 public:
  Working(Context& ctx, Inputs& in, MemoryMode memory) {
    for (std::size_t i = 0; i < in.fixed.size(); ++i)
      pairs.push_back({in.fixed[i], keep(ctx, in.moving[i], memory),
                       in.fixed_mask ? &*in.fixed_mask : nullptr,
                       in.moving_mask ? &*in.moving_mask : nullptr});
  }
  std::vector<Pair> pairs;

 private:
  ImageRef keep(Context& ctx, Image<float>& image, MemoryMode memory) {
    if (memory != MemoryMode::compact) return image;
    const Box domain = image.grid.domain();
    halves_.push_back({image.grid, Field<Half>(ctx.backend, domain)});
    intensity::store(ctx, domain, image.data, halves_.back().data);
    synchronize(ctx);
    image.data = Field<float>();
    return halves_.back();
  }
  std::deque<Image<Half>> halves_;
};

Extent extent_of(const Inputs& in) {
  return {.fixed = in.fixed[0].grid,
          .moving = in.moving[0].grid,
          .pairs = static_cast<int>(in.fixed.size()),
          .fixed_masks = in.fixed_mask ? 1 : 0,
          .moving_masks = in.moving_mask ? 1 : 0,
          .written = in.written};
}

/// Fixed and moving change places: the moving image, resampled to the fixed grid by the affine, is
/// the fixed one. Gives the inverse of the warp it finds, so that it can be averaged with the
/// forward one (docs/algorithm.md).
VectorField<float> backward_warp(Context& ctx, dist::Comm& comm, const DeformableStage& stage,
                                 const std::vector<Pair>& pairs, const Affine& affine,
                                 MemoryMode memory, double tolerance, const ProgressSink& progress,
                                 std::vector<LevelTrace>* trace) {
  const Grid& grid = pairs[0].fixed.grid;
  const Box domain = grid.domain();
  std::vector<Image<float>> resampled;
  std::vector<Pair> swapped;
  std::optional<Image<std::uint8_t>> mask;
  for (const Pair& pair : pairs) {
    sampler::Params p;
    p.map = pair.moving.grid.to_index() * affine * grid.to_world();
    p.displacement_map = p.map.linear;
    p.moving_domain = pair.moving.grid.domain();
    resampled.push_back({grid, Field<float>(ctx.backend, domain)});
    const VectorView<const float> none;
    const View<const std::uint8_t> moving_mask =
        pair.moving_mask ? pair.moving_mask->data.view() : View<const std::uint8_t>{};
    auto& image = resampled.back().data;
    const std::int64_t outside =
        sampler::forward(ctx, p, domain, domain, pair.moving.data, none, {{}, moving_mask}, image);
    if (outside > 0) {
      if (!mask) {  // 1 wherever there is a sample of this pair
        mask = Image<std::uint8_t>{grid, Field<std::uint8_t>(ctx.backend, domain)};
        intensity::store_mask(ctx, domain, -std::numeric_limits<float>::infinity(), image,
                              mask->data);
      }
      intensity::drop_missing(ctx, domain, image, mask->data);
    }
  }
  swapped.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i)
    swapped.push_back({resampled[i], pairs[i].fixed, mask ? &*mask : nullptr, pairs[i].fixed_mask});
  const auto u = run_deformable(ctx, comm, stage, swapped, Affine{}, memory, {}, progress, trace);
  resampled.clear();
  return transforms::inverse_warp(ctx, u, tolerance, nullptr);
}

}  // namespace

Result register_images(Context& ctx, dist::Comm& comm, const Config& config, Inputs in,
                       const ProgressSink& progress) {
  Result result;
  Clock clock(result.times);
  validate(config);
  require(!in.fixed.empty() && in.fixed.size() == in.moving.size(),
          "register: " + std::to_string(in.fixed.size()) + " fixed and " +
              std::to_string(in.moving.size()) + " moving images, as many of both are needed");
  const Grid grid = in.fixed[0].grid;
  const Config full = resolved(config, grid);
  result.plan = choose_plan(full, extent_of(in), ctx.backend, available_bytes(ctx.backend));
  bring(ctx, in);
  check(ctx, config, in);
  for (std::size_t i = 0; i < in.fixed.size(); ++i) {
    if (config.winsorize_lo > 0 || config.winsorize_hi < 1) {
      winsorize(ctx, in.fixed[i], config.winsorize_lo, config.winsorize_hi);
      winsorize(ctx, in.moving[i], config.winsorize_lo, config.winsorize_hi);
    }
    if (config.match_histograms) match_histogram(ctx, in.moving[i], in.fixed[i]);
    normalize(ctx, in.fixed_names[i], in.fixed[i]);
    normalize(ctx, in.moving_names[i], in.moving[i]);
  }
  result.fixed_grid = grid;
  const MemoryMode memory = result.plan.mode;
  std::optional<Working> working(std::in_place, ctx, in, memory);
  const std::vector<Pair>& pairs = working->pairs;
  clock.stage("preparation");

  LinearKind most = LinearKind::rigid;
  for (const LinearStage& stage : config.linear) most = std::max(most, stage.kind);
  result.affine =
      in.start ? *in.start : initialize(ctx, comm, config.initialization, most, pairs[0], progress);
  clock.stage("initialization");
  for (const LinearStage& stage : config.linear) {
    result.affine =
        run_linear(ctx, comm, stage, pairs[stage.metric.image_pair], result.affine, progress);
    clock.stage("linear");
  }
  if (config.deformable.empty()) return result;

  const DeformableStage& stage = full.deformable[0];
  result.displacement =
      run_deformable(ctx, comm, stage, pairs, result.affine, memory, {}, progress, &result.levels);
  clock.stage("deformable");
  if (config.symmetric) {
    vectors::average(ctx, grid.domain(), result.displacement,
                     backward_warp(ctx, comm, stage, pairs, result.affine, memory,
                                   config.inverse_tolerance, progress, &result.levels));
    clock.stage("deformable, backward");
    DeformableStage refine = stage;
    refine.shrink = {stage.shrink.back()};
    refine.iterations = {config.refine};
    result.displacement = run_deformable(ctx, comm, refine, pairs, result.affine, memory,
                                         std::move(result.displacement), progress, &result.levels);
    clock.stage("deformable, refinement");
  }
  working.reset();
  in = Inputs();
  ctx.release_scratch();
  result.jacobian = transforms::repair_folds(ctx, result.displacement, 0.01, 20);
  result.inverse = transforms::inverse_warp(ctx, result.displacement, config.inverse_tolerance,
                                            &result.inverse_residual);
  clock.stage("inverse");
  return result;
}

}  // namespace ffdp::registration
