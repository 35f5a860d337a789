// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/sampler/backends.hpp"
#include "ffdp/ops/sampler/locator.cuh"

namespace ffdp::sampler {
namespace {

struct Count {
  std::int64_t value = 0;
  __device__ void operator+=(const Count& other) { value += other.value; }
};

/// One voxel of the warped image: make finds it, put writes it.
template <class Locate>
struct Resample {
  Locate locate;
  Masks masks;
  View<float> warped;

  struct Made {
    float value;
    bool valid;
  };
  __device__ void prefetch(int z, int y, int x) const { locate.prefetch(z, y, x); }
  __device__ Made make(const float (&row)[3], int z, int y, int x) const {
    const Cell c = locate(row, z, y, x);
    return judged(c, locate.value(c), z, y, x);
  }
  /// A sample, or the value that replaces one that does not count.
  __device__ Made judged(const Cell& c, float value, int z, int y, int x) const {
    bool valid = c.counts() && value == value;
    if (masks.fixed) valid = valid && masks.fixed(z, y, x) != 0;
    if (masks.moving && valid)
      valid = masks.moving(c.z.lower + (c.z.fraction >= 0.5F), c.y.lower + (c.y.fraction >= 0.5F),
                           c.x.lower + (c.x.fraction >= 0.5F)) != 0;
    return {valid ? value : locate.outside, valid};
  }
  __device__ void put(int z, int y, int x, const Made& made) const { warped(z, y, x) = made.value; }
  /// Writes, and counts what is outside.
  __device__ void operator()(int z, int y, int x, Count& outside) const {
    const float row[3] = {locate.start(0, z, y), locate.start(1, z, y), locate.start(2, z, y)};
    const Made made = make(row, z, y, x);
    outside.value += !made.valid;
    put(z, y, x, made);
  }
};

/// Writes the value and, if wanted, the slope of samples whose cell is stored.
template <class Locate>
struct ResamplePart {
  Locate locate;
  Masks masks;
  Samples samples;

  struct Made {
    float value;
    Gradient3<float> slope;
    bool held;
  };
  __device__ void prefetch(int z, int y, int x) const { locate.prefetch(z, y, x); }
  __device__ Made make(const float (&row)[3], int z, int y, int x) const {
    const Cell c = locate(row, z, y, x);
    if (!c.held) return {0, {0, 0, 0}, false};
    float v[8];
    locate.corners(c, v);
    const Resample<Locate> whole{locate, masks, samples.warped};
    const float value = whole.judged(c, locate.value(c, v), z, y, x).value;
    return {value, locate.gradient(c, v, 1.0F), true};
  }
  __device__ void put(int z, int y, int x, const Made& made) const {
    if (!made.held) return;
    samples.warped(z, y, x) = made.value;
    const VectorView<float>& slopes = samples.slopes;
    if (!slopes) return;
    float* to = slopes.data + slopes[0].offset(z, y, x);
    to[0] = made.slope.z;
    to[slopes.stride_c] = made.slope.y;
    to[2 * slopes.stride_c] = made.slope.x;
  }
};

/// Adds S^T times a gradient w.r.t. q to a gradient w.r.t. u, or overwrites it.
__device__ inline void put_turned(const float (&s)[3][3], const Gradient3<float>& d,
                                  const ScaledGradient& to, int z, int y, int x) {
  float sum[3];
  const bool add = to.into == Into::add;
  float* at = to.grad.data + to.grad[0].offset(z, y, x);
#pragma unroll
  for (int k = 0; k < 3; ++k)
    sum[k] = (add ? at[k * to.grad.stride_c] : 0.0F) + turned(s, k, d.z, d.y, d.x);
#pragma unroll
  for (int k = 0; k < 3; ++k) at[k * to.grad.stride_c] = sum[k];
}

template <class Locate>
struct ToDisplacement {
  Locate locate;
  View<const float> grad_warped;
  ScaledGradient to;

  using Made = Gradient3<float>;
  __device__ void prefetch(int z, int y, int x) const {
    locate.prefetch(z, y, x);
    device::prefetch(grad_warped, z, y, x);
  }
  __device__ Made make(const float (&row)[3], int z, int y, int x) const {
    return locate.gradient(locate(row, z, y, x), to.scale * grad_warped(z, y, x));
  }
  __device__ void put(int z, int y, int x, const Made& d) const {
    put_turned(locate.s, d, to, z, y, x);
  }
};

/// A block makes 32 x 8 columns of `planes` <= 64 voxels. Where its rows start in the moving image
/// is computed once, in double, into 6 KiB of shared memory.
template <class Op>
__global__ void __launch_bounds__(device::tile_threads, 6) rows_kernel(Op op, Box box, int planes) {
  __shared__ float starts[64 * device::tile_y][3];
  const device::Column column = device::thread_column(box, planes);
  const int y0 = column.y - static_cast<int>(threadIdx.y), y = column.y, x = column.x;
  const int thread = threadIdx.y * device::tile_x + threadIdx.x;
  for (int i = thread; i < planes * device::tile_y; i += device::tile_threads)
#pragma unroll
    for (int c = 0; c < 3; ++c)
      starts[i][c] = op.locate.start(c, column.z_lo + i / device::tile_y, y0 + i % device::tile_y);
  __syncthreads();
  if (!column.in_box) return;
  const float(*row)[3] = starts + threadIdx.y;
  device::two_by_two(
      column, [&](int z, int planes_on) { op.prefetch(z + planes_on, y, x); },
      [&](int& z) {
        const auto first = op.make(row[0], z, y, x);
        const auto second = op.make(row[device::tile_y], z + 1, y, x);
        op.put(z, y, x, first);
        op.put(z + 1, y, x, second);
        row += 2 * device::tile_y;
        z += 2;
      },
      [&](int z) { op.put(z, y, x, op.make(row[0], z, y, x)); });
}

template <class Op>
void for_rows(const Context& ctx, const Box& box, const Op& op) {
  const device::Tiles tiles = device::tiles_of(box);
  rows_kernel<<<tiles.grid, dim3(device::tile_x, device::tile_y), 0, stream_of(ctx)>>>(
      op, box, tiles.planes);
  check(cudaGetLastError());
}

template <class Locate>
struct ToAffine {
  Locate locate;
  View<const float> grad_warped;

  __device__ void operator()(int z, int y, int x, device::Sums<12>& sum) const {
    const auto g = locate.gradient(locate.at(z, y, x), grad_warped(z, y, x));
    const double d[3] = {g.z, g.y, g.x};
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      sum.v[4 * c] += d[c] * z;
      sum.v[4 * c + 1] += d[c] * y;
      sum.v[4 * c + 2] += d[c] * x;
      sum.v[4 * c + 3] += d[c];
    }
  }
};

enum Slot { sums_slot, largest_slot };

/// Bits of the largest magnitude; those of NaN and infinity are larger than all others.
struct Largest {
  unsigned int bits = 0;
  __device__ void operator+=(const Largest& other) { bits = max(bits, other.bits); }
  /// `value` as a multiple of the magnitude, in units of 2^-fraction; 0 where that is 0 or not
  /// finite.
  __device__ double fixed(float value, int fraction) const {
    const float magnitude = __uint_as_float(bits);
    return magnitude > 0 && magnitude < INFINITY ? ldexp(double{value} / magnitude, fraction) : 0;
  }
  /// Back again; NaN where the magnitude is not finite.
  __device__ float real(long long units, int fraction) const {
    const float magnitude = __uint_as_float(bits);
    if (!(magnitude < INFINITY)) return NAN;
    return static_cast<float>(ldexp(static_cast<double>(units), -fraction) * magnitude);
  }
};

}  // namespace

/// Reads u and the moving image, writes the warped one: 20 B/voxel; corners come from the caches.
template <>
std::int64_t On<Backend::cuda>::forward(Context& ctx, const Params& p, Box, Box compute,
                                        const ImageView& moving,
                                        VectorView<const float> displacement, const Masks& masks,
                                        View<float> warped) {
  return with_locator<Need::value>(p, moving, displacement,
                                   [&]<class Locate>(const Locate& locate) {
                                     const Resample<Locate> one{locate, masks, warped};
                                     return device::sum_voxels<Count, 6>(ctx, compute, one).value;
                                   });
}

template <>
void On<Backend::cuda>::forward_uncounted(Context& ctx, const Params& p, Box, Box compute,
                                          const ImageView& moving,
                                          VectorView<const float> displacement, const Masks& masks,
                                          View<float> warped) {
  with_locator<Need::value>(p, moving, displacement, [&]<class Locate>(const Locate& locate) {
    for_rows(ctx, compute, Resample<Locate>{locate, masks, warped});
  });
}

/// Reads u, moving, grad_warped (and grad_u), writes grad_u: 32 (44) B/voxel.
template <>
void On<Backend::cuda>::backward_displacement(Context& ctx, const Params& p, Box, Box compute,
                                              const ImageView& moving,
                                              VectorView<const float> displacement,
                                              View<const float> grad_warped,
                                              const ScaledGradient& to) {
  with_locator<Need::gradient>(p, moving, displacement, [&]<class Locate>(const Locate& locate) {
    for_rows(ctx, compute, ToDisplacement<Locate>{locate, grad_warped, to});
  });
}

/// Reads u of all voxels; of those whose cell is stored reads the moving image, writes 16 B/voxel.
template <>
void On<Backend::cuda>::forward_part(Context& ctx, const Params& p, Box, Box compute,
                                     const ImageView& moving, VectorView<const float> displacement,
                                     const Masks& masks, const Samples& samples) {
  with_locator<Need::gradient>(p, moving, displacement, [&]<class Locate>(const Locate& locate) {
    for_rows(ctx, compute, ResamplePart<Locate>{locate, masks, samples});
  });
}

/// Reads slopes, grad_warped (and grad_u), writes grad_u: 28 (40) B/voxel.
template <>
void On<Backend::cuda>::backward_slopes(Context& ctx, const Params& p, Box, Box compute,
                                        VectorView<const float> slopes,
                                        View<const float> grad_warped, const ScaledGradient& to) {
  const RowMap map = row_map(p, 0, 0);
  device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
    const float factor = to.scale * grad_warped(z, y, x);
    const float* from = slopes.data + slopes[0].offset(z, y, x);
    const Gradient3<float> d{scaled(from[0], factor), scaled(from[slopes.stride_c], factor),
                             scaled(from[2 * slopes.stride_c], factor)};
    put_turned(map.s, d, to, z, y, x);
  });
}

/// Reads 20 B/voxel; twelve sums in double a thread.
template <>
PlaneSums<AffineGradient> On<Backend::cuda>::backward_affine(Context& ctx, const Params& p, Box,
                                                             Box compute, const ImageView& moving,
                                                             VectorView<const float> displacement,
                                                             View<const float> grad_warped) {
  const auto sums = with_locator<Need::gradient>(
      p, moving, displacement, [&]<class Locate>(const Locate& locate) {
        return device::plane_sums<device::Sums<12>>(ctx, compute,
                                                    ToAffine<Locate>{locate, grad_warped});
      });
  PlaneSums<AffineGradient> result;
  for (const device::Sums<12>& sum : sums) {
    AffineGradient& gradient = result.of_planes.emplace_back();
    for (int c = 0; c < 3; ++c) {
      for (int k = 0; k < 3; ++k) gradient.map[c][k] = sum.v[4 * c + k];
      gradient.translation[c] = sum.v[4 * c + 3];
    }
  }
  return result;
}

/// Scatters in fixed point, so that the order of the atomic additions does not matter: same bits at
/// every run. Reads 16 B/voxel of compute and moves 24 B/voxel of grad_moving; 8 B/voxel of
/// scratch.
template <>
void On<Backend::cuda>::backward_moving(Context& ctx, const Params& p, Box, Box compute,
                                        VectorView<const float> displacement,
                                        View<const float> grad_warped, View<float> grad_moving) {
  const Box& box = grad_moving.stored;
  using Units = unsigned long long;  // of two's complement
  const auto volume = static_cast<std::size_t>(box.volume());
  const auto sums = device::dense_view(ctx.scratch<Units>(sums_slot, volume), box);
  auto* largest = ctx.scratch<Largest>(largest_slot, 1);
  zero_bytes(ctx, sums.data, volume * sizeof(Units));
  device::sum_voxels<Largest>(
      ctx, compute,
      [=] __device__(int z, int y, int x, Largest& sum) {
        sum += Largest{__float_as_uint(fabsf(grad_warped(z, y, x)))};
      },
      device::Put<Largest>{largest});
  // The sum of all weights times the largest gradient fits.
  const int bits = 62 - std::bit_width(static_cast<std::uint64_t>(compute.volume()));
  const Locator<float, Need::value, std::int64_t, false> locate(p, View<const float>(grad_moving),
                                                                displacement);
  device::for_each_voxel(ctx, compute, [=] __device__(int z, int y, int x) {
    const Cell c = locate.at(z, y, x);
    const double g = largest->fixed(grad_warped(z, y, x), bits);
    if (!c.counts() || g == 0) return;
    const Place along[3] = {c.z, c.y, c.x};
    for (int corner = 0; corner < 8; ++corner) {
      const int up[3] = {corner >> 2, corner >> 1 & 1, corner & 1};
      float weight = 1;
      for (int a = 0; a < 3; ++a) weight *= up[a] ? along[a].fraction : 1 - along[a].fraction;
      if (weight == 0) continue;
      Units* const at = &sums(c.z.lower + up[0], c.y.lower + up[1], c.x.lower + up[2]);
      atomicAdd(at, static_cast<Units>(__double2ll_rn(weight * g)));
    }
  });
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    grad_moving(z, y, x) += largest->real(static_cast<long long>(sums(z, y, x)), bits);
  });
}

}  // namespace ffdp::sampler
