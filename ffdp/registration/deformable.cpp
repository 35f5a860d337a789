// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/resize/resize.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/registration/pyramid.hpp"

namespace ffdp::registration {
namespace {

/// One image pair at one level, with its metrics' constants.
struct LevelPair {
  ImageRef fixed, moving;
  std::shared_ptr<const Image<float>> own_fixed, own_moving;  // null where the level is the image
  std::shared_ptr<const Image<std::uint8_t>> fixed_mask, moving_mask;  // or null
  IntensityModel fixed_model, moving_model;
  sampler::Params sampling;
};

/// The image on the grid of the level, kept in `own`; the image itself where the grid is its own.
ImageRef at_level(Context& ctx, const ImageRef& image, const Grid& grid,
                  std::shared_ptr<const Image<float>>& own) {
  if (image.grid.size == grid.size) return image;
  own = std::make_shared<const Image<float>>(shrink_to(ctx, image, grid));
  return *own;
}

/// Likewise, of a mask; null where there is none.
std::shared_ptr<const Image<std::uint8_t>> at_level(Context& ctx, const Image<std::uint8_t>* mask,
                                                    const Grid& grid) {
  if (!mask) return nullptr;
  if (mask->grid.size == grid.size) return {std::shared_ptr<void>(), mask};
  return std::make_shared<const Image<std::uint8_t>>(shrink_to(ctx, *mask, grid));
}

View<const std::uint8_t> mask_view(const std::shared_ptr<const Image<std::uint8_t>>& mask) {
  return mask ? mask->data.view() : View<const std::uint8_t>{};
}

LevelPair make_level(Context& ctx, const Pair& pair, const Grid& grid, double shrink,
                     const Affine& affine) {
  const double spacing = shrink * finest_spacing(pair.fixed.grid);
  const Grid moving_grid = level_grid(pair.moving.grid, spacing, 8);
  LevelPair level;
  level.fixed = at_level(ctx, pair.fixed, grid, level.own_fixed);
  level.moving = at_level(ctx, pair.moving, moving_grid, level.own_moving);
  level.fixed_mask = at_level(ctx, pair.fixed_mask, grid);
  level.moving_mask = at_level(ctx, pair.moving_mask, moving_grid);
  level.fixed_model =
      intensity_model(ctx, "fixed", level.fixed.data.as<float>(), mask_view(level.fixed_mask));
  level.moving_model =
      intensity_model(ctx, "moving", level.moving.data.as<float>(), mask_view(level.moving_mask));
  level.sampling.map = moving_grid.to_index() * affine * grid.to_world();
  level.sampling.displacement_map = level.sampling.map.linear;
  level.sampling.moving_domain = moving_grid.domain();
  return level;
}

/// Slope of the line through the last `window` costs, relative to their mean size, per iteration.
double relative_slope(const std::vector<double>& costs, int window) {
  const int n = std::min<int>(window, static_cast<int>(costs.size()));
  if (n < window) return -1;
  double mean_cost = 0, size = 0;
  for (int i = 0; i < n; ++i) {
    mean_cost += costs[costs.size() - n + i] / n;
    size += std::abs(costs[costs.size() - n + i]) / n;
  }
  double xy = 0, xx = 0;
  for (int i = 0; i < n; ++i) {
    const double x = i - 0.5 * (n - 1);
    xy += x * (costs[costs.size() - n + i] - mean_cost);
    xx += x * x;
  }
  return size > 0 ? xy / xx / size : 0;
}

struct LengthSum {
  double squares = 0;
  float longest = 0;
  LengthSum& operator+=(const LengthSum& other) {
    squares += other.squares;
    longest = std::max(longest, other.longest);
    return *this;
  }
};

/// Sum of squared lengths and largest length of a vector field.
LengthSum lengths(Context& ctx, const Box& box, VectorView<const float> field) {
  auto sum = parallel_sum<LengthSum>(ctx, box.size(0), [&](std::int64_t i, int) {
    LengthSum s;
    const int z = box.lo[0] + static_cast<int>(i);
    for (int y = box.lo[1]; y < box.hi[1]; ++y) {
      const float *a = field[0].row(z, y), *b = field[1].row(z, y), *c = field[2].row(z, y);
      double squares = 0;
      float longest = 0;
#pragma omp simd reduction(+ : squares) reduction(max : longest)
      for (int x = box.lo[2]; x < box.hi[2]; ++x) {
        const float length = a[x] * a[x] + b[x] * b[x] + c[x] * c[x];
        squares += length;
        longest = length > longest ? length : longest;
      }
      s += LengthSum{squares, longest};
    }
    return s;
  });
  sum.longest = std::sqrt(sum.longest);
  return sum;
}

void fill_zero(Context& ctx, VectorField<float>& field) {
  const std::int64_t planes = 3 * std::int64_t{field.stored().size(0)};
  const std::int64_t plane = std::int64_t{field.stored().size(1)} * field.stored().size(2);
  parallel_for(ctx, planes,
               [&](std::int64_t i, int) { std::fill_n(field.data() + i * plane, plane, 0.0F); });
}

/// Multiplies a field by a ramp that is 0 at the faces of the domain and 1 from `width` voxels
/// inside on, so that the warp maps the domain onto itself: it never leaves the grid on which it
/// is stored, and its inverse exists everywhere.
void taper_faces(Context& ctx, const Box& domain, int width, VectorView<float> field) {
  const auto ramp = [&](int axis, int i) {
    if (domain.size(axis) == 1) return 1.0F;
    const int inside = std::min(i - domain.lo[axis], domain.hi[axis] - 1 - i);
    return std::min(1.0F, static_cast<float>(inside) / static_cast<float>(width));
  };
  parallel_for(ctx, domain.size(0), [&](std::int64_t k, int) {
    const int z = domain.lo[0] + static_cast<int>(k);
    for (int y = domain.lo[1]; y < domain.hi[1]; ++y) {
      const float row = ramp(0, z) * ramp(1, y);
      for (int c = 0; c < 3; ++c) {
        float* f = field[c].row(z, y);
        const auto scale = [&](int x) { f[x] *= row * ramp(2, x); };
        if (row < 1) {
          for (int x = domain.lo[2]; x < domain.hi[2]; ++x) scale(x);
          continue;
        }
        const int edge = std::min(width, domain.size(2) / 2);
        for (int x = domain.lo[2]; x < domain.lo[2] + edge; ++x) scale(x);
        for (int x = domain.hi[2] - edge; x < domain.hi[2]; ++x) scale(x);
      }
    }
  });
}

/// Root mean square of the smoothed gradient below which there is little left to gain: less than
/// half of what unregistered pairs of brains and lungs start with, for normalised images [1/voxel].
double least_gradient(const std::vector<MetricConfig>& metrics) {
  double sum = 0;
  for (const MetricConfig& metric : metrics)
    sum += metric.weight * (metric.kind == MetricKind::lncc ? 0.1
                            : metric.kind == MetricKind::mi ? 0.03
                                                            : 0.002);
  return sum;
}

/// The buffers of one level; `gradient` ends an iteration holding nothing of value.
struct Buffers {
  VectorField<float> u, gradient, step, first;
  Buffer<float> second;
  Field<float> warped, grad_warped;
};

class Level {
  static constexpr int face_ramp = 4;  // [voxels]

 public:
  Level(Context& ctx, dist::Comm& comm, const DeformableStage& stage, const Grid& grid,
        std::vector<LevelPair> pairs, VectorField<float> u)
      : ctx_(ctx), comm_(comm), stage_(stage), grid_(grid), pairs_(std::move(pairs)) {
    const Box domain = grid.domain();
    b_.u = std::move(u);
    b_.gradient = VectorField<float>(ctx.backend, domain);
    b_.step = VectorField<float>(ctx.backend, domain);
    b_.warped = Field<float>(ctx.backend, domain);
    b_.grad_warped = Field<float>(ctx.backend, domain);
    if (stage.optimizer == Optimizer::adam) {
      b_.first = VectorField<float>(ctx.backend, domain);
      const bool element = stage.second_moment == adam::SecondMoment::element;
      b_.second = Buffer<float>(ctx.backend, domain.volume() * (element ? 3 : 1));
    }
    for (int a = 0; a < 3; ++a) flat_[a] = grid.size[a] == 1;
  }

  /// One iteration; returns the cost before it.
  double iterate(int iteration) {
    const double cost = gradient();
    descend(iteration);
    return cost;
  }
  VectorField<float> take() { return std::move(b_.u); }

 private:
  smooth::Params smoothing(double sigma) const {
    return {{flat_[0] ? 0 : sigma, flat_[1] ? 0 : sigma, flat_[2] ? 0 : sigma}};
  }

  /// Weighted cost of all metrics; b_.gradient becomes N d(cost)/du.
  double gradient() {
    const Box domain = grid_.domain();
    fill_zero(ctx_, b_.gradient);
    double total = 0;
    for (const MetricConfig& metric : stage_.metrics) {
      const LevelPair& pair = pairs_[metric.image_pair];
      double outside = static_cast<double>(
          sampler::forward(ctx_, pair.sampling, domain, domain, pair.moving.data, b_.u,
                           {mask_view(pair.fixed_mask), mask_view(pair.moving_mask)}, b_.warped));
      comm_.all_sum({&outside, 1});
      require(outside < static_cast<double>(domain.volume()),
              "deformable: the images do not overlap (inside the masks)");
      const Cost cost =
          evaluate(ctx_, comm_, metric, pair.fixed_model, pair.moving_model, domain,
                   pair.fixed.data.as<float>(), b_.warped, outside > 0, b_.grad_warped, b_.step);
      total += metric.weight * cost.value;
      const double scale = metric.weight * cost.grad_factor * static_cast<double>(domain.volume()) /
                           std::max(cost.samples, 1.0);
      sampler::backward_displacement(ctx_, pair.sampling, domain, domain, static_cast<float>(scale),
                                     pair.moving.data, b_.u, b_.grad_warped, b_.gradient);
    }
    return total;
  }

  /// Smooths the gradient, takes the step, composes and smooths the warp.
  void descend(int iteration) {
    const Box domain = grid_.domain();
    smooth::forward(ctx_, smoothing(stage_.sigma_update), domain, domain, b_.gradient, b_.step);
    double longest = 0;
    if (stage_.optimizer == Optimizer::adam) {
      if (iteration == 1) {
        double squares = lengths(ctx_, domain, b_.step).squares;
        comm_.all_sum({&squares, 1});
        scale_ = std::sqrt(squares / static_cast<double>(domain.volume()));
        // Images that match already leave next to nothing: that must not be blown up to full steps.
        scale_ = std::max(scale_, least_gradient(stage_.metrics));
      }
      const adam::Params p{.beta1 = stage_.beta1,
                           .beta2 = stage_.beta2,
                           .epsilon = std::max(stage_.epsilon * scale_, 1e-20),
                           .iteration = iteration,
                           .second_moment = stage_.second_moment};
      const bool element = stage_.second_moment == adam::SecondMoment::element;
      VectorView<float> second = b_.step;
      second.data = b_.second.data();
      if (!element) second.stride_c = 0;
      longest = adam::step(ctx_, p, domain, domain, b_.step, b_.first, second);
      comm_.all_max({&longest, 1});
      longest = std::max(longest, 1.0);
    } else {
      longest = lengths(ctx_, domain, b_.step).longest;
      comm_.all_max({&longest, 1});
    }
    if (!(longest > 0)) return;
    taper_faces(ctx_, domain, face_ramp, b_.step);
    const compose::Params p{.scale = static_cast<float>(-stage_.step / longest), .max_step = 1};
    compose::forward(ctx_, p, domain, domain, b_.step, b_.u, b_.step);
    if (stage_.sigma_warp > 0)
      smooth::forward(ctx_, smoothing(stage_.sigma_warp), domain, domain, b_.step, b_.u);
    else
      std::swap(b_.u, b_.step);
    taper_faces(ctx_, domain, 1, b_.u);  // smoothing leaks over the faces
  }

  Context& ctx_;
  dist::Comm& comm_;
  const DeformableStage& stage_;
  Grid grid_;
  std::vector<LevelPair> pairs_;
  Buffers b_;
  std::array<bool, 3> flat_{};
  double scale_ = 0;
};

}  // namespace

std::vector<int> automatic_shrink(const Grid& grid) {
  const double finest = finest_spacing(grid);
  double largest = 0;
  for (int a = 0; a < 3; ++a)
    largest = std::max(largest, grid.size[a] * grid.spacing_zyx()[a] / finest);
  std::vector<int> shrink{1};
  while (largest / shrink.front() > 64) shrink.insert(shrink.begin(), 2 * shrink.front());
  return shrink;
}

VectorField<float> run_deformable(Context& ctx, dist::Comm& comm, const DeformableStage& stage,
                                  const std::vector<Pair>& pairs, const Affine& affine,
                                  VectorField<float> u, const ProgressSink& progress,
                                  std::vector<LevelTrace>* trace) {
  const Grid& full = pairs.front().fixed.grid;
  const int levels = static_cast<int>(stage.shrink.size());
  for (int index = 0; index < levels; ++index) {
    const auto start = std::chrono::steady_clock::now();
    const Grid grid = level_grid(full, stage.shrink[index] * finest_spacing(full), 8);
    std::vector<LevelPair> level_pairs;
    level_pairs.reserve(pairs.size());
    for (const Pair& pair : pairs)
      level_pairs.push_back(make_level(ctx, pair, grid, stage.shrink[index], affine));
    VectorField<float> finer(ctx.backend, grid.domain());
    if (u.empty())
      fill_zero(ctx, finer);
    else
      resize::displacement(ctx, {}, u.stored(), grid.domain(), grid.domain(), u, finer);
    u = VectorField<float>();
    Level level(ctx, comm, stage, grid, std::move(level_pairs), std::move(finer));
    LevelTrace record{grid, {}, 0};
    for (int iteration = 1; iteration <= stage.iterations[index]; ++iteration) {
      record.costs.push_back(level.iterate(iteration));
      const double slope = relative_slope(record.costs, stage.convergence.window);
      if (progress)
        progress({"deformable", index, levels, iteration, stage.iterations[index],
                  record.costs.back(), slope});
      if (slope > -stage.convergence.slope) break;
    }
    u = level.take();
    record.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (trace) trace->push_back(std::move(record));
  }
  if (u.stored() != full.domain()) {
    VectorField<float> finest(ctx.backend, full.domain());
    resize::displacement(ctx, {}, u.stored(), full.domain(), full.domain(), u, finest);
    u = std::move(finest);
  }
  return u;
}

}  // namespace ffdp::registration
