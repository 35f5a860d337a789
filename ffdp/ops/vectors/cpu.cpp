// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/vectors/backends.hpp"
#include "ffdp/ops/vectors/math.hpp"

namespace ffdp::vectors {
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

template <>
void On<Backend::cpu>::transform(Context& ctx, Box box, const Mat3& m, float limit,
                                 VectorView<const float> in, VectorView<float> out) {
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

template <>
void On<Backend::cpu>::component(Context& ctx, Box box, const Vec3& row, VectorView<const float> in,
                                 View<float> out) {
  for_rows(ctx, box, [&](int z, int y) {
    const float *a = in[0].row(z, y), *b = in[1].row(z, y), *c = in[2].row(z, y);
    float* to = out.row(z, y);
#pragma omp simd
    for (int x = box.lo[2]; x < box.hi[2]; ++x) to[x] = product(row, a[x], b[x], c[x]);
  });
}

template <>
void On<Backend::cpu>::average(Context& ctx, Box box, VectorView<float> a,
                               VectorView<const float> b) {
  for_rows(ctx, box, [&](int z, int y) {
    for (int c = 0; c < 3; ++c) {
      float* p = a[c].row(z, y);
      const float* q = b[c].row(z, y);
#pragma omp simd
      for (int x = box.lo[2]; x < box.hi[2]; ++x) p[x] = 0.5F * (p[x] + q[x]);
    }
  });
}

template <>
void On<Backend::cpu>::copy(Context& ctx, Box box, VectorView<const float> from,
                            VectorView<float> to) {
  for_rows(ctx, box, [&](int z, int y) {
    for (int c = 0; c < 3; ++c)
      std::copy_n(from[c].row(z, y) + box.lo[2], box.size(2), to[c].row(z, y) + box.lo[2]);
  });
}

template <>
void On<Backend::cpu>::zero(Context& ctx, Box box, VectorView<float> field) {
  for_rows(ctx, box, [&](int z, int y) {
    for (int c = 0; c < 3; ++c) std::fill_n(field[c].row(z, y) + box.lo[2], box.size(2), 0.0F);
  });
}

template <>
float On<Backend::cpu>::largest(Context& ctx, Box box, VectorView<const float> field) {
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

template <>
Extent On<Backend::cpu>::extent(Context& ctx, Box box, VectorView<const float> field) {
  struct Widest {
    Extent e = no_extent();
    Widest& operator+=(const Widest& other) {
      for (int c = 0; c < 3; ++c) {
        widen(e, c, other.e.lo[c]);
        widen(e, c, other.e.hi[c]);
      }
      return *this;
    }
  };
  return parallel_sum<Widest>(ctx, box.size(0),
                              [&](std::int64_t i, int) {
                                const int z = box.lo[0] + static_cast<int>(i);
                                Widest widest;
                                for (int c = 0; c < 3; ++c) {
                                  float lo = widest.e.lo[c], hi = widest.e.hi[c];
                                  for (int y = box.lo[1]; y < box.hi[1]; ++y) {
                                    const float* row = field[c].row(z, y);
#pragma omp simd reduction(min : lo) reduction(max : hi)
                                    for (int x = box.lo[2]; x < box.hi[2]; ++x) {
                                      lo = row[x] < lo ? row[x] : lo;
                                      hi = row[x] > hi ? row[x] : hi;
                                    }
                                  }
                                  widest.e.lo[c] = lo;
                                  widest.e.hi[c] = hi;
                                }
                                return widest;
                              })
      .e;
}

template <>
template <class T>
PlaneSums<double> On<Backend::cpu>::sum_squares(Context& ctx, Box box, VectorView<const T> field) {
  return plane_sums<double>(ctx, box.size(0), [&](std::int64_t i, int) {
    const int z = box.lo[0] + static_cast<int>(i);
    double sum = 0;
    for (int y = box.lo[1]; y < box.hi[1]; ++y) {
      const T *a = field[0].row(z, y), *b = field[1].row(z, y), *c = field[2].row(z, y);
#pragma omp simd reduction(+ : sum)
      for (int x = box.lo[2]; x < box.hi[2]; ++x)
        sum += double{squared_length(to_float(a[x]), to_float(b[x]), to_float(c[x]))};
    }
    return sum;
  });
}
template decltype(On<Backend::cpu>::sum_squares<float>) On<Backend::cpu>::sum_squares<float>;
template decltype(On<Backend::cpu>::sum_squares<Half>) On<Backend::cpu>::sum_squares<Half>;

}  // namespace ffdp::vectors
