// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/invert/backends.hpp"
#include "ffdp/ops/invert/math.hpp"

namespace ffdp::invert {

template <>
PlaneSums<Residual> On<Backend::cpu>::forward(Context& ctx, const Params& p, Box domain,
                                              Box compute, VectorView<const float> displacement,
                                              VectorView<float> inverse) {
  const int around = halo(p);
  return plane_sums<Residual>(ctx, compute.size(0), [&](std::int64_t i, int) {
    Residual total;
    const int z = compute.lo[0] + static_cast<int>(i);
    for (int y = compute.lo[1]; y < compute.hi[1]; ++y)
      for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
        float v[3] = {};
        const float residual =
            solve(displacement, neighbourhood(domain, {z, y, x}, around), {z, y, x},
                  static_cast<float>(p.tolerance), p.max_iterations, v);
        for (int c = 0; c < 3; ++c) inverse[c](z, y, x) = v[c];
        total += Residual{residual, residual, residual > p.tolerance ? 1 : 0};
      }
    return total;
  });
}

}  // namespace ffdp::invert
