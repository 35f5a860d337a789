// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "ffdp/core/cuda_check.hpp"
#include "ffdp/ops/points/backends.hpp"
#include "ffdp/ops/points/math.hpp"

namespace ffdp::points {
namespace {

enum Slot { points_slot, results_slot };
constexpr int threads = 256;

template <class Out, class Make>
__global__ void __launch_bounds__(threads)
    points_kernel(const Vec3* points, std::int64_t count, Make make, Out* out) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < count) out[i] = make(points[i]);
}

/// out[i] = make(points[i]), both on the host: 24 B per point are uploaded and sizeof(Out)
/// downloaded.
template <class Out, class Make>
void for_each_point(Context& ctx, std::span<const Vec3> points, std::span<Out> out,
                    const Make& make) {
  if (points.empty()) return;
  auto* there = ctx.scratch<Vec3>(points_slot, points.size());
  auto* results = ctx.scratch<Out>(results_slot, out.size());
  const auto stream = stream_of(ctx);
  check(cudaMemcpyAsync(there, points.data(), points.size_bytes(), cudaMemcpyHostToDevice, stream));
  const auto count = std::ssize(points);
  points_kernel<<<static_cast<unsigned int>((count + threads - 1) / threads), threads, 0, stream>>>(
      there, count, make, results);
  check(cudaGetLastError());
  check(cudaMemcpyAsync(out.data(), results, out.size_bytes(), cudaMemcpyDeviceToHost, stream));
  check(cudaStreamSynchronize(stream));
}

/// One line per thread: the lines base + i0 * stride0 + i1 * stride1, of n voxels `stride` apart.
template <class T>
__global__ void __launch_bounds__(threads)
    filter_kernel(T* base, int n0, std::int64_t stride0, int n1, std::int64_t stride1, int n,
                  std::int64_t stride) {
  const std::int64_t line = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (line < std::int64_t{n0} * n1)
    filter_line(base + line / n1 * stride0 + line % n1 * stride1, n, stride);
}

}  // namespace

template <>
template <class T>
void On<Backend::cuda>::sample(Context& ctx, const Params& params, const Box& domain,
                               View<const T> image, std::span<const Vec3> points,
                               std::span<double> out) {
  const double fill = params.fill;
  switch (params.mode) {
    case Mode::linear:
      return for_each_point(ctx, points, out, [=] __device__(const Vec3& q) {
        return inside(domain, q) ? linear_value(image, linear_taps(domain, q)) : fill;
      });
    case Mode::nearest:
      return for_each_point(ctx, points, out, [=] __device__(const Vec3& q) {
        return inside(domain, q) ? static_cast<double>(nearest_value(image, domain, q)) : fill;
      });
    case Mode::bspline:
      return for_each_point(ctx, points, out, [=] __device__(const Vec3& q) {
        return inside(domain, q)
                   ? tensor_value(image, bspline_taps(q[0], domain.lo[0], domain.hi[0]),
                                  bspline_taps(q[1], domain.lo[1], domain.hi[1]),
                                  bspline_taps(q[2], domain.lo[2], domain.hi[2]))
                   : fill;
      });
    case Mode::sinc:
      return for_each_point(ctx, points, out, [=] __device__(const Vec3& q) {
        return inside(domain, q) ? tensor_value(image, sinc_taps(q[0], domain.lo[0], domain.hi[0]),
                                                sinc_taps(q[1], domain.lo[1], domain.hi[1]),
                                                sinc_taps(q[2], domain.lo[2], domain.hi[2]))
                                 : fill;
      });
  }
}

template <>
template <class T>
void On<Backend::cuda>::nearest_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                                      std::span<const Vec3> points, std::span<T> out) {
  for_each_point(ctx, points, out, [=] __device__(const Vec3& q) {
    return inside(domain, q) ? nearest_value(image, domain, q) : fill;
  });
}

template <>
template <class T>
void On<Backend::cuda>::vote_label(Context& ctx, const Box& domain, View<const T> image, T fill,
                                   std::span<const Vec3> points, std::span<T> out) {
  for_each_point(ctx, points, out, [=] __device__(const Vec3& q) {
    return inside(domain, q) ? vote_value(image, domain, q) : fill;
  });
}

template <>
void On<Backend::cuda>::sample_vectors(Context& ctx, const Box& domain,
                                       VectorView<const float> field, std::span<const Vec3> points,
                                       std::span<Vec3> vectors) {
  for_each_point(ctx, points, vectors, [=] __device__(const Vec3& q) {
    Vec3 v{};
    if (!inside(domain, q)) return v;
    const LinearTaps taps = linear_taps(domain, q);
    for (int c = 0; c < 3; ++c) v[c] = linear_value(field[c], taps);
    return v;
  });
}

template <>
template <class T>
void On<Backend::cuda>::bspline_coefficients(Context& ctx, View<T> image) {
  const Int3 n = {image.stored.size(0), image.stored.size(1), image.stored.size(2)};
  const std::int64_t stride[3] = {image.stride_z, image.stride_y, 1};
  for (const int axis : {2, 1, 0}) {
    const int a = axis == 0 ? 1 : 0, b = axis == 2 ? 1 : 2;
    const std::int64_t lines = std::int64_t{n[a]} * n[b];
    filter_kernel<<<static_cast<unsigned int>((lines + threads - 1) / threads), threads, 0,
                    stream_of(ctx)>>>(image.data, n[a], stride[a], n[b], stride[b], n[axis],
                                      stride[axis]);
    check(cudaGetLastError());
  }
}

using here = On<Backend::cuda>;
#include "ffdp/ops/points/instances.inc"

}  // namespace ffdp::points
