// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/level.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/vectors/vectors.hpp"
#include "ffdp/registration/images/pyramid.hpp"

namespace ffdp::registration {
namespace {

constexpr int face_ramp = 4;       // [voxels]
constexpr int least_planes = 16;   // a slab of fewer mostly makes halos
constexpr int widest_stencil = 8;  // CUDA: beyond, axis by axis through scratch

int metric_reach(const MetricConfig& metric) {
  if (metric.kind != MetricKind::lncc) return 0;
  return lncc::halo({.window = metric.window, .radius = metric.radius, .sigma = metric.sigma});
}

/// Planes that have to be composed ahead of those that become the new warp: smoothing looks that
/// far, and composing what lies above must still find the old warp.
int compose_lead(const DeformableStage& stage) {
  return std::max(gaussian_radius(stage.sigma_warp), compose::halo({.max_step = 1}));
}

/// What slabs are made of, for `planes` planes a step.
struct SlabPlanes {
  int warped = 0, gradient = 0, vectors = 0;  ///< most planes held
  int workspace = 0;                     ///< vectors, of LNCC or of smoothing, whichever needs more
  int axis_fields = 0, axis_planes = 0;  ///< scalars, for stencils that go axis by axis
  SlabPlanes(const DeformableStage& stage, int planes) {
    const int smoothing = gaussian_radius(stage.sigma_update);
    gradient = planes + smoothing;
    vectors = planes + 2 * std::max(smoothing, compose_lead(stage));
    workspace = planes;
    const int widest = gaussian_radius(std::max(stage.sigma_update, stage.sigma_warp));
    if (widest > widest_stencil) axis_fields = 2, axis_planes = planes + 2 * widest;
    for (const MetricConfig& metric : stage.metrics) {
      const int reach = metric_reach(metric);
      warped = std::max(warped, gradient + 2 * reach);
      if (!reach) continue;
      workspace = std::max(workspace, gradient + reach);
      if (metric.window == lncc::Window::gaussian || metric.radius > widest_stencil)
        axis_fields = 8, axis_planes = std::max(axis_planes, gradient + 2 * reach);
    }
  }
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

template <class T>
T to_host(const Context& ctx, const T* value) {
  T host;
  copy_bytes(ctx, Backend::cpu, &host, ctx.backend, value, sizeof(T));
  return host;
}

}  // namespace

LevelPair make_level_pair(Context& ctx, const Pair& pair, const Grid& grid, double spacing,
                          const Affine& affine) {
  require(pair.fixed.data.storage == Storage::float32 && pair.fixed.data.scale == 1 &&
              pair.fixed.data.offset == 0,
          "deformable: the fixed image must be stored as float32");
  const Grid moving_grid = level_grid(pair.moving.grid, spacing, 8);
  LevelPair level;
  level.fixed = at_level(ctx, pair.fixed, grid, level.own_fixed).data.as<float>();
  level.moving = at_level(ctx, pair.moving, moving_grid, level.own_moving).data;
  level.fixed_mask = at_level(ctx, pair.fixed_mask, grid);
  level.moving_mask = at_level(ctx, pair.moving_mask, moving_grid);
  level.fixed_model = intensity_model(ctx, "fixed", level.fixed, mask_view(level.fixed_mask));
  level.moving_model = intensity_model(ctx, "moving", level.moving, mask_view(level.moving_mask));
  level.sampling.map = moving_grid.to_index() * affine * grid.to_world();
  level.sampling.displacement_map = level.sampling.map.linear;
  level.sampling.moving_domain = moving_grid.domain();
  return level;
}

std::int64_t slab_budget(MemoryMode mode, Backend backend, std::int64_t voxels) {
  // Beside images, warp and moments: 48 B/voxel in all in standard mode, 36 in compact mode. Small
  // levels run whole, for their kernels are short.
  const bool compact = mode == MemoryMode::compact;
  const double each = compact ? 8 : 11;
  const std::int64_t least = compact                    ? 64 << 20U
                             : backend == Backend::cuda ? std::int64_t{2} << 30U
                                                        : 256 << 20U;
  return std::max(least, static_cast<std::int64_t>(each * static_cast<double>(voxels)));
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

template <class T>
Level<T>::Level(Context& ctx, dist::Comm& comm, const DeformableStage& stage, const Grid& grid,
                std::vector<LevelPair> pairs, VectorField<float> u, int planes, int iterations)
    : ctx_(ctx),
      comm_(comm),
      stage_(stage),
      domain_(grid.domain()),
      pairs_(std::move(pairs)),
      planes_(planes),
      u_(std::move(u)),
      first_(ctx.backend, domain_),
      sums_(ctx.backend, static_cast<std::size_t>(iterations) * stage.metrics.size()),
      size_(ctx.backend, 1) {
  const SlabPlanes most(stage, planes);
  adam_ = {.beta1 = stage.beta1, .beta2 = stage.beta2, .second_moment = stage.second_moment};
  if (stage.optimizer == Optimizer::gradient)
    adam_ = {.beta1 = 0, .second_moment = adam::SecondMoment::none};
  const bool element = adam_.second_moment == adam::SecondMoment::element;
  moments_.first = first_;
  if (adam_.second_moment != adam::SecondMoment::none) {
    second_ = Buffer<T>(ctx.backend, domain_.volume() * (element ? 3 : 1));
    moments_.second = moments_.first;
    moments_.second.data = second_.data();
    if (!element) moments_.second.stride_c = 0;
  }
  vectors_ = Slab(ctx.backend, domain_, 3, most.vectors);
  Box work = domain_;
  work.hi[0] = work.lo[0] + std::min(most.gradient, domain_.size(0));
  grad_warped_ = Field<float>(ctx.backend, work);
  zero_bytes(ctx, sums_.data(), sums_.size() * sizeof(MetricSum));
  metrics_.resize(stage.metrics.size());
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    metrics_[i].config = &stage.metrics[i];
    metrics_[i].pair = &pairs_[stage.metrics[i].image_pair];
    start_metric(metrics_[i], most.gradient);
  }
}

template <class T>
void Level<T>::start_metric(Metric& m, int planes) {
  m.reach = metric_reach(*m.config);
  const int held = planes + 2 * m.reach;
  m.warped = Slab(ctx_.backend, domain_, 1, held);
  if (m.config->kind == MetricKind::mi) {
    const auto cells = static_cast<std::size_t>(m.config->bins) * m.config->bins;
    m.counts = Buffer<std::int64_t>(ctx_.backend, cells + 1);
    m.derivative = Buffer<float>(ctx_.backend, cells);
  }
  // The share of the voxels inside is taken as it is now: the size of the gradient is fixed for a
  // level, as the ranges of the intensities are.
  double outside = 0;
  for (int z = domain_.lo[0]; z < domain_.hi[0]; z += planes_) {
    const Box box = m.warped.advance(ctx_, z, std::min(z + planes_, domain_.hi[0]));
    outside += static_cast<double>(sampler::forward(
        ctx_, m.pair->sampling, domain_, box, m.pair->moving, u_,
        {mask_view(m.pair->fixed_mask), mask_view(m.pair->moving_mask)}, m.warped.view()));
  }
  m.warped.restart();
  comm_.all_sum({&outside, 1});
  const auto volume = static_cast<double>(domain_.volume());
  require(outside < volume, "deformable: the images do not overlap (inside the masks)");
  const double mean = volume / (volume - outside);
  m.factor = static_cast<float>(m.config->weight * (m.config->kind == MetricKind::lncc  ? -mean
                                                    : m.config->kind == MetricKind::mse ? mean
                                                                                        : 1));
}

template <class T>
smooth::Params Level<T>::smoothing(double sigma) const {
  smooth::Params p;
  for (int a = 0; a < 3; ++a) p.sigma[a] = domain_.size(a) == 1 ? 0 : sigma;
  return p;
}

template <class T>
void Level<T>::warp(Metric& m, int keep_from, int hi) {
  const Box box = m.warped.advance(ctx_, keep_from, hi);
  if (box.empty()) return;
  sampler::forward_uncounted(ctx_, m.pair->sampling, domain_, box, m.pair->moving, u_,
                             {mask_view(m.pair->fixed_mask), mask_view(m.pair->moving_mask)},
                             m.warped.view());
}

/// The planes of one step of a sweep.
template <class T>
Box Level<T>::slab_from(int z) const {
  Box slab = domain_;
  slab.lo[0] = z;
  slab.hi[0] = std::min(z + planes_, domain_.hi[0]);
  return slab;
}

/// The histogram of all planes, and from it the derivative that add_gradient looks up. With one
/// slab the warped image stays for it.
template <class T>
void Level<T>::measure_information(Metric& m, int index) {
  const auto p = mi_params(*m.config, m.pair->fixed_model, m.pair->moving_model);
  zero_bytes(ctx_, m.counts.data(), m.counts.size() * sizeof(std::int64_t));
  for (int z = domain_.lo[0]; z < domain_.hi[0]; z += planes_) {
    const Box box = slab_from(z);
    warp(m, z, box.hi[0]);
    mi::accumulate(ctx_, p, domain_, box, m.pair->fixed, m.warped.view(), m.counts.data());
  }
  if (comm_.size() > 1) {
    std::vector<std::int64_t> counts(m.counts.size());
    const std::size_t bytes = counts.size() * sizeof(std::int64_t);
    copy_bytes(ctx_, Backend::cpu, counts.data(), ctx_.backend, m.counts.data(), bytes);
    comm_.all_sum(counts);
    copy_bytes(ctx_, ctx_.backend, m.counts.data(), Backend::cpu, counts.data(), bytes);
  }
  mi::evaluate(ctx_, p, m.counts.data(), m.derivative.data(), sums(iteration_, index));
  if (planes_ < domain_.size(0)) m.warped.restart();
}

/// Makes or adds d(cost)/du of one metric for some planes; `planes` follow those of the last call.
template <class T>
void Level<T>::add_gradient(Metric& m, int index, const Box& planes, sampler::Into into) {
  warp(m, planes.lo[0] - m.reach, std::min(planes.hi[0] + m.reach, domain_.hi[0]));
  const View<float> grad{grad_warped_.data(), planes, grad_warped_.view().stride_z,
                         grad_warped_.view().stride_y};
  const View<const float> f = m.pair->fixed, w = m.warped.view();
  const LevelPair& pair = *m.pair;
  float factor = m.factor;
  if (m.config->kind == MetricKind::lncc) {
    lncc::Params p = lncc_params(*m.config, pair.fixed_model, pair.moving_model);
    p.missing_values = true;
    lncc::forward_backward(ctx_, p, domain_, planes, f, w, grad, VectorView<float>{},
                           sums(iteration_, index));
  } else if (m.config->kind == MetricKind::mse) {
    mse::forward_backward(ctx_, {}, domain_, planes, f, w, grad, sums(iteration_, index));
  } else {
    factor *= -static_cast<float>(domain_.volume());
    mi::backward(ctx_, mi_params(*m.config, pair.fixed_model, pair.moving_model), domain_, planes,
                 1.0F, m.derivative.data(), f, w, grad);
  }
  sampler::backward_displacement(ctx_, pair.sampling, domain_, planes, factor, pair.moving, u_,
                                 grad, vectors_.vectors(), into);
}

/// Metric, gradient, first smoothing, moments: slab by slab.
template <class T>
void Level<T>::update_moments() {
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    metrics_[i].warped.restart();
    if (metrics_[i].config->kind == MetricKind::mi)
      measure_information(metrics_[i], static_cast<int>(i));
  }
  const smooth::Params smooth_update = smoothing(stage_.sigma_update);
  const int lead = smooth::halo(smooth_update)[0];
  zero_bytes(ctx_, size_.data(), sizeof(descent::Sums));
  vectors_.restart();
  for (int z = domain_.lo[0]; z < domain_.hi[0]; z += planes_) {
    const Box box = slab_from(z);
    const Box made = vectors_.advance(ctx_, z - lead, std::min(box.hi[0] + lead, domain_.hi[0]));
    for (std::size_t i = 0; !made.empty() && i < metrics_.size(); ++i)
      add_gradient(metrics_[i], static_cast<int>(i), made,
                   i ? sampler::Into::add : sampler::Into::overwrite);
    descent::update(ctx_, adam_, smooth_update, domain_, box, vectors_.vectors(), moments_,
                    size_.data());
  }
}

/// Epsilon is a multiple of the first gradient of the level, known only now; so is the direction.
template <class T>
void Level<T>::choose_epsilon() {
  double squares = to_host(ctx_, size_.data()).squares;
  comm_.all_sum({&squares, 1});
  // Images that match already leave next to nothing: that must not be blown up to full steps.
  const double scale = std::max(std::sqrt(squares / static_cast<double>(domain_.volume())),
                                least_gradient(stage_.metrics));
  adam_.epsilon = std::max(stage_.epsilon * scale, 1e-20);
  zero_bytes(ctx_, size_.data(), sizeof(descent::Sums));
  descent::longest(ctx_, adam_, domain_, domain_, moments_, size_.data());
}

/// Composes the warp with the step and smooths it, in place.
template <class T>
void Level<T>::take_step() {
  if (comm_.size() > 1) {
    descent::Sums size = to_host(ctx_, size_.data());
    double longest = size.longest;
    comm_.all_max({&longest, 1});
    size.longest = static_cast<float>(longest);
    copy_bytes(ctx_, ctx_.backend, size_.data(), Backend::cpu, &size, sizeof(size));
  }
  const descent::Step step{.length = stage_.step,
                           .least = stage_.optimizer == Optimizer::adam ? 1.0 : 0.0,
                           .face_ramp = face_ramp};
  const smooth::Params smooth_warp = smoothing(stage_.sigma_warp);
  const int halo = smooth::halo(smooth_warp)[0], lead = compose_lead(stage_);
  vectors_.restart();
  for (int z = domain_.lo[0]; z < domain_.hi[0]; z += planes_) {
    const Box box = slab_from(z);
    const Box made = vectors_.advance(ctx_, z - halo, std::min(box.hi[0] + lead, domain_.hi[0]));
    if (!made.empty())
      descent::compose(ctx_, adam_, step, domain_, made, moments_, size_.data(), u_,
                       vectors_.vectors());
    smooth::forward(ctx_, smooth_warp, domain_, box, vectors_.vectors(), u_);
  }
  hold_faces();
}

/// Smoothing leaks over the faces of the domain, where the warp is to stay 0 (see descent::Step).
template <class T>
void Level<T>::hold_faces() {
  for (int a = 0; a < 3; ++a)
    for (int side = 0; domain_.size(a) > 1 && side < 2; ++side) {
      Box face = domain_;
      if (side)
        face.lo[a] = face.hi[a] - 1;
      else
        face.hi[a] = face.lo[a] + 1;
      vectors::zero(ctx_, face, u_);
    }
}

template <class T>
void Level<T>::iterate() {
  adam_.iteration = iteration_ + 1;
  update_moments();
  if (iteration_ == 0 && stage_.optimizer == Optimizer::adam) choose_epsilon();
  take_step();
  ++iteration_;
}

template <class T>
std::vector<double> Level<T>::costs() {
  std::vector<MetricSum> host(static_cast<std::size_t>(iteration_) * metrics_.size());
  copy_bytes(ctx_, Backend::cpu, host.data(), ctx_.backend, sums_.data(),
             host.size() * sizeof(MetricSum));
  std::vector<double> result;
  for (int k = 0; k < iteration_; ++k) {
    double total = 0;
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
      const MetricConfig& config = *metrics_[i].config;
      const MetricSum& sum = host[static_cast<std::size_t>(k) * metrics_.size() + i];
      double totals[2] = {sum.value, sum.weight};
      if (config.kind != MetricKind::mi) comm_.all_sum(totals);
      const double mean =
          config.kind == MetricKind::mi ? -totals[0] : totals[0] / std::max(totals[1], 1.0);
      total += config.weight * (config.kind == MetricKind::lncc ? -mean : mean);
    }
    result.push_back(total);
  }
  return result;
}

template class Level<float>;
template class Level<Half>;

}  // namespace ffdp::registration
