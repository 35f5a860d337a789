// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/vectors/backends.hpp"
#include "ffdp/ops/vectors/math.hpp"

namespace ffdp::vectors {
namespace {

struct Largest {
  float value = 0;
  __device__ void operator+=(const Largest& other) { value = fmaxf(value, other.value); }
};

struct Widest {
  Extent e = no_extent();
  __device__ void operator+=(const Widest& other) {
    for (int c = 0; c < 3; ++c) {
      e.lo[c] = fminf(e.lo[c], other.e.lo[c]);
      e.hi[c] = fmaxf(e.hi[c], other.e.hi[c]);
    }
  }
};

}  // namespace

/// Reads 12 and writes 12 B/voxel.
template <>
void On<Backend::cuda>::transform(Context& ctx, Box box, const Mat3& m, float limit,
                                  VectorView<const float> in, VectorView<float> out) {
  const Mat3 matrix = m;
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    const float v[3] = {in[0](z, y, x), in[1](z, y, x), in[2](z, y, x)};
    float r[3];
    transformed(matrix, limit, v, r);
    for (int c = 0; c < 3; ++c) out[c](z, y, x) = r[c];
  });
}

/// Reads 12 and writes 4 B/voxel.
template <>
void On<Backend::cuda>::component(Context& ctx, Box box, const Vec3& row_in,
                                  VectorView<const float> in, View<float> out) {
  const Vec3 row = row_in;
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    out(z, y, x) = product(row, in[0](z, y, x), in[1](z, y, x), in[2](z, y, x));
  });
}

/// Reads 24 and writes 12 B/voxel.
template <>
void On<Backend::cuda>::average(Context& ctx, Box box, VectorView<float> a,
                                VectorView<const float> b) {
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    for (int c = 0; c < 3; ++c) a[c](z, y, x) = 0.5F * (a[c](z, y, x) + b[c](z, y, x));
  });
}

/// Reads 12 and writes 12 B/voxel.
template <>
void On<Backend::cuda>::copy(Context& ctx, Box box, VectorView<const float> from,
                             VectorView<float> to) {
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    for (int c = 0; c < 3; ++c) to[c](z, y, x) = from[c](z, y, x);
  });
}

/// Writes 12 B/voxel.
template <>
void On<Backend::cuda>::zero(Context& ctx, Box box, VectorView<float> field) {
  device::for_each_voxel(ctx, box, [=] __device__(int z, int y, int x) {
    for (int c = 0; c < 3; ++c) field[c](z, y, x) = 0;
  });
}

/// Reads 12 B/voxel.
template <>
float On<Backend::cuda>::largest(Context& ctx, Box box, VectorView<const float> field) {
  return device::sum_voxels<Largest>(ctx, box,
                                     [=] __device__(int z, int y, int x, Largest& most) {
                                       for (int c = 0; c < 3; ++c)
                                         most.value = fmaxf(most.value, fabsf(field[c](z, y, x)));
                                     })
      .value;
}

/// Reads 12 B/voxel.
template <>
Extent On<Backend::cuda>::extent(Context& ctx, Box box, VectorView<const float> field) {
  return device::sum_voxels<Widest>(ctx, box,
                                    [=] __device__(int z, int y, int x, Widest& widest) {
                                      for (int c = 0; c < 3; ++c)
                                        widen(widest.e, c, field[c](z, y, x));
                                    })
      .e;
}

/// Reads 12 B/voxel, Half 6.
template <>
template <class T>
PlaneSums<double> On<Backend::cuda>::sum_squares(Context& ctx, Box box, VectorView<const T> field) {
  return {device::plane_sums<double>(ctx, box, [=] __device__(int z, int y, int x, double& sum) {
    sum += double{squared_length(to_float(field[0](z, y, x)), to_float(field[1](z, y, x)),
                                 to_float(field[2](z, y, x)))};
  })};
}
template decltype(On<Backend::cuda>::sum_squares<float>) On<Backend::cuda>::sum_squares<float>;
template decltype(On<Backend::cuda>::sum_squares<Half>) On<Backend::cuda>::sum_squares<Half>;

}  // namespace ffdp::vectors
