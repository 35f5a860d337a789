// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/jacobian/backends.hpp"
#include "ffdp/ops/jacobian/math.hpp"

namespace ffdp::jacobian {
namespace {

enum Slot { count_slot, voxels_slot };

__device__ float at(const Box& domain, const VectorView<const float>& u, int z, int y, int x) {
  const Stencil sz = stencil(z, domain.lo[0], domain.hi[0]);
  const Stencil sy = stencil(y, domain.lo[1], domain.hi[1]);
  const Stencil sx = stencil(x, domain.lo[2], domain.hi[2]);
  float d[3][3];
#pragma unroll
  for (int c = 0; c < 3; ++c) {
    const View<const float> v = u[c];
    d[c][0] = (v(sz.above, y, x) - v(sz.below, y, x)) * sz.scale;
    d[c][1] = (v(z, sy.above, x) - v(z, sy.below, x)) * sy.scale;
    d[c][2] = (v(z, y, sx.above) - v(z, y, sx.below)) * sx.scale;
  }
  return determinant(d);
}

/// Statistics whose all-zero value is neutral: extremes start beyond every number.
struct Sum {
  std::int64_t count = 0, missing = 0, folded = 0;
  double min = HUGE_VAL, max = -HUGE_VAL, sum_log = 0, sum_log_squared = 0, sum_log_size = 0;
  __device__ void operator+=(const Sum& other) {
    count += other.count;
    missing += other.missing;
    folded += other.folded;
    min = fmin(min, other.min);
    max = fmax(max, other.max);
    sum_log += other.sum_log;
    sum_log_squared += other.sum_log_squared;
    sum_log_size += other.sum_log_size;
  }
};

}  // namespace

/// Reads 12 and writes 4 B/voxel; the neighbours come from the caches.
template <>
void On<Backend::cuda>::forward(Context& ctx, const Box& domain_in, const Box& compute,
                                const VectorView<const float>& displacement,
                                const View<float>& determinant_out) {
  const Box domain = domain_in;
  const VectorView<const float> u = displacement;
  const View<float> out = determinant_out;
  device::for_each_voxel(
      ctx, compute, [=] __device__(int z, int y, int x) { out(z, y, x) = at(domain, u, z, y, x); });
}

/// Reads 12 B/voxel.
template <>
PlaneSums<Statistics> On<Backend::cuda>::statistics(Context& ctx, const Box& domain_in,
                                                    const Box& compute,
                                                    const VectorView<const float>& displacement,
                                                    const View<const std::uint8_t>& mask_in) {
  const Box domain = domain_in;
  const VectorView<const float> u = displacement;
  const View<const std::uint8_t> mask = mask_in;
  const auto sums =
      device::plane_sums<Sum>(ctx, compute, [=] __device__(int z, int y, int x, Sum& sum) {
        if (mask && mask(z, y, x) == 0) return;
        const double d = at(domain, u, z, y, x);
        if (d - d != 0) {
          ++sum.missing;
          return;
        }
        ++sum.count;
        sum.min = fmin(sum.min, d);
        sum.max = fmax(sum.max, d);
        if (!(d > 0)) {
          ++sum.folded;
          return;
        }
        const double log_d = log(d);
        sum.sum_log += log_d;
        sum.sum_log_squared += log_d * log_d;
        sum.sum_log_size += fabs(log_d);
      });
  PlaneSums<Statistics> result;
  for (const Sum& s : sums)
    result.of_planes.push_back(s.count == 0
                                   ? Statistics{.missing = s.missing}
                                   : Statistics{s.count, s.missing, s.folded, s.min, s.max,
                                                s.sum_log, s.sum_log_squared, s.sum_log_size});
  return result;
}

/// Reads 12 B/voxel. Voxels are found in any order and sorted on the host. If there are more than
/// fit, they are searched once more.
template <>
std::vector<Int3> On<Backend::cuda>::voxels_below(Context& ctx, const Box& domain_in,
                                                  const Box& compute, double least,
                                                  const VectorView<const float>& displacement) {
  const Box domain = domain_in;
  const VectorView<const float> u = displacement;
  auto* found = ctx.scratch<unsigned long long>(count_slot, 1);
  unsigned long long count = 0;
  for (unsigned long long room = 4096;; room = count) {
    auto* voxels = ctx.scratch<Int3>(voxels_slot, room);
    check(cudaMemsetAsync(found, 0, sizeof(*found), stream_of(ctx)));
    device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
      if (static_cast<double>(at(domain, u, z, y, x)) >= least) return;
      const unsigned long long i = atomicAdd(found, 1ULL);
      if (i < room) voxels[i] = {z, y, x};
    });
    check(cudaMemcpyAsync(&count, found, sizeof(count), cudaMemcpyDeviceToHost, stream_of(ctx)));
    check(cudaStreamSynchronize(stream_of(ctx)));
    if (count > room) continue;
    std::vector<Int3> result(count);
    if (count > 0)
      check(cudaMemcpyAsync(result.data(), voxels, count * sizeof(Int3), cudaMemcpyDeviceToHost,
                            stream_of(ctx)));
    check(cudaStreamSynchronize(stream_of(ctx)));
    std::sort(result.begin(), result.end());
    return result;
  }
}

}  // namespace ffdp::jacobian
