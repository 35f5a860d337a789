// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/descent/descent.hpp"

#include <type_traits>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/descent/backends.hpp"

namespace ffdp::descent {
namespace {

template <class T>
void check(const adam::Params& p, const Box& domain, const Box& compute, const Moments<T>& moments,
           const Sums* sums) {
  require_boxes("descent", domain, compute);
  adam::require_valid(p);
  require_stored("descent", "first", moments.first, compute);
  if (p.second_moment != adam::SecondMoment::none)
    require_stored("descent", "second", moments.second, compute);
  require(sums != nullptr, "descent: sums are absent");
}

/// Runs on the CPU what is stored as float.
template <class T, class Run>
void on_cpu(const Moments<T>& moments, Run&& run) {
  if constexpr (std::is_same_v<T, float>)
    run(moments);
  else
    throw NotBuilt("descent: moments in half precision have no CPU implementation, only CUDA");
}

}  // namespace

template <class T>
void update(Context& ctx, const adam::Params& p, const smooth::Params& smoothing, Box domain,
            Box compute, VectorView<const float> grad, const Moments<T>& moments, Sums* sums) {
  check(p, domain, compute, moments, sums);
  for (double sigma : smoothing.sigma)
    require(sigma >= 0 && sigma <= 64,
            "descent: sigma is " + std::to_string(sigma) + " voxels, must be within 0 and 64");
  require_stored("descent", "grad", grad,
                 intersect(grow(compute, smooth::halo(smoothing)), domain));
  dispatch(
      ctx,
      [&](auto& c) {
        on_cpu(moments, [&](const auto& m) {
          cpu::update(c, p, smoothing, domain, compute, grad, m, sums);
        });
      },
      [&](auto& c) { cuda::update(c, p, smoothing, domain, compute, grad, moments, sums); });
}

template <class T>
void longest(Context& ctx, const adam::Params& p, Box domain, Box compute,
             const Moments<T>& moments, Sums* sums) {
  check(p, domain, compute, moments, sums);
  dispatch(
      ctx,
      [&](auto& c) {
        on_cpu(moments, [&](const auto& m) { cpu::longest(c, p, domain, compute, m, sums); });
      },
      [&](auto& c) { cuda::longest(c, p, domain, compute, moments, sums); });
}

template <class T>
void compose(Context& ctx, const adam::Params& p, const Step& step, Box domain, Box compute,
             const Moments<T>& moments, const Sums* sums, VectorView<const float> u,
             VectorView<float> out) {
  check(p, domain, compute, moments, sums);
  require(step.length >= 0 && step.length <= 1,
          "descent: length is " + std::to_string(step.length) + " voxels, must be within 0 and 1");
  require(step.least >= 0, "descent: least is negative");
  require(step.face_ramp >= 0, "descent: face_ramp is negative");
  require_stored("descent", "u", u, intersect(grow(compute, halo(step)), domain));
  require_stored("descent", "out", out, compute);
  require(out.data != u.data, "descent: out is the memory of u, must not overlap it");
  dispatch(
      ctx,
      [&](auto& c) {
        on_cpu(moments,
               [&](const auto& m) { cpu::compose(c, p, step, domain, compute, m, sums, u, out); });
      },
      [&](auto& c) { cuda::compose(c, p, step, domain, compute, moments, sums, u, out); });
}

template void update(Context&, const adam::Params&, const smooth::Params&, Box, Box,
                     VectorView<const float>, const Moments<float>&, Sums*);
template void update(Context&, const adam::Params&, const smooth::Params&, Box, Box,
                     VectorView<const float>, const Moments<Half>&, Sums*);
template void longest(Context&, const adam::Params&, Box, Box, const Moments<float>&, Sums*);
template void longest(Context&, const adam::Params&, Box, Box, const Moments<Half>&, Sums*);
template void compose(Context&, const adam::Params&, const Step&, Box, Box, const Moments<float>&,
                      const Sums*, VectorView<const float>, VectorView<float>);
template void compose(Context&, const adam::Params&, const Step&, Box, Box, const Moments<Half>&,
                      const Sums*, VectorView<const float>, VectorView<float>);

}  // namespace ffdp::descent
