// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/deformable/moving_samples.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/vectors/vectors.hpp"

namespace ffdp::registration {
namespace {

/// Displacements are measured again when they may have changed by this much [voxels]. An iteration
/// changes them by at most half a voxel.
constexpr double most_drift = 6;

}  // namespace

double fetched_margin(double motion) { return std::min(2 * most_drift, motion); }

MovingAccess choose_access(const MovingLimit& limit, const MovingNeeds& needs) {
  if (limit.access != MovingAccess::automatic) return limit.access;
  const auto fits = [&](std::int64_t bytes) { return limit.bytes <= 0 || bytes <= limit.bytes; };
  // A GPU's memory is not shared with other programs, and measuring the box again waits for the
  // GPU.
  const bool roomy = limit.backend == Backend::cuda && limit.bytes > 0;
  if (fits(needs.replicate) && (roomy || needs.replicate <= needs.fetch))
    return MovingAccess::replicate;
  const bool fetches = fits(needs.fetch) || needs.fetch <= needs.ring;
  return fetches ? MovingAccess::fetch : MovingAccess::ring;
}

std::int64_t ring_bytes(const dist::Cut& cut, std::int64_t voxel, std::int64_t warped,
                        std::int64_t gradient) {
  return dist::Ring::bytes(cut, voxel) + 4 * warped + 12 * gradient;
}

MovingSamples::MovingSamples(const sampler::Params& params, const Box& domain,
                             const ImageRef& image, const Image<std::uint8_t>* mask,
                             View<const std::uint8_t> fixed_mask, const MovingLimit& limit)
    : params_(params),
      domain_(domain),
      image_(image),
      mask_(mask),
      fixed_mask_(fixed_mask),
      limit_(limit) {}

/// Measures the smallest and the largest displacement over all ranks. A step composes and averages
/// vectors of any rank. So no vector exceeds these bounds by more than the length of the step.
void MovingSamples::measure(Context& ctx, dist::Comm& comm, const Box& box,
                            VectorView<const float> displacement) {
  const vectors::Extent extent = vectors::extent(ctx, box, displacement);
  std::array<double, 6> bounds{};
  for (std::size_t c = 0; c < 3; ++c) {
    bounds[c] = std::max(-static_cast<double>(extent.lo[c]), 0.0);
    bounds[3 + c] = std::max(static_cast<double>(extent.hi[c]), 0.0);
  }
  comm.all_max(bounds);
  for (std::size_t c = 0; c < 3; ++c) {
    least_[c] = -bounds[c];
    most_[c] = bounds[3 + c];
  }
  drift_ = 0;
}

/// The box of the moving image that a box of voxels reaches while displacements change by `change`.
Box MovingSamples::reached(const Box& box, double change) const {
  Vec3 least = least_, most = most_;
  for (std::size_t c = 0; c < 3; ++c) {
    least[c] -= change;
    most[c] += change;
  }
  return sampler::reach(params_, box, least, most);
}

void MovingSamples::choose(Context& ctx, dist::Comm& comm, const Box& warped, const Box& gradient,
                           VectorView<const float> displacement) {
  const dist::Cut cut(comm, params_.moving_domain);
  access_ = cut.whole() ? MovingAccess::replicate : limit_.access;
  if (access_ != MovingAccess::automatic) return;
  const std::int64_t voxel = bytes_of(image_.data.storage) + (mask_ ? 1 : 0);
  measure(ctx, comm, intersect(warped, gradient), displacement);
  const Box all = hull(warped, gradient);
  const std::int64_t fetched = reached(all, fetched_margin(limit_.motion)).volume() * voxel;
  std::array most{static_cast<double>(fetched),
                  static_cast<double>(ring_bytes(cut, voxel, all.volume(), gradient.volume()))};
  comm.all_max(most);
  access_ = choose_access(limit_, {.replicate = params_.moving_domain.volume() * voxel,
                                   .fetch = static_cast<std::int64_t>(most[0]),
                                   .ring = static_cast<std::int64_t>(most[1])});
}

void MovingSamples::prepare(Context& ctx, dist::Comm& comm, const Box& warped, const Box& gradient,
                            VectorView<const float> displacement, double change) {
  drift_ += change;
  const Box all = hull(warped, gradient);
  if (!access_) choose(ctx, comm, warped, gradient, displacement);
  if (access_ == MovingAccess::replicate) {
    if (held_.empty()) hold(ctx, comm, params_.moving_domain);
  } else if (access_ == MovingAccess::ring) {
    pass_round(ctx, comm, all, gradient, displacement);
  } else if (held_.empty() || drift_ > most_drift) {
    if (drift_ > most_drift) measure(ctx, comm, intersect(warped, gradient), displacement);
    double missing = held_.contains(reached(all, std::min(most_drift, limit_.motion))) ? 0 : 1;
    comm.all_max({&missing, 1});
    if (missing > 0) hold(ctx, comm, reached(all, fetched_margin(limit_.motion)));
  }
}

void MovingSamples::hold(Context& ctx, dist::Comm& comm, const Box& box) {
  synchronize(ctx);
  window_ = {};  // makes room for the new ones
  mask_window_ = {};
  if (widen_) image_ = widen_(box);
  window_ = dist::Window(ctx, comm, image_, box);
  mask_window_ = dist::MaskWindow(ctx, comm, mask_, window_.view().stored);
  held_ = box;
}

void MovingSamples::pass_round(Context& ctx, dist::Comm& comm, const Box& warped,
                               const Box& gradient, VectorView<const float> displacement) {
  if (!ring_) {
    ring_.emplace(ctx, comm, image_, mask_);
    values_ = Field<float>(ctx.backend, warped);
    slopes_ = VectorField<float>(ctx.backend, gradient);
  }
  ring_->pass(ctx, [&](const ImageView& part, const View<const std::uint8_t>& mask) {
    const sampler::Masks masks{fixed_mask_, mask};
    for (const Box& rim : dist::rims(warped, gradient))
      sampler::forward_part(ctx, params_, domain_, rim, part, displacement, masks, {values_, {}});
    sampler::forward_part(ctx, params_, domain_, gradient, part, displacement, masks,
                          {values_, slopes_});
  });
}

void MovingSamples::warp(Context& ctx, const Box& box, VectorView<const float> displacement,
                         View<float> warped) const {
  if (access_ == MovingAccess::ring)
    dist::copy_voxels(ctx, values_.view(), warped, box);
  else
    sampler::forward_uncounted(ctx, params_, domain_, box, window_.view(), displacement,
                               {fixed_mask_, mask_window_.view()}, warped);
}

void MovingSamples::add_gradient(Context& ctx, const Box& box, VectorView<const float> displacement,
                                 View<const float> grad_warped, const ScaledGradient& to) const {
  if (access_ == MovingAccess::ring)
    sampler::backward_slopes(ctx, params_, domain_, box, slopes_, grad_warped, to);
  else
    sampler::backward_displacement(ctx, params_, domain_, box, window_.view(), displacement,
                                   grad_warped, to);
}

}  // namespace ffdp::registration
