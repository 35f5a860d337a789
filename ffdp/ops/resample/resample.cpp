// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/resample/resample.hpp"

#include <type_traits>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/resample/backends.hpp"

namespace ffdp::resample {
namespace {

template <class T>
void check(const Params& p, const Box& image_domain, const Box& compute, const Inputs<T>& in) {
  require(!image_domain.empty() && !compute.empty(), "resample: an image has no voxels");
  require(p.channels >= 1,
          "resample: " + std::to_string(p.channels) + " channels, at least 1 is needed");
  require(p.axes == 3 || (p.axes == 2 && image_domain.size(0) == 1 && compute.size(0) == 1),
          "resample: a displacement of " + std::to_string(p.axes) +
              " components, needs 3, or 2 between images of one plane");
  require(bool(in.image) && !in.image.stored.empty() && image_domain.contains(in.image.stored),
          "resample: the image is absent, or stored beyond its domain " + to_string(image_domain));
  if (in.displacement) require_stored("resample", "displacement", in.displacement, compute);
}

}  // namespace

template <class T>
void forward(Context& ctx, const Params& p, Box image_domain, Box compute, const Inputs<T>& inputs,
             Into into, VectorView<T> out) {
  check(p, image_domain, compute, inputs);
  require_stored("resample", "out", out, compute);
  dispatch<Has{.cuda = std::is_same_v<T, float>}>(
      ctx, [&]<Backend B>() { On<B>::forward(ctx, p, image_domain, compute, inputs, into, out); });
}

template <class T>
void backward(Context& ctx, const Params& p, Box image_domain, Box compute, const Inputs<T>& inputs,
              VectorView<const T> grad_out, const Gradients<T>& gradients) {
  check(p, image_domain, compute, inputs);
  require_stored("resample", "grad_out", grad_out, compute);
  if (gradients.image)
    require_stored("resample", "gradient of the image", gradients.image, inputs.image.stored);
  if (gradients.displacement)
    require_stored("resample", "gradient of the displacement", gradients.displacement, compute);
  dispatch<Has{.cuda = std::is_same_v<T, float>}>(ctx, [&]<Backend B>() {
    On<B>::backward(ctx, p, image_domain, compute, inputs, grad_out, gradients);
  });
}

template decltype(forward<float>) forward<float>;
template decltype(forward<double>) forward<double>;
template decltype(backward<float>) backward<float>;
template decltype(backward<double>) backward<double>;

}  // namespace ffdp::resample
