// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <utility>

#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/registration/linear/linear.hpp"

namespace ffdp::registration {
namespace {

Affine scaled(double factor, Affine a) {
  for (auto& row : a.linear)
    for (double& value : row) value *= factor;
  for (double& value : a.translation) value *= factor;
  return a;
}

Affine sum(Affine a, const Affine& b) {
  for (std::size_t i = 0; i < 3; ++i) {
    a.translation[i] += b.translation[i];
    for (std::size_t j = 0; j < 3; ++j) a.linear[i][j] += b.linear[i][j];
  }
  return a;
}

}  // namespace

LinearProblem::LinearProblem(Context& ctx, dist::Comm& comm, const Pair& pair,
                             const MetricConfig& metric, double spacing)
    : ctx_(ctx), comm_(comm), metric_{metric, {}, {}} {
  const auto shrink = [&](const ImageRef& image, const Image<std::uint8_t>* mask) {
    const Grid level = level_grid(image.grid, spacing, 8);
    return mask ? shrink_to(ctx, comm, image, *mask, level)
                : MaskedImage{shrink_to(ctx, comm, image, level), {}};
  };
  fixed_ = shrink(pair.fixed, pair.fixed_mask);
  moving_ = shrink(pair.moving, pair.moving_mask);
  metric_.fixed = intensity_model(ctx, comm, "fixed", fixed_.image, fixed_.mask.data);
  metric_.moving = intensity_model(ctx, comm, "moving", moving_.image, moving_.mask.data);
  const Box domain = fixed_.image.grid.domain();
  cut_ = dist::Cut(comm, domain);
  const Box own = cut_.own(comm);
  warped_box_ = intersect(grow(own, metric_reach(metric)), domain);
  fixed_window_ = dist::Window(ctx, comm, fixed_.image, warped_box_);
  if (pair.fixed_mask) fixed_mask_ = dist::MaskWindow(ctx, comm, &fixed_.mask, warped_box_);
  warped_ = Field<float>(ctx.backend, warped_box_);
  grad_ = Field<float>(ctx.backend, own);
  std::int64_t inside = domain.volume();
  if (pair.fixed_mask)
    inside = dist::sum_count(comm, cut_, intensity::count(ctx, own, fixed_.mask.data));
  least_samples_ = 0.05 * static_cast<double>(inside);
}

/// Fetches the moving image again if this map takes any rank beyond what it has. Every rank
/// computes what all ranks have and need, so no message is sent to find that out.
void LinearProblem::reach_moving(const sampler::Params& p) {
  const Box domain = fixed_.image.grid.domain();
  const Vec3 still{};
  std::vector<Box> needed;
  bool enough = !reached_.empty();
  for (int r = 0; r < comm_.size(); ++r) {
    const Box box = intersect(grow(cut_.own(r), metric_reach(metric_.config)), domain);
    needed.push_back(sampler::reach(p, box, still, still));
    enough = enough && reached_[static_cast<std::size_t>(r)].contains(needed.back());
  }
  if (enough) return;
  constexpr int margin = 4;  // most maps that a search tries are near [voxels]
  for (Box& box : needed) box = intersect(grow(box, margin), p.moving_domain);
  reached_ = std::move(needed);
  const Box& box = reached_[static_cast<std::size_t>(comm_.rank())];
  moving_window_ = dist::Window(ctx_, comm_, moving_.image, box);
  if (moving_.mask.data.view()) moving_mask_ = dist::MaskWindow(ctx_, comm_, &moving_.mask, box);
}

sampler::Params LinearProblem::sampling(const Affine& map) const {
  sampler::Params p;
  p.map = moving_.image.grid.to_index() * map * fixed_.image.grid.to_world();
  p.displacement_map = p.map.linear;
  p.moving_domain = moving_.image.grid.domain();
  return p;
}

std::int64_t LinearProblem::warp(const Affine& map) {
  const Box domain = fixed_.image.grid.domain(), own = cut_.own(comm_);
  const sampler::Params p = sampling(map);
  reach_moving(p);
  const ImageView moving = moving_window_.view();
  const VectorView<const float> none;
  const sampler::Masks masks{fixed_mask_.view(), moving_mask_.view()};
  for (const Box& rim : dist::rims(warped_box_, own))
    sampler::forward_uncounted(ctx_, p, domain, rim, moving, none, masks, warped_);
  return dist::sum_count(comm_, cut_,
                         sampler::forward(ctx_, p, domain, own, moving, none, masks, warped_));
}

void LinearProblem::keep_overlap(std::span<const Affine> maps) {
  const Box own = cut_.own(comm_);
  if (fixed_.mask.data.empty()) {
    fixed_.mask = {fixed_.image.grid, Field<std::uint8_t>(ctx_.backend, own)};
    intensity::store_mask(ctx_, own, -std::numeric_limits<float>::infinity(), fixed_.image.data,
                          fixed_.mask.data);
  }
  for (const Affine& map : maps) {
    warp(map);
    intensity::drop_missing(ctx_, own, warped_, fixed_.mask.data);
  }
  fixed_mask_ = dist::MaskWindow(ctx_, comm_, &fixed_.mask, warped_box_);
  for (LinearProblem& other : further_) other.keep_overlap(maps);
}

double LinearProblem::cost(const Affine& map, Affine* gradient) {
  if (further_.empty()) return own_cost(map, gradient);
  double total = metric_.config.weight * own_cost(map, gradient);
  if (gradient) *gradient = scaled(metric_.config.weight, *gradient);
  for (LinearProblem& other : further_) {
    Affine more{};
    total += other.metric_.config.weight * other.own_cost(map, gradient ? &more : nullptr);
    if (gradient) *gradient = sum(*gradient, scaled(other.metric_.config.weight, more));
  }
  return total;
}

double LinearProblem::own_cost(const Affine& map, Affine* gradient) {
  const Box domain = fixed_.image.grid.domain();
  const std::int64_t outside = warp(map);
  if (static_cast<double>(domain.volume() - outside) < std::max(least_samples_, 16.0))
    return std::numeric_limits<double>::infinity();
  const Cost found = metric_cost(ctx_, comm_, metric_, cut_, fixed_window_.view().as<float>(),
                                 warped_, gradient ? grad_.view() : View<float>{});
  if (!gradient) return found.value;
  const auto sums = dist::ordered_sum(
      comm_, cut_,
      sampler::backward_affine(ctx_, sampling(map), domain, cut_.own(comm_), moving_window_.view(),
                               VectorView<const float>{}, grad_));
  Affine index_gradient;
  const double scale = found.grad_factor / found.samples;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) index_gradient.linear[i][j] = scale * sums.map[i][j];
    index_gradient.translation[i] = scale * sums.translation[i];
  }
  *gradient =
      pull_back(moving_.image.grid.to_index(), index_gradient, fixed_.image.grid.to_world());
  return found.value;
}

}  // namespace ffdp::registration
