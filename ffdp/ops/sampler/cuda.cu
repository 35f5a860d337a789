// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/sampler/backends.hpp"
#include "ffdp/ops/sampler/math.hpp"

namespace ffdp::sampler::cuda {
namespace {

/// One axis of the moving image, as threads compare with it.
struct Axis {
  float first, last;   ///< centres of the outer voxels
  float below, above;  ///< where the extent begins and ends
  float top;           ///< highest lower neighbour
  bool flat;           ///< one voxel
};

/// Where q(x) lies along one axis: as axis_cell, by constants.
struct Place {
  int lower;
  float fraction;
  bool inside, clamped;
};
__device__ inline Place place(float q, const Axis& axis) {
  const float c = fminf(fmaxf(q, axis.first), axis.last);  // NaN: first
  const float lower = fminf(floorf(c), axis.top);
  return {static_cast<int>(lower), c - lower, q >= axis.below && q < axis.above,
          !(q >= axis.first && q <= axis.last) || axis.flat};
}

struct Cell {
  Place z, y, x;
  bool held;  ///< its corners are stored
  __device__ bool inside() const { return z.inside && y.inside && x.inside; }
  __device__ bool counts() const { return inside() && held; }
};

/// What the corners are for: a value needs no upper neighbour at fraction 0 (it may not be stored),
/// a gradient always does.
enum class Need { value, gradient };

/// Finds the cell of a voxel of the fixed grid, and its corners. What lies beyond the moving image
/// has the cell at its edge.
/// @tparam Offset  32 bits where the moving image allows it
/// @tparam whole   every corner is stored; else those of a cell that is not held are all the first
///                 voxel that is stored, so that they can be read
template <class T, Need need, class Offset, bool whole>
struct Locator {
  using Storage = T;
  Affine map;
  float step[3], s[3][3];  ///< as RowMap
  Axis axis[3];
  View<const T> moving;
  float scale, offset;  ///< of the intensities
  float outside;
  VectorView<const float> u;

  Locator(const Params& p, const ImageView& image, VectorView<const float> displacement)
      : map(p.map),
        moving(image.as<T>()),
        scale(image.scale),
        offset(image.offset),
        outside(p.outside),
        u(displacement) {
    const RowMap row = row_map(p, 0, 0);
    for (int c = 0; c < 3; ++c) {
      step[c] = row.step[c];
      for (int k = 0; k < 3; ++k) s[c][k] = row.s[c][k];
      const int lo = p.moving_domain.lo[c], hi = p.moving_domain.hi[c];
      const auto first = static_cast<float>(lo), last = static_cast<float>(hi - 1);
      axis[c] = {
          first,       last, first - 0.5F, last + 0.5F, static_cast<float>(std::max(hi - 2, lo)),
          hi - lo == 1};
    }
  }

  /// q at x = 0 of a row, for u = 0.
  __device__ float start(int c, int z, int y) const { return row_start(map, c, z, y); }
  __device__ Cell operator()(const float (&row)[3], int z, int y, int x) const {
    float uz = 0, uy = 0, ux = 0;
    if (u) {
      const float* at = u.data + u[0].offset(z, y, x);
      uz = at[0];
      uy = at[u.stride_c];
      ux = at[2 * u.stride_c];
    }
    const float fx = static_cast<float>(x);
    const auto q = [&](int c) {
      return (row[c] + step[c] * fx) + (s[c][0] * uz + s[c][1] * uy + s[c][2] * ux);
    };
    Cell cell{place(q(0), axis[0]), place(q(1), axis[1]), place(q(2), axis[2]), true};
    if constexpr (!whole) cell.held = holds(cell.z, 0) && holds(cell.y, 1) && holds(cell.x, 2);
    return cell;
  }
  /// Whether a corner is read above the lower one along an axis.
  __device__ bool upper(const Place& along, int a) const {
    return whole || (need == Need::gradient ? !axis[a].flat : along.fraction > 0);
  }
  __device__ bool holds(const Place& along, int a) const {
    return along.lower >= moving.stored.lo[a] &&
           along.lower + (upper(along, a) ? 1 : 0) < moving.stored.hi[a];
  }
  __device__ Cell at(int z, int y, int x) const {
    const float row[3] = {start(0, z, y), start(1, z, y), start(2, z, y)};
    return (*this)(row, z, y, x);
  }
  __device__ void corners(const Cell& c, float (&v)[8]) const {
    const auto sz = static_cast<Offset>(moving.stride_z), sy = static_cast<Offset>(moving.stride_y);
    const Offset base = static_cast<Offset>(c.z.lower - moving.stored.lo[0]) * sz +
                        static_cast<Offset>(c.y.lower - moving.stored.lo[1]) * sy +
                        (c.x.lower - moving.stored.lo[2]);
    const bool held = whole || c.held;
    const T* d = moving.data + (held ? base : 0);
    const Offset dz = held && upper(c.z, 0) ? sz : 0, dy = held && upper(c.y, 1) ? sy : 0;
    const int dx = held && upper(c.x, 2) ? 1 : 0;
    const T *d1 = d + dy, *d2 = d + dz, *d3 = d2 + dy;
    v[0] = to_float(d[0]);
    v[1] = to_float(d[dx]);
    v[2] = to_float(d1[0]);
    v[3] = to_float(d1[dx]);
    v[4] = to_float(d2[0]);
    v[5] = to_float(d2[dx]);
    v[6] = to_float(d3[0]);
    v[7] = to_float(d3[dx]);
  }
  __device__ float value(const Cell& c) const {
    float v[8];
    corners(c, v);
    return offset + scale * trilinear(v, c.z.fraction, c.y.fraction, c.x.fraction);
  }
  /// Gradient of I at q times `factor`; zero outside and along clamped axes.
  __device__ Gradient3<float> gradient(const Cell& c, float factor) const {
    float v[8];
    corners(c, v);
    const auto d = trilinear_gradient(v, c.z.fraction, c.y.fraction, c.x.fraction);
    const float f = c.counts() ? factor * scale : 0.0F;
    return {c.z.clamped ? 0.0F : d.z * f, c.y.clamped ? 0.0F : d.y * f,
            c.x.clamped ? 0.0F : d.x * f};
  }
};

struct Count {
  std::int64_t value = 0;
  __device__ void operator+=(const Count& other) { value += other.value; }
};

/// body(locator) for the type and the storage of the moving image.
template <Need need, class Body>
auto with_locator(const Params& p, const ImageView& moving, VectorView<const float> u,
                  Body&& body) {
  const Box& domain = p.moving_domain;
  const bool whole = moving.stored.contains(domain) && domain.size(0) > 1 && domain.size(1) > 1 &&
                     domain.size(2) > 1;
  const bool small =
      moving.stride_z * moving.stored.size(0) < std::numeric_limits<std::int32_t>::max();
  return visit(moving, [&]<class T>(View<const T>) {
    if (whole && small) return body(Locator<T, need, std::int32_t, true>(p, moving, u));
    if (whole) return body(Locator<T, need, std::int64_t, true>(p, moving, u));
    return body(Locator<T, need, std::int64_t, false>(p, moving, u));
  });
}

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
  __device__ Made make(const float (&row)[3], int z, int y, int x) const {
    const Cell c = locate(row, z, y, x);
    const float value = locate.value(c);
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

template <class Locate>
struct ToDisplacement {
  Locate locate;
  float scale;
  View<const float> grad_warped;
  VectorView<float> grad_u;
  bool add;

  using Made = Gradient3<float>;
  __device__ Made make(const float (&row)[3], int z, int y, int x) const {
    return locate.gradient(locate(row, z, y, x), scale * grad_warped(z, y, x));
  }
  __device__ void put(int z, int y, int x, const Made& d) const {
    float sum[3];
    float* to = grad_u.data + grad_u[0].offset(z, y, x);
#pragma unroll
    for (int k = 0; k < 3; ++k)
      sum[k] = (add ? to[k * grad_u.stride_c] : 0.0F) +
               (locate.s[0][k] * d.z + locate.s[1][k] * d.y + locate.s[2][k] * d.x);
#pragma unroll
    for (int k = 0; k < 3; ++k) to[k * grad_u.stride_c] = sum[k];
  }
};

/// A block makes 32 x 8 columns of `planes` <= 64 voxels. Where its rows start in the moving image
/// is computed once, in double, into 6 KiB of shared memory; two voxels are made before one is
/// written, so that their gathers are in flight together.
template <class Op>
__global__ void __launch_bounds__(device::tile_threads, 6) rows_kernel(Op op, Box box, int planes) {
  __shared__ float starts[64 * device::tile_y][3];
  const int y0 = box.lo[1] + static_cast<int>(blockIdx.y) * device::tile_y;
  const int x = box.lo[2] + static_cast<int>(blockIdx.x) * device::tile_x + threadIdx.x;
  const int z_lo = box.lo[0] + static_cast<int>(blockIdx.z) * planes;
  const int z_hi = min(z_lo + planes, box.hi[0]), y = y0 + threadIdx.y;
  const int thread = threadIdx.y * device::tile_x + threadIdx.x;
  for (int i = thread; i < planes * device::tile_y; i += device::tile_threads)
#pragma unroll
    for (int c = 0; c < 3; ++c)
      starts[i][c] = op.locate.start(c, z_lo + i / device::tile_y, y0 + i % device::tile_y);
  __syncthreads();
  if (x >= box.hi[2] || y >= box.hi[1]) return;
  const float(*row)[3] = starts + threadIdx.y;
  int z = z_lo;
  for (; z + 1 < z_hi; z += 2, row += 2 * device::tile_y) {
    const auto first = op.make(row[0], z, y, x);
    const auto second = op.make(row[device::tile_y], z + 1, y, x);
    op.put(z, y, x, first);
    op.put(z + 1, y, x, second);
  }
  if (z < z_hi) op.put(z, y, x, op.make(row[0], z, y, x));
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

enum Slot { sums_slot = 0, largest_slot = 1 };

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
std::int64_t forward(Context& ctx, const Params& p, Box, Box compute, const ImageView& moving,
                     VectorView<const float> displacement, const Masks& masks, View<float> warped) {
  return with_locator<Need::value>(p, moving, displacement,
                                   [&]<class Locate>(const Locate& locate) {
                                     const Resample<Locate> one{locate, masks, warped};
                                     return device::sum_voxels<Count, 6>(ctx, compute, one).value;
                                   });
}

void forward_uncounted(Context& ctx, const Params& p, Box, Box compute, const ImageView& moving,
                       VectorView<const float> displacement, const Masks& masks,
                       View<float> warped) {
  with_locator<Need::value>(p, moving, displacement, [&]<class Locate>(const Locate& locate) {
    for_rows(ctx, compute, Resample<Locate>{locate, masks, warped});
  });
}

/// Reads u, moving, grad_warped (and grad_u), writes grad_u: 32 (44) B/voxel.
void backward_displacement(Context& ctx, const Params& p, Box, Box compute, float scale,
                           const ImageView& moving, VectorView<const float> displacement,
                           View<const float> grad_warped, VectorView<float> grad_u, Into into) {
  with_locator<Need::gradient>(p, moving, displacement, [&]<class Locate>(const Locate& locate) {
    for_rows(ctx, compute,
             ToDisplacement<Locate>{locate, scale, grad_warped, grad_u, into == Into::add});
  });
}

/// Reads 20 B/voxel; twelve sums in double a thread.
PlaneSums<AffineGradient> backward_affine(Context& ctx, const Params& p, Box, Box compute,
                                          const ImageView& moving,
                                          VectorView<const float> displacement,
                                          View<const float> grad_warped) {
  const auto total = with_locator<Need::gradient>(
      p, moving, displacement, [&]<class Locate>(const Locate& locate) {
        return device::sum_voxels<device::Sums<12>>(ctx, compute,
                                                    ToAffine<Locate>{locate, grad_warped});
      });
  AffineGradient result;
  for (int c = 0; c < 3; ++c) {
    for (int k = 0; k < 3; ++k) result.map[c][k] = total.v[4 * c + k];
    result.translation[c] = total.v[4 * c + 3];
  }
  return {{result}};
}

/// Scatters in fixed point, so that the order of the atomic additions does not matter: same bits at
/// every run. Reads 16 B/voxel of compute and moves 24 B/voxel of grad_moving; 8 B/voxel of
/// scratch.
void backward_moving(Context& ctx, const Params& p, Box, Box compute,
                     VectorView<const float> displacement, View<const float> grad_warped,
                     View<float> grad_moving) {
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

}  // namespace ffdp::sampler::cuda
