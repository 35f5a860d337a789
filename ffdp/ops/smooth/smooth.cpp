// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/smooth/smooth.hpp"

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/smooth/backends.hpp"

namespace ffdp::smooth {
namespace {

template <class In, class Out>
void check(const Params& p, const Box& domain, const Box& compute, const In& in, const Out& out) {
  require_boxes("smooth", domain, compute);
  for (double sigma : p.sigma)
    require(sigma >= 0 && sigma <= 64,
            "smooth: sigma is " + std::to_string(sigma) + " voxels, must be within 0 and 64");
  const double most = std::is_same_v<Out, VectorView<float>> ? most_damping : 0;
  require(p.damping >= 0 && p.damping <= most, "smooth: damping is " + std::to_string(p.damping) +
                                                   ", must be within 0 and " +
                                                   std::to_string(most));
  require_stored("smooth", "in", in, intersect(grow(compute, halo(p)), domain));
  require_stored("smooth", "out", out, compute);
  require(static_cast<const void*>(in.data) != static_cast<const void*>(out.data),
          "smooth: out is the same memory as in, must not overlap it");
}

}  // namespace

void forward(Context& ctx, const Params& p, Box domain, Box compute, View<const float> in,
             View<float> out) {
  check(p, domain, compute, in, out);
  dispatch(ctx, [&]<Backend B>() { On<B>::forward(ctx, p, domain, compute, in, out); });
}

void forward(Context& ctx, const Params& p, Box domain, Box compute, VectorView<const float> in,
             VectorView<float> out) {
  check(p, domain, compute, in, out);
  dispatch(ctx, [&]<Backend B>() { On<B>::forward(ctx, p, domain, compute, in, out); });
}

void backward(Context& ctx, const Params& p, Box domain, Box compute, View<const float> grad_out,
              View<float> grad_in) {
  check(p, domain, compute, grad_out, grad_in);
  dispatch(ctx, [&]<Backend B>() { On<B>::backward(ctx, p, domain, compute, grad_out, grad_in); });
}

}  // namespace ffdp::smooth
