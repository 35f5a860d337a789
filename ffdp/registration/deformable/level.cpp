// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/level.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/timeline.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/slopes/slopes.hpp"
#include "ffdp/ops/vectors/vectors.hpp"
#include "ffdp/registration/deformable/slab_planes.hpp"
#include "ffdp/registration/metrics/two_pass.hpp"

namespace ffdp::registration {

Halo::Halo(const DeformableStage& stage) {
  gradient = update_reach(stage);
  for (const MetricConfig& metric : stage.metrics)
    warped = std::max(warped, gradient + warped_reach(metric));
  moments = compose_lead(stage);
  warp = std::max(gradient, moments + descent::halo(descent::Step{}));
}

template <class T>
GreedyLevel<T>::GreedyLevel(Context& ctx, dist::Comm& comm, const DeformableStage& stage,
                            const dist::Cut& cut, std::vector<LevelPair>& pairs,
                            VectorField<float> u, int planes, int iterations)
    : ctx_(ctx),
      comm_(comm),
      stage_(stage),
      cut_(cut),
      domain_(cut.domain()),
      own_(cut.own(comm)),
      halo_(stage),
      pairs_(pairs),
      planes_(planes),
      iterations_(iterations),
      u_(std::move(u)),
      sums_(ctx.backend, static_cast<std::size_t>(iterations) * stage.metrics.size() + 1),
      size_(ctx.backend, 1) {
  if (!cut.whole()) widen_warp();
  fetch_rims();  // the moving image moves where it gets wider: before there is more
  first_ = VectorField<T>(ctx.backend, around(halo_.moments));
  const SlabPlanes most(stage, planes);
  restriction_ = pairs.front().restriction(stage.restriction);
  adam_ = {.beta1 = stage.beta1, .beta2 = stage.beta2, .second_moment = stage.second_moment};
  if (stage.optimizer == Optimizer::gradient)
    adam_ = {.beta1 = 0, .second_moment = descent::SecondMoment::none};
  const bool element = adam_.second_moment == descent::SecondMoment::element;
  moments_.first = first_;
  if (adam_.second_moment != descent::SecondMoment::none) {
    second_ = Buffer<T>(ctx.backend, first_.stored().volume() * (element ? 3 : 1));
    moments_.second = moments_.first;
    moments_.second.data = second_.data();
    if (!element) moments_.second.stride_c = 0;
  }
  vectors_ = Slab(ctx.backend, around(std::max(halo_.gradient, halo_.moments)), 3, most.vectors);
  if (!stage.knots_update.empty()) smoothed_ = Slab(ctx.backend, own_, 3, planes);
  Box work = own_;
  work.hi[0] = work.lo[0] + std::min(most.gradient, around(halo_.gradient).size(0));
  grad_warped_ = Field<float>(ctx.backend, work);
  zero_bytes(ctx, sums_.data(), sums_.size() * sizeof(MetricSum));
  terms_.resize(stage.metrics.size());
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    LevelPair& pair = pairs[stage.metrics[i].image_pair];
    terms_[i].metric = {stage.metrics[i], pair.fixed_model(), pair.moving_model()};
    terms_[i].pair = &pair;
    start_term(terms_[i], most.gradient);
  }
}

/// Extends u by its rims.
template <class T>
void GreedyLevel<T>::widen_warp() {
  VectorField<float> wider(ctx_.backend, around(halo_.warp));
  dist::copy_voxels(ctx_, std::as_const(u_).view(), wider.view(), own_);
  synchronize(ctx_);
  u_ = std::move(wider);
  warp_rims_.emplace(comm_, cut_, around(halo_.warp));
  moment_rims_.emplace(comm_, cut_, around(halo_.moments));
  all_sizes_ = {ctx_, comm_, sizeof(descent::Sums)};
}

template <class T>
VectorField<float> GreedyLevel<T>::take() {
  if (cut_.whole()) return std::move(u_);
  synchronize(ctx_);
  first_ = {};  // makes room
  second_ = {};
  for (Term& term : terms_) term.warped = {};
  vectors_ = {};
  smoothed_ = {};
  VectorField<float> own(ctx_.backend, own_);
  dist::copy_voxels(ctx_, std::as_const(u_).view(), own.view(), own_);
  synchronize(ctx_);
  return own;
}

template <class T>
void GreedyLevel<T>::start_term(Term& m, int planes) {
  const MetricConfig& config = m.metric.config;
  m.reach = warped_reach(config);
  int held = planes + 2 * m.reach;
  if (one_slab()) held = std::max(held, around(halo_.gradient + m.reach).size(0));
  m.warped = Slab(ctx_.backend, around(halo_.gradient + m.reach), 1, held);
  m.rims = WarpedRims(ctx_, comm_, cut_, halo_.gradient + m.reach);
  if (two_pass::is(config.kind)) {
    m.sums = Buffer<std::int64_t>(ctx_.backend, two_pass::sum_count(config));
    m.slope = Buffer<float>(ctx_.backend, two_pass::slope_count(config));
    if (!cut_.whole()) m.all_sums = {ctx_, comm_, m.sums.size() * sizeof(std::int64_t)};
  }
  // The share of the voxels inside is counted now and kept for the level, so that the scale of the
  // gradient does not change, just as the ranges of the intensities do not.
  std::int64_t outside = 0;
  m.warped.clear();
  for (int z = own_.lo[0]; z < own_.hi[0]; z += planes_) {
    const Box box = m.warped.advance(ctx_, z, std::min(z + planes_, own_.hi[0]));
    m.pair->moving().warp(ctx_, box, u_, m.warped.view());
    outside += intensity::statistics(ctx_, box, m.warped.view(), {}).total().not_finite;
  }
  outside = dist::sum_count(comm_, cut_, outside);
  const std::int64_t volume = domain_.volume();
  require(outside < volume, "deformable: the images do not overlap (inside the masks)");
  const double mean = static_cast<double>(volume) / static_cast<double>(volume - outside);
  const double scale = two_pass::is(config.kind) ? 1 : cost_sign(config) * mean;
  m.factor = static_cast<float>(config.weight * scale);
}

template <class T>
WarpedRims::Sample GreedyLevel<T>::sampling(const Term& m) const {
  return [this, &m](const Box& box, View<float> warped) {
    const Span span(ctx_, "sample");
    m.pair->moving().warp(ctx_, box, u_, warped);
  };
}

template <class T>
void GreedyLevel<T>::warp(Term& m, int keep_from, int hi) {
  const Box box = m.warped.advance(ctx_, keep_from, std::max(hi, m.warped.stored().hi[0]));
  if (!box.empty()) m.rims.fill(ctx_, box, sampling(m), m.warped.view());
}

/// The first pass of a metric of two passes: the sums over all planes, and from them the slope that
/// add_gradient reads. With one slab, the warped image is kept for add_gradient.
template <class T>
void GreedyLevel<T>::measure(Term& m, int index) {
  const Box needed = around(halo_.gradient + m.reach);
  zero_bytes(ctx_, m.sums.data(), m.sums.size() * sizeof(std::int64_t));
  m.warped.clear();
  for (int z = own_.lo[0]; z < own_.hi[0]; z += planes_) {
    const Box box = slab_from(z);
    warp(m, one_slab() ? needed.lo[0] : z, one_slab() ? needed.hi[0] : box.hi[0]);
    const Span span(ctx_, "sums of the metric");
    two_pass::accumulate(ctx_, m.metric, domain_, box, {m.pair->fixed(), m.warped.view()},
                         m.sums.data());
  }
  if (!cut_.whole()) m.all_sums.sum(ctx_, comm_, m.sums.data());
  two_pass::evaluate(ctx_, m.metric, m.sums.data(), m.slope.data(), sums(iteration_, index));
  if (!one_slab()) m.warped.clear();
}

/// Writes or adds d(cost)/du of one metric for some planes. This rank owns all of them or none, and
/// they follow those of the last call.
template <class T>
void GreedyLevel<T>::add_gradient(Term& m, int index, const Box& planes, sampler::Into into) {
  warp(m, planes.lo[0] - m.reach, std::min(planes.hi[0] + m.reach, domain_.hi[0]));
  const View<float> grad{grad_warped_.data(), planes, grad_warped_.view().stride_z,
                         grad_warped_.view().stride_y};
  const View<const float> f = m.pair->fixed(), w = m.warped.view();
  // Other ranks count the cost of the planes that they own.
  MetricSum* sum =
      own_.contains(planes) ? sums(iteration_, index) : sums_.data() + sums_.size() - 1;
  float factor = m.factor;
  const Span span(ctx_, "metric, gradient");
  if (two_pass::is(m.metric.config.kind)) {
    factor *= -static_cast<float>(domain_.volume());
    two_pass::backward(ctx_, m.metric, domain_, planes, 1.0F, m.slope.data(), {f, w}, grad);
  } else {
    forward_backward(ctx_, m.metric, domain_, planes, {f, w}, grad, sum);
  }
  const ScaledGradient to{vectors_.vectors(), factor, into};
  if (slopes_between_voxels(m.metric.config))
    return slopes::backward(ctx_, domain_, planes, w, grad, to);
  if (!own_.contains(planes)) finish_rims();
  m.pair->moving().add_gradient(ctx_, planes, u_, grad, to);
}

/// The gradient of all metrics for the next planes. Own planes and rims are computed separately.
template <class T>
void GreedyLevel<T>::add_gradients(const Box& planes) {
  // Samples as many planes as fit, while the rims of the warped images travel.
  for (Term& m : terms_) {
    const int lo = std::max(planes.lo[0] - m.reach, domain_.lo[0]);
    warp(m, lo, std::min({planes.hi[0] + m.reach, domain_.hi[0], lo + m.warped.room()}));
  }
  for (int lo = planes.lo[0], hi = lo; lo < planes.hi[0]; lo = hi) {
    hi = lo < own_.lo[0] ? own_.lo[0] : lo < own_.hi[0] ? own_.hi[0] : planes.hi[0];
    hi = std::min(hi, planes.hi[0]);
    Box part = planes;
    part.lo[0] = lo;
    part.hi[0] = hi;
    for (std::size_t i = 0; i < terms_.size(); ++i)
      add_gradient(terms_[i], static_cast<int>(i), part,
                   i ? sampler::Into::add : sampler::Into::overwrite);
  }
}

/// Starts to fetch the rims of u, and fetches what u needs of the moving images.
template <class T>
void GreedyLevel<T>::fetch_rims() {
  if (warp_rims_) coming_ = warp_rims_->start(ctx_, std::as_const(u_).view(), u_.view());
  for (LevelPair& pair : pairs_) {
    if (pair.moving().samples_at_once()) finish_rims();
    pair.moving().prepare(ctx_, comm_, own_, around(halo_.gradient), u_, change_);
  }
}

/// Metric, gradient, smoothing of the gradient and update of the moments, slab by slab.
template <class T>
void GreedyLevel<T>::update_moments() {
  for (Term& term : terms_) term.rims.start(ctx_, sampling(term));
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    terms_[i].warped.clear();
    if (two_pass::is(terms_[i].metric.config.kind)) measure(terms_[i], static_cast<int>(i));
  }
  const Smoothing smoothing = update_smoothing(stage_, done(), domain_);
  const int lead = smoothing.lead();
  zero_bytes(ctx_, size_.data(), sizeof(descent::Sums));
  vectors_.clear();
  for (int z = own_.lo[0]; z < own_.hi[0]; z += planes_) {
    const Box box = slab_from(z);
    const Box made = vectors_.advance(ctx_, z - lead, std::min(box.hi[0] + lead, domain_.hi[0]));
    if (!made.empty()) add_gradients(made);
    if (!made.empty() && restriction_)
      vectors::transform(ctx_, made, *restriction_, std::numeric_limits<float>::infinity(),
                         vectors_.vectors(), vectors_.vectors());
    VectorView<const float> gradient = vectors_.vectors();
    if (smoothing.spline) {
      smoothed_.clear();
      smoothed_.advance(ctx_, z, box.hi[0]);
      smooth_field(ctx_, smoothing, domain_, box, gradient, smoothed_.vectors());
      gradient = smoothed_.vectors();
    }
    const Span span(ctx_, "update moments");
    descent::update(ctx_, adam_, smoothing.gaussian, domain_, box, gradient, moments_,
                    size_.data());
  }
}

/// Sets epsilon from the size of the level's first gradient, then makes the longest direction.
template <class T>
void GreedyLevel<T>::choose_epsilon() {
  // The first moments are (1 - beta1) times the gradient.
  const double squares =
      dist::ordered_sum(comm_, cut_,
                        vectors::sum_squares(ctx_, own_, VectorView<const T>(moments_.first))) /
      std::pow(1 - adam_.beta1, 2);
  // Images that match already have almost no gradient, which must not be scaled up to full steps.
  const double scale = std::max(std::sqrt(squares / static_cast<double>(domain_.volume())),
                                least_gradient(stage_.metrics));
  adam_.epsilon = std::max(stage_.epsilon * scale, 1e-20);
  zero_bytes(ctx_, size_.data(), sizeof(descent::Sums));
  descent::longest(ctx_, adam_, domain_, own_, moments_, size_.data());
}

/// Fetches the rims of the moments, and makes the longest direction over all ranks.
template <class T>
void GreedyLevel<T>::share_moments() {
  if (cut_.whole()) return;
  const auto fetch_rims_of = [&](const auto& field) {
    return moment_rims_->start(ctx_, field, field);
  };
  auto first = fetch_rims_of(moments_.first);
  if (moments_.second && moments_.second.stride_c > 0)
    fetch_rims_of(moments_.second).finish();
  else if (moments_.second)
    fetch_rims_of(moments_.second[0]).finish();
  first.finish();
  all_sizes_.max(ctx_, comm_, &size_.data()->longest);
}

/// The share of the iterations that is done, 0 to 1.
template <class T>
double GreedyLevel<T>::done() const {
  return static_cast<double>(iteration_) / std::max(iterations_ - 1, 1);
}

/// Composes the warp with the step and smooths it, in place.
template <class T>
void GreedyLevel<T>::take_step() {
  constexpr int face_ramp = 4;  // [voxels]
  finish_rims();
  share_moments();
  const descent::Step step{.length = stage_.step,
                           .least = stage_.optimizer == Optimizer::adam ? 1.0 : 0.0,
                           .sums = size_.data(),
                           .face_ramp = face_ramp};
  const Smoothing smoothing = warp_smoothing(stage_, done(), domain_);
  const int halo = smoothing.lead(), lead = halo_.moments;
  vectors_.clear();
  for (int z = own_.lo[0]; z < own_.hi[0]; z += planes_) {
    const Box box = slab_from(z);
    const Box made = vectors_.advance(ctx_, z - halo, std::min(box.hi[0] + lead, domain_.hi[0]));
    if (!made.empty()) {
      const Span span(ctx_, "compose");
      descent::compose(ctx_, adam_, step, domain_, made, moments_, u_, vectors_.vectors());
    }
    const Span span(ctx_, "smooth");
    smooth_field(ctx_, smoothing, domain_, box, vectors_.vectors(), u_);
  }
  hold_faces();
}

/// Sets u to 0 on the faces of the domain, which smoothing has changed (see descent::Step).
template <class T>
void GreedyLevel<T>::hold_faces() {
  for (int a = 0; a < 3; ++a)
    for (int side = 0; domain_.size(a) > 1 && side < 2; ++side) {
      Box face = domain_;
      if (side)
        face.lo[a] = face.hi[a] - 1;
      else
        face.hi[a] = face.lo[a] + 1;
      face = intersect(face, own_);
      if (!face.empty()) vectors::zero(ctx_, face, u_);
    }
}

template <class T>
void GreedyLevel<T>::iterate() {
  if (iteration_ > 0) fetch_rims();
  adam_.iteration = iteration_ + 1;
  update_moments();
  if (iteration_ == 0 && stage_.optimizer == Optimizer::adam) choose_epsilon();
  take_step();
  change_ = most_step(stage_);
  ++iteration_;
}

template <class T>
std::vector<OwnPlanes> GreedyLevel<T>::fields() {
  std::vector<OwnPlanes> all{own_planes("u", u_.view(), domain_, own_),
                             own_planes("first_moment", first_.view(), domain_, own_)};
  if (moments_.second && moments_.second.stride_c > 0)
    all.push_back(own_planes("second_moment", moments_.second, domain_, own_));
  else if (moments_.second)
    all.push_back(own_planes("second_moment", moments_.second[0], domain_, own_));
  return all;
}

template <class T>
void GreedyLevel<T>::describe(Standing& standing) const {
  standing.epsilon = adam_.epsilon;
  standing.factors.clear();
  for (const Term& term : terms_) standing.factors.push_back(term.factor);
}

template <class T>
void GreedyLevel<T>::resume(const Standing& standing) {
  iteration_ = static_cast<int>(standing.levels.back().costs.size());
  change_ = std::numeric_limits<double>::infinity();
  adam_.epsilon = standing.epsilon;
  for (std::size_t i = 0; i < terms_.size(); ++i) terms_[i].factor = standing.factors.at(i);
}

template <class T>
std::vector<double> GreedyLevel<T>::costs() {
  const std::size_t count = static_cast<std::size_t>(iteration_) * terms_.size();
  std::vector<MetricSum> host(count);
  copy_bytes(ctx_, Backend::cpu, host.data(), ctx_.backend, sums_.data(),
             host.size() * sizeof(MetricSum));
  std::vector<double> totals;
  for (const MetricSum& sum : host) totals.insert(totals.end(), {sum.value, sum.weight});
  dist::sum_exact(comm_, cut_, totals);
  std::vector<double> result(static_cast<std::size_t>(iteration_), 0);
  for (std::size_t k = 0; k < count; ++k) {
    const MetricConfig& config = terms_[k % terms_.size()].metric.config;
    // Of a metric of two passes, every rank has the value of the whole image.
    const double mean = two_pass::is(config.kind)
                            ? host[k].value
                            : totals[2 * k] / std::max(totals[2 * k + 1], 1.0);
    result[k / terms_.size()] += config.weight * cost_sign(config) * mean;
  }
  return result;
}

template class GreedyLevel<float>;
template class GreedyLevel<Half>;

}  // namespace ffdp::registration
