// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/sampler/backends.hpp"
#include "ffdp/ops/sampler/math.hpp"

namespace ffdp::sampler::cuda {
namespace {

/// Where q(x) lies in the moving image.
struct Cell {
  std::int64_t base, dz, dy;
  int dx;
  AxisCell z, y, x;
  bool inside;
};

/// What the corners are for: a value needs no upper neighbour at fraction 0 (it may not be stored),
/// a gradient always does.
enum class Need { value, gradient };

template <Need need>
__device__ bool upper(const AxisCell& cell, int size) {
  return need == Need::gradient ? size > 1 : cell.fraction > 0;
}

/// Finds the cell of a voxel of the fixed grid. Params hold doubles that threads read from constant
/// memory; everything that does not depend on z leaves the loop over z.
template <class T, Need need>
struct Locator {
  Params p;
  View<const T> moving;
  float scale, offset;  ///< of the intensities
  VectorView<const float> u;

  __device__ Cell operator()(const RowMap& map, int z, int y, int x) const {
    float uz = 0, uy = 0, ux = 0;
    if (u) {
      const std::int64_t at = u[0].offset(z, y, x);
      uz = u.data[at];
      uy = u.data[at + u.stride_c];
      ux = u.data[at + 2 * u.stride_c];
    }
    const Box& box = p.moving_domain;
    const float fx = static_cast<float>(x);
    Cell c;
    c.z = axis_cell(mapped(map, 0, fx, uz, uy, ux), box.lo[0], box.hi[0]);
    c.y = axis_cell(mapped(map, 1, fx, uz, uy, ux), box.lo[1], box.hi[1]);
    c.x = axis_cell(mapped(map, 2, fx, uz, uy, ux), box.lo[2], box.hi[2]);
    c.inside = c.z.inside && c.y.inside && c.x.inside;
    // Outside, any valid address will do: the value is not used.
    c.base = c.inside ? moving.offset(c.z.lower, c.y.lower, c.x.lower) : 0;
    c.dz = c.inside && upper<need>(c.z, box.size(0)) ? moving.stride_z : 0;
    c.dy = c.inside && upper<need>(c.y, box.size(1)) ? moving.stride_y : 0;
    c.dx = c.inside && upper<need>(c.x, box.size(2)) ? 1 : 0;
    return c;
  }
  __device__ void corners(const Cell& c, float (&v)[8]) const {
    const T* d = moving.data + c.base;
    v[0] = to_float(d[0]);
    v[1] = to_float(d[c.dx]);
    v[2] = to_float(d[c.dy]);
    v[3] = to_float(d[c.dy + c.dx]);
    v[4] = to_float(d[c.dz]);
    v[5] = to_float(d[c.dz + c.dx]);
    v[6] = to_float(d[c.dz + c.dy]);
    v[7] = to_float(d[c.dz + c.dy + c.dx]);
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
    const float f = c.inside ? factor * scale : 0.0F;
    return {c.z.clamped ? 0.0F : d.z * f, c.y.clamped ? 0.0F : d.y * f,
            c.x.clamped ? 0.0F : d.x * f};
  }
};

struct Count {
  std::int64_t value = 0;
  __device__ void operator+=(const Count& other) { value += other.value; }
};

/// body(locator) with the type of the moving image.
template <Need need, class Body>
auto with_locator(const Params& p, const ImageView& moving, VectorView<const float> u,
                  Body&& body) {
  return visit(moving, [&]<class T>(View<const T> image) {
    return body(Locator<T, need>{p, image, moving.scale, moving.offset, u});
  });
}

/// Writes one voxel, and counts those outside.
template <class T>
struct Resample {
  Locator<T, Need::value> locate;
  Masks masks;
  View<float> warped;

  __device__ void operator()(int z, int y, int x) const {
    Count ignored;
    (*this)(z, y, x, ignored);
  }
  __device__ void operator()(int z, int y, int x, Count& outside) const {
    const Cell c = locate(row_map(locate.p, z, y), z, y, x);
    const float value = locate.value(c);
    bool valid = c.inside && value == value;
    if (masks.fixed) valid = valid && masks.fixed(z, y, x) != 0;
    if (masks.moving && valid)
      valid = masks.moving(c.z.lower + (c.z.fraction >= 0.5F), c.y.lower + (c.y.fraction >= 0.5F),
                           c.x.lower + (c.x.fraction >= 0.5F)) != 0;
    outside.value += !valid;
    warped(z, y, x) = valid ? value : locate.p.outside;
  }
};

template <class T>
struct ToDisplacement {
  Locator<T, Need::gradient> locate;
  float scale;
  View<const float> grad_warped;
  VectorView<float> grad_u;
  bool add;

  __device__ void operator()(int z, int y, int x) const {
    const RowMap map = row_map(locate.p, z, y);
    const auto d = locate.gradient(locate(map, z, y, x), scale * grad_warped(z, y, x));
    float sum[3];
    float* to = grad_u.data + grad_u[0].offset(z, y, x);
#pragma unroll
    for (int k = 0; k < 3; ++k)
      sum[k] = (add ? to[k * grad_u.stride_c] : 0.0F) +
               (map.s[0][k] * d.z + map.s[1][k] * d.y + map.s[2][k] * d.x);
#pragma unroll
    for (int k = 0; k < 3; ++k) to[k * grad_u.stride_c] = sum[k];
  }
};

template <class T>
struct ToAffine {
  Locator<T, Need::gradient> locate;
  View<const float> grad_warped;

  __device__ void operator()(int z, int y, int x, device::Sums<12>& sum) const {
    const auto g = locate.gradient(locate(row_map(locate.p, z, y), z, y, x), grad_warped(z, y, x));
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

}  // namespace

/// Reads u and the moving image, writes the warped one: 20 B/voxel; corners come from the caches.
std::int64_t forward(Context& ctx, const Params& p, Box, Box compute, const ImageView& moving,
                     VectorView<const float> displacement, const Masks& masks, View<float> warped) {
  return with_locator<Need::value>(p, moving, displacement,
                                   [&]<class T>(const Locator<T, Need::value>& locate) {
                                     const Resample<T> one{locate, masks, warped};
                                     return device::sum_voxels<Count, 6>(ctx, compute, one).value;
                                   });
}

void forward_uncounted(Context& ctx, const Params& p, Box, Box compute, const ImageView& moving,
                       VectorView<const float> displacement, const Masks& masks,
                       View<float> warped) {
  with_locator<Need::value>(p, moving, displacement,
                            [&]<class T>(const Locator<T, Need::value>& locate) {
                              const Resample<T> one{locate, masks, warped};
                              device::for_each_voxel<6>(ctx, compute, one);
                            });
}

/// Reads u, moving, grad_warped (and grad_u), writes grad_u: 32 (44) B/voxel.
void backward_displacement(Context& ctx, const Params& p, Box, Box compute, float scale,
                           const ImageView& moving, VectorView<const float> displacement,
                           View<const float> grad_warped, VectorView<float> grad_u, Into into) {
  with_locator<Need::gradient>(
      p, moving, displacement, [&]<class T>(const Locator<T, Need::gradient>& locate) {
        const ToDisplacement<T> one{locate, scale, grad_warped, grad_u, into == Into::add};
        device::for_each_voxel<6>(ctx, compute, one);
      });
}

/// Reads 20 B/voxel; twelve sums in double a thread.
AffineGradient backward_affine(Context& ctx, const Params& p, Box, Box compute,
                               const ImageView& moving, VectorView<const float> displacement,
                               View<const float> grad_warped) {
  const auto total = with_locator<Need::gradient>(
      p, moving, displacement, [&]<class T>(const Locator<T, Need::gradient>& locate) {
        const ToAffine<T> one{locate, grad_warped};
        return device::sum_voxels<device::Sums<12>>(ctx, compute, one);
      });
  AffineGradient result;
  for (int c = 0; c < 3; ++c) {
    for (int k = 0; k < 3; ++k) result.map[c][k] = total.v[4 * c + k];
    result.translation[c] = total.v[4 * c + 3];
  }
  return result;
}

void backward_moving(Context&, const Params&, Box, Box, VectorView<const float>, View<const float>,
                     View<float>) {
  throw NotBuilt("sampler: backward_moving has no CUDA implementation, only one for the CPU");
}

}  // namespace ffdp::sampler::cuda
