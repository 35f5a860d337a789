// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/differences/backends.hpp"
#include "ffdp/ops/differences/math.hpp"

namespace ffdp::differences {

template <>
template <class T>
void On<Backend::cpu>::forward(Context& ctx, const Params& p, Box domain, Box compute,
                               View<const T> u, double* sum) {
  const Flat<T> flat = flat_of<T>(p, domain, u);
  const std::int64_t rows = std::int64_t{compute.size(0)} * compute.size(1);
  *sum += parallel_sum<double>(ctx, rows, [&](std::int64_t row, int) {
    const int z = compute.lo[0] + static_cast<int>(row / compute.size(1));
    const int y = compute.lo[1] + static_cast<int>(row % compute.size(1));
    double part = 0;
    for (int x = compute.lo[2]; x < compute.hi[2]; ++x) part += energy(flat, u, z, y, x);
    return part;
  });
}

template <>
template <class T>
void On<Backend::cpu>::backward(Context& ctx, const Params& p, Box domain, Box compute,
                                View<const T> u, const T* scale, View<T> grad) {
  const Flat<T> flat = flat_of<T>(p, domain, u);
  const std::int64_t rows = std::int64_t{compute.size(0)} * compute.size(1);
  parallel_for(ctx, rows, [&](std::int64_t row, int) {
    const int z = compute.lo[0] + static_cast<int>(row / compute.size(1));
    const int y = compute.lo[1] + static_cast<int>(row % compute.size(1));
    for (int x = compute.lo[2]; x < compute.hi[2]; ++x)
      grad(z, y, x) = *scale * energy_vjp(flat, u, z, y, x);
  });
}

template decltype(On<Backend::cpu>::forward<float>) On<Backend::cpu>::forward<float>;
template decltype(On<Backend::cpu>::forward<double>) On<Backend::cpu>::forward<double>;
template decltype(On<Backend::cpu>::backward<float>) On<Backend::cpu>::backward<float>;
template decltype(On<Backend::cpu>::backward<double>) On<Backend::cpu>::backward<double>;

}  // namespace ffdp::differences
