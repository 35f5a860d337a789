// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/descent/descent.hpp"

#include <type_traits>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/descent/backends.hpp"

namespace ffdp::descent {
namespace {

void check(const Params& p) {
  require(p.beta1 >= 0 && p.beta1 < 1 && p.beta2 >= 0 && p.beta2 < 1,
          "descent: beta1 is " + std::to_string(p.beta1) + " and beta2 " + std::to_string(p.beta2) +
              ", must be within 0 and below 1");
  require(p.epsilon >= 0,
          "descent: epsilon is " + std::to_string(p.epsilon) + ", must not be negative");
  require(p.iteration >= 1,
          "descent: iteration is " + std::to_string(p.iteration) + ", counts from 1");
}

template <class T>
void check(const Params& p, const Box& domain, const Box& compute, const Moments<T>& moments,
           const Sums* sums) {
  require_boxes("descent", domain, compute);
  check(p);
  require_stored("descent", "first", moments.first, compute);
  if (p.second_moment != SecondMoment::none)
    require_stored("descent", "second", moments.second, compute);
  require(sums != nullptr, "descent: sums are absent");
}

}  // namespace

template <class T>
void update(Context& ctx, const Params& p, const smooth::Params& smoothing, Box domain, Box compute,
            VectorView<const float> grad, const Moments<T>& moments, Sums* sums) {
  check(p, domain, compute, moments, sums);
  require(smoothing.damping == 0, "descent: a gradient is smoothed without damping");
  for (double sigma : smoothing.sigma)
    require(sigma >= 0 && sigma <= 64,
            "descent: sigma is " + std::to_string(sigma) + " voxels, must be within 0 and 64");
  require_stored("descent", "grad", grad,
                 intersect(grow(compute, smooth::halo(smoothing)), domain));
  dispatch<Has{.cpu = std::is_same_v<T, float>}>(ctx, [&]<Backend B>() {
    On<B>::update(ctx, p, smoothing, domain, compute, grad, moments, sums);
  });
}

template <class T>
void longest(Context& ctx, const Params& p, Box domain, Box compute, const Moments<T>& moments,
             Sums* sums) {
  check(p, domain, compute, moments, sums);
  dispatch<Has{.cpu = std::is_same_v<T, float>}>(
      ctx, [&]<Backend B>() { On<B>::longest(ctx, p, domain, compute, moments, sums); });
}

template <class T>
void compose(Context& ctx, const Params& p, const Step& step, Box domain, Box compute,
             const Moments<T>& moments, VectorView<const float> u, VectorView<float> out) {
  check(p, domain, compute, moments, step.sums);
  require(step.length >= 0 && step.length <= 1,
          "descent: length is " + std::to_string(step.length) + " voxels, must be within 0 and 1");
  require(step.least >= 0, "descent: least is negative");
  require(step.face_ramp >= 0, "descent: face_ramp is negative");
  require_stored("descent", "u", u, intersect(grow(compute, halo(step)), domain));
  require_stored("descent", "out", out, compute);
  require(out.data != u.data, "descent: out is the memory of u, must not overlap it");
  dispatch<Has{.cpu = std::is_same_v<T, float>}>(
      ctx, [&]<Backend B>() { On<B>::compose(ctx, p, step, domain, compute, moments, u, out); });
}

template decltype(update<float>) update<float>;
template decltype(update<Half>) update<Half>;
template decltype(longest<float>) longest<float>;
template decltype(longest<Half>) longest<Half>;
template decltype(compose<float>) compose<float>;
template decltype(compose<Half>) compose<Half>;

}  // namespace ffdp::descent
