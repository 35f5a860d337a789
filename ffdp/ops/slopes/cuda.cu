// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/slopes/backends.hpp"
#include "ffdp/ops/slopes/math.hpp"

namespace ffdp::slopes {

/// Reads warped, whose neighbours come from the caches, grad_warped (and grad_s), writes grad_s: 20
/// (32) B/voxel.
template <>
void On<Backend::cuda>::backward(Context& ctx, Box domain, Box compute, View<const float> warped,
                                 View<const float> grad_warped, const ScaledGradient& to) {
  const float missing = std::numeric_limits<float>::quiet_NaN();
  const bool add = to.into == Into::add;
  device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
    const auto at = [&](int zz, int yy, int xx) {
      return domain.contains(zz, yy, xx) ? warped(zz, yy, xx) : missing;
    };
    const float here = warped(z, y, x), factor = to.scale * grad_warped(z, y, x);
    const float d[3] = {slope(at(z - 1, y, x), here, at(z + 1, y, x)),
                        slope(at(z, y - 1, x), here, at(z, y + 1, x)),
                        slope(at(z, y, x - 1), here, at(z, y, x + 1))};
    float* there = to.grad.data + to.grad[0].offset(z, y, x);
    for (int c = 0; c < 3; ++c) {
      const float before = add ? there[c * to.grad.stride_c] : 0.0F;
      there[c * to.grad.stride_c] = before + scaled(d[c], factor);
    }
  });
}

}  // namespace ffdp::slopes
