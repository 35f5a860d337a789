// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/invert/backends.hpp"
#include "ffdp/ops/invert/math.hpp"

namespace ffdp::invert {
namespace {

struct Sum {
  double max = 0, sum = 0;
  std::int64_t unconverged = 0;
  __device__ void operator+=(const Sum& other) {
    max = fmax(max, other.max);
    sum += other.sum;
    unconverged += other.unconverged;
  }
};

}  // namespace

/// A thread solves voxel by voxel. Moves 24 B/voxel, and 96 more from the caches per step.
template <>
PlaneSums<Residual> On<Backend::cuda>::forward(Context& ctx, const Params& p, Box domain,
                                               Box compute, VectorView<const float> displacement,
                                               VectorView<float> inverse) {
  const int around = halo(p);
  const double tolerance = p.tolerance;
  const int max_iterations = p.max_iterations;
  const auto sums =
      device::plane_sums<Sum>(ctx, compute, [=] __device__(int z, int y, int x, Sum& sum) {
        float v[3] = {};
        const double residual = solve(displacement, neighbourhood(domain, {z, y, x}, around),
                                      {z, y, x}, static_cast<float>(tolerance), max_iterations, v);
        for (int c = 0; c < 3; ++c) inverse[c](z, y, x) = v[c];
        sum.max = fmax(sum.max, residual);
        sum.sum += residual;
        sum.unconverged += residual > tolerance;
      });
  PlaneSums<Residual> result;
  for (const Sum& s : sums) result.of_planes.push_back({s.max, s.sum, s.unconverged});
  return result;
}

}  // namespace ffdp::invert
