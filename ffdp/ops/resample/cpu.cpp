// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/resample/backends.hpp"
#include "ffdp/ops/resample/math.hpp"

namespace ffdp::resample {
namespace {

struct AffineSums {
  double v[12] = {};
  AffineSums& operator+=(const AffineSums& other) {
    for (int i = 0; i < 12; ++i) v[i] += other.v[i];
    return *this;
  }
};

/// body(z, y, sums) for every row of the box; the sums of rows are added in their order.
template <class Body>
AffineSums sum_rows(const Context& ctx, const Box& box, Body&& body) {
  return parallel_sum<AffineSums>(ctx, std::int64_t{box.size(0)} * box.size(1),
                                  [&](std::int64_t row, int) {
                                    AffineSums sums;
                                    body(box.lo[0] + static_cast<int>(row / box.size(1)),
                                         box.lo[1] + static_cast<int>(row % box.size(1)), sums);
                                    return sums;
                                  });
}

}  // namespace

template <>
template <class T>
void On<Backend::cpu>::forward(Context& ctx, const Params& p, Box image_domain, Box compute,
                               const Inputs<T>& in, Into into, VectorView<T> out) {
  sum_rows(ctx, compute, [&](int z, int y, AffineSums&) {
    for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
      sample(p, image_domain, in, into, out, z, y, x);
  });
}

template <>
template <class T>
void On<Backend::cpu>::backward(Context& ctx, const Params& p, Box image_domain, Box compute,
                                const Inputs<T>& in, VectorView<const T> grad_out,
                                const Gradients<T>& gradients) {
  Context own;
  own.threads = gradients.image ? 1 : ctx.threads;  // scattering is not for several threads
  const AffineSums total = sum_rows(own, compute, [&](int z, int y, AffineSums& sums) {
    for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
      const Point<T> at = point(p, image_domain, in, z, y, x);
      T grad_q[3] = {};
      sample_vjp(
          p.channels, Corners<T>(at, in.image), in, grad_out, gradients.image,
          grad_out[0].offset(z, y, x), [](T* to, T value) { *to += value; }, grad_q);
      put_turned(p, in.affine, grad_q, gradients, z, y, x);
      add_affine(at, grad_q, sums.v);
    }
  });
  if (gradients.affine)
    for (int i = 0; i < 12; ++i) gradients.affine[i] += total.v[i];
}

template decltype(On<Backend::cpu>::forward<float>) On<Backend::cpu>::forward<float>;
template decltype(On<Backend::cpu>::forward<double>) On<Backend::cpu>::forward<double>;
template decltype(On<Backend::cpu>::backward<float>) On<Backend::cpu>::backward<float>;
template decltype(On<Backend::cpu>::backward<double>) On<Backend::cpu>::backward<double>;

}  // namespace ffdp::resample
