// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <vector>

#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/points/backends.hpp"
#include "ffdp/ops/points/math.hpp"

namespace ffdp::points {
namespace {

/// out[i] = value(point) inside, fill outside.
template <class Out, class Value>
void fill_or(const Context& ctx, const Box& domain, std::span<const Vec3> points, Out fill,
             std::span<Out> out, Value&& value) {
  parallel_for_many(ctx, points.size(), [&](std::size_t i) {
    out[i] = inside(domain, points[i]) ? value(points[i]) : fill;
  });
}

}  // namespace

template <>
template <class T>
void On<Backend::cpu>::sample(Context& ctx, const Params& params, const Box& domain,
                              View<const T> image, std::span<const Vec3> points,
                              std::span<double> out) {
  const auto run = [&](auto value) { fill_or(ctx, domain, points, params.fill, out, value); };
  const auto wide = [&](auto taps) {
    run([&, taps](const Vec3& q) {
      return tensor_value(image, taps(q[0], domain.lo[0], domain.hi[0]),
                          taps(q[1], domain.lo[1], domain.hi[1]),
                          taps(q[2], domain.lo[2], domain.hi[2]));
    });
  };
  switch (params.mode) {
    case Mode::linear:
      return run([&](const Vec3& q) { return linear_value(image, linear_taps(domain, q)); });
    case Mode::nearest:
      return run(
          [&](const Vec3& q) { return static_cast<double>(nearest_value(image, domain, q)); });
    case Mode::bspline:
      return wide([](double q, int lo, int hi) { return bspline_taps(q, lo, hi); });
    case Mode::sinc:
      return wide([](double q, int lo, int hi) { return sinc_taps(q, lo, hi); });
  }
}

template <>
template <class T>
void On<Backend::cpu>::nearest_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                                     std::span<const Vec3> points, std::span<T> out) {
  fill_or(ctx, domain, points, fill, out,
          [&](const Vec3& q) { return nearest_value(image, domain, q); });
}

template <>
template <class T>
void On<Backend::cpu>::vote_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                                  std::span<const Vec3> points, std::span<T> out) {
  fill_or(ctx, domain, points, fill, out,
          [&](const Vec3& q) { return vote_value(image, domain, q); });
}

template <>
void On<Backend::cpu>::sample_vectors(Context& ctx, const Box& domain,
                                      VectorView<const float> field, std::span<const Vec3> points,
                                      std::span<Vec3> vectors) {
  const std::array<View<const float>, 3> component{field[0], field[1], field[2]};
  parallel_for_many(ctx, points.size(), [&](std::size_t i) {
    Vec3 v{};
    if (inside(domain, points[i])) {
      const LinearTaps taps = linear_taps(domain, points[i]);
      for (std::size_t c = 0; c < 3; ++c) v[c] = linear_value(component[c], taps);
    }
    vectors[i] = v;
  });
}

template <>
template <class T>
void On<Backend::cpu>::bspline_coefficients(Context& ctx, View<T> image) {
  const Box& box = image.stored;
  const int nz = box.size(0), ny = box.size(1), nx = box.size(2);
  T* const data = image.data;
  parallel_for(ctx, nz, [&](std::int64_t z, int) {
    T* const plane = data + z * image.stride_z;
    for (int y = 0; y < ny; ++y) filter_line(plane + y * image.stride_y, nx, 1);
    for (int x = 0; x < nx; ++x) filter_line(plane + x, ny, image.stride_y);
  });
  parallel_for(ctx, ny, [&](std::int64_t y, int) {
    for (int x = 0; x < nx; ++x) filter_line(data + y * image.stride_y + x, nz, image.stride_z);
  });
}

using here = On<Backend::cpu>;
#include "ffdp/ops/points/instances.inc"

}  // namespace ffdp::points
