// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/vectors/backends.hpp"
#include "ffdp/ops/vectors/math.hpp"

namespace ffdp::vectors::cpu {
namespace {

/// body(z, y) for the rows of the box, on all threads.
template <class Body>
void for_rows(const Context& ctx, const Box& box, Body&& body) {
  parallel_for(ctx, box.size(0), [&](std::int64_t i, int) {
    for (int y = box.lo[1]; y < box.hi[1]; ++y) body(box.lo[0] + static_cast<int>(i), y);
  });
}

struct Largest {
  float value = 0;
  Largest& operator+=(const Largest& other) {
    value = std::max(value, other.value);
    return *this;
  }
};

}  // namespace

void transform(Context& ctx, Box box, const Mat3& m, float limit, VectorView<const float> in,
               VectorView<float> out) {
  for_rows(ctx, box, [&](int z, int y) {
    const float* from[3] = {in[0].row(z, y), in[1].row(z, y), in[2].row(z, y)};
    float* to[3] = {out[0].row(z, y), out[1].row(z, y), out[2].row(z, y)};
#pragma omp simd
    for (int x = box.lo[2]; x < box.hi[2]; ++x) {
      const float v[3] = {from[0][x], from[1][x], from[2][x]};
      float r[3];
      transformed(m, limit, v, r);
      to[0][x] = r[0];
      to[1][x] = r[1];
      to[2][x] = r[2];
    }
  });
}

void component(Context& ctx, Box box, const Vec3& row, VectorView<const float> in,
               View<float> out) {
  for_rows(ctx, box, [&](int z, int y) {
    const float *a = in[0].row(z, y), *b = in[1].row(z, y), *c = in[2].row(z, y);
    float* to = out.row(z, y);
#pragma omp simd
    for (int x = box.lo[2]; x < box.hi[2]; ++x) to[x] = product(row, a[x], b[x], c[x]);
  });
}

void average(Context& ctx, Box box, VectorView<float> a, VectorView<const float> b) {
  for_rows(ctx, box, [&](int z, int y) {
    for (int c = 0; c < 3; ++c) {
      float* p = a[c].row(z, y);
      const float* q = b[c].row(z, y);
#pragma omp simd
      for (int x = box.lo[2]; x < box.hi[2]; ++x) p[x] = 0.5F * (p[x] + q[x]);
    }
  });
}

void copy(Context& ctx, Box box, VectorView<const float> from, VectorView<float> to) {
  for_rows(ctx, box, [&](int z, int y) {
    for (int c = 0; c < 3; ++c)
      std::copy_n(from[c].row(z, y) + box.lo[2], box.size(2), to[c].row(z, y) + box.lo[2]);
  });
}

void zero(Context& ctx, Box box, VectorView<float> field) {
  for_rows(ctx, box, [&](int z, int y) {
    for (int c = 0; c < 3; ++c) std::fill_n(field[c].row(z, y) + box.lo[2], box.size(2), 0.0F);
  });
}

float largest(Context& ctx, Box box, VectorView<const float> field) {
  return parallel_sum<Largest>(ctx, box.size(0),
                               [&](std::int64_t i, int) {
                                 const int z = box.lo[0] + static_cast<int>(i);
                                 float most = 0;
                                 for (int c = 0; c < 3; ++c)
                                   for (int y = box.lo[1]; y < box.hi[1]; ++y) {
                                     const float* row = field[c].row(z, y);
#pragma omp simd reduction(max : most)
                                     for (int x = box.lo[2]; x < box.hi[2]; ++x) {
                                       const float size = std::abs(row[x]);
                                       most = size > most ? size : most;
                                     }
                                   }
                                 return Largest{most};
                               })
      .value;
}

}  // namespace ffdp::vectors::cpu
