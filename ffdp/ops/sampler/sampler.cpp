// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/sampler/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/sampler/backends.hpp"

namespace ffdp::sampler {
namespace {

void check(const Params& p, const Box& domain, const Box& compute,
           VectorView<const float> displacement) {
  require_boxes("sampler", domain, compute);
  require(!p.moving_domain.empty(),
          "sampler: moving_domain is " + to_string(p.moving_domain) + ", must not be empty");
  for (int c = 0; c < 3; ++c) {
    bool finite = std::isfinite(p.map.translation[c]);
    for (int k = 0; k < 3; ++k)
      finite =
          finite && std::isfinite(p.map.linear[c][k]) && std::isfinite(p.displacement_map[c][k]);
    require(finite, "sampler: the map holds a number that is not finite");
  }
  if (displacement) require_stored("sampler", "displacement", displacement, compute);
}

void check_forward(const Params& p, const Box& domain, const Box& compute, const ImageView& moving,
                   VectorView<const float> displacement, const Masks& masks, View<float> warped) {
  check(p, domain, compute, displacement);
  require(bool(moving), "sampler: moving is absent");
  if (masks.fixed) require_stored("sampler", "fixed mask", masks.fixed, compute);
  require(!masks.moving || masks.moving.stored.contains(moving.stored) ||
              masks.moving.stored.contains(p.moving_domain),
          "sampler: the moving mask is stored over " + to_string(masks.moving.stored) + ", needs " +
              to_string(moving.stored));
  require_stored("sampler", "warped", warped, compute);
}

}  // namespace

Box reach(const Params& p, const Box& compute, const Vec3& least, const Vec3& most) {
  constexpr double slack = 0.01;  // q is computed in float [voxels]
  Box box = p.moving_domain;
  for (int c = 0; c < 3; ++c) {
    double lo = p.map.translation[c], hi = lo;
    for (int k = 0; k < 3; ++k) {
      add_range(lo, hi, p.map.linear[c][k], compute.lo[k], compute.hi[k] - 1);
      add_range(lo, hi, p.displacement_map[c][k], least[k], most[k]);
    }
    const int first = box.lo[c], end = box.hi[c];
    // A cell has two voxels along an axis; the last cell begins at end - 2.
    const auto cell = [&](double q) {
      return std::clamp(std::floor(q), static_cast<double>(first),
                        static_cast<double>(std::max(first, end - 2)));
    };
    box.lo[c] = static_cast<int>(cell(lo - slack));
    box.hi[c] = std::min(static_cast<int>(cell(hi + slack)) + 2, end);
  }
  return box;
}

std::int64_t forward(Context& ctx, const Params& p, Box domain, Box compute,
                     const ImageView& moving, VectorView<const float> displacement,
                     const Masks& masks, View<float> warped) {
  check_forward(p, domain, compute, moving, displacement, masks, warped);
  return dispatch(ctx, [&]<Backend B>() {
    return On<B>::forward(ctx, p, domain, compute, moving, displacement, masks, warped);
  });
}

void forward_uncounted(Context& ctx, const Params& p, Box domain, Box compute,
                       const ImageView& moving, VectorView<const float> displacement,
                       const Masks& masks, View<float> warped) {
  check_forward(p, domain, compute, moving, displacement, masks, warped);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::forward_uncounted(ctx, p, domain, compute, moving, displacement, masks, warped);
  });
}

void backward_displacement(Context& ctx, const Params& p, Box domain, Box compute,
                           const ImageView& moving, VectorView<const float> displacement,
                           View<const float> grad_warped, const ScaledGradient& to) {
  check(p, domain, compute, displacement);
  require(bool(moving), "sampler: moving is absent");
  require_stored("sampler", "grad_warped", grad_warped, compute);
  require_stored("sampler", "grad_u", to.grad, compute);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::backward_displacement(ctx, p, domain, compute, moving, displacement, grad_warped, to);
  });
}

void forward_part(Context& ctx, const Params& p, Box domain, Box compute, const ImageView& moving,
                  VectorView<const float> displacement, const Masks& masks,
                  const Samples& samples) {
  check_forward(p, domain, compute, moving, displacement, masks, samples.warped);
  if (samples.slopes) require_stored("sampler", "slopes", samples.slopes, compute);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::forward_part(ctx, p, domain, compute, moving, displacement, masks, samples);
  });
}

void backward_slopes(Context& ctx, const Params& p, Box domain, Box compute,
                     VectorView<const float> slopes, View<const float> grad_warped,
                     const ScaledGradient& to) {
  check(p, domain, compute, {});
  require_stored("sampler", "slopes", slopes, compute);
  require_stored("sampler", "grad_warped", grad_warped, compute);
  require_stored("sampler", "grad_u", to.grad, compute);
  dispatch(ctx, [&]<Backend B>() {
    On<B>::backward_slopes(ctx, p, domain, compute, slopes, grad_warped, to);
  });
}

PlaneSums<AffineGradient> backward_affine(Context& ctx, const Params& p, Box domain, Box compute,
                                          const ImageView& moving,
                                          VectorView<const float> displacement,
                                          View<const float> grad_warped) {
  check(p, domain, compute, displacement);
  require(bool(moving), "sampler: moving is absent");
  require_stored("sampler", "grad_warped", grad_warped, compute);
  return dispatch(ctx, [&]<Backend B>() {
    return On<B>::backward_affine(ctx, p, domain, compute, moving, displacement, grad_warped);
  });
}

void backward_moving(Context& ctx, const Params& p, Box domain, Box compute,
                     VectorView<const float> displacement, View<const float> grad_warped,
                     View<float> grad_moving) {
  check(p, domain, compute, displacement);
  require_stored("sampler", "grad_warped", grad_warped, compute);
  require(bool(grad_moving), "sampler: grad_moving is absent");
  dispatch(ctx, [&]<Backend B>() {
    On<B>::backward_moving(ctx, p, domain, compute, displacement, grad_warped, grad_moving);
  });
}

}  // namespace ffdp::sampler
