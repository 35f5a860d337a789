// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/points/math.hpp"

namespace ffdp::transforms {
namespace {

constexpr int sinc_radius = 3;

double sinc(double x) { return x == 0 ? 1 : std::sin(x) / x; }

double window_at(Window window, double t) {
  constexpr double pi = std::numbers::pi;
  switch (window) {
    case Window::hamming:
      return 0.54 + 0.46 * std::cos(pi * t / sinc_radius);
    case Window::cosine:
      return std::cos(pi * t / (2 * sinc_radius));
    case Window::welch:
      return 1 - t * t / (sinc_radius * sinc_radius);
    case Window::lanczos:
      return sinc(pi * t / sinc_radius);
  }
  return 0;
}

/// The centred B-spline of an order at x, by its recursion.
double bspline_at(int order, double x) {
  if (order == 0) return x >= -0.5 && x < 0.5 ? 1 : 0;
  const double half = 0.5 * (order + 1);
  if (std::abs(x) >= half) return 0;
  return ((half + x) * bspline_at(order - 1, x + 0.5) +
          (half - x) * bspline_at(order - 1, x - 0.5)) /
         order;
}

points::SplinePole spline_pole(double pole) {
  return {pole, (1 - pole) * (1 - 1 / pole),
          static_cast<int>(std::ceil(std::log(1e-16) / std::log(std::abs(pole))))};
}

/// The poles of the filter that makes coefficients (Unser 1993, doi:10.1109/78.193220).
std::vector<points::SplinePole> poles(int order) {
  switch (order) {
    case 2:
      return {spline_pole(std::sqrt(8.0) - 3)};
    case 3:
      return {points::SplinePole{}};
    case 4:
      return {spline_pole(std::sqrt(664 - std::sqrt(438976.0)) + std::sqrt(304.0) - 19),
              spline_pole(std::sqrt(664 + std::sqrt(438976.0)) - std::sqrt(304.0) - 19)};
    case 5:
      return {spline_pole(std::sqrt(67.5 - std::sqrt(4436.25)) + std::sqrt(26.25) - 6.5),
              spline_pole(std::sqrt(67.5 + std::sqrt(4436.25)) - std::sqrt(26.25) - 6.5)};
    default:
      return {};
  }
}

template <class T>
void filter(const std::vector<points::SplinePole>& poles, T* line, int n, std::int64_t stride) {
  for (const points::SplinePole& pole : poles) points::filter_line(line, n, stride, pole);
}

}  // namespace

void axis_weights(const Kernel& kernel, int axis, double q, int lo, int hi, AxisWeights& w) {
  w.index.clear();
  w.weight.clear();
  const auto add = [&](int index, double weight) {
    w.index.push_back(index);
    w.weight.push_back(weight);
  };
  const int base = static_cast<int>(std::floor(q));
  if (kernel.kind == Kernel::Kind::sinc) {
    for (int i = std::max(base + 1 - sinc_radius, lo); i <= std::min(base + sinc_radius, hi - 1);
         ++i)
      add(i, sinc(std::numbers::pi * (q - i)) * window_at(kernel.window, q - i));
    return;
  }
  if (kernel.kind == Kernel::Kind::bspline) {
    const int first = static_cast<int>(std::floor(q - 0.5 * (kernel.order - 1)));
    for (int i = first; i <= first + kernel.order; ++i)
      add(points::mirror_index(i, lo, hi), bspline_at(kernel.order, q - i));
    return;
  }
  const double sigma = kernel.sigma[axis], cut = kernel.alpha * sigma;
  const double scale = 1 / (std::numbers::sqrt2 * sigma);
  const int first = std::max(static_cast<int>(std::floor(q + 0.5 - cut)), lo);
  const int end = std::min(static_cast<int>(std::ceil(q + 0.5 + cut)), hi);
  double sum = 0, below = std::erf((first - 0.5 - q) * scale);
  for (int i = first; i < end; ++i) {
    const double above = std::erf((i + 0.5 - q) * scale);
    add(i, above - below);
    sum += above - below;
    below = above;
  }
  for (double& weight : w.weight) weight /= sum;
}

template <class T>
void filter_planes(Context& ctx, int order, View<T> image) {
  const std::vector<points::SplinePole> all = poles(order);
  const int ny = image.stored.size(1), nx = image.stored.size(2);
  parallel_for(ctx, image.stored.size(0), [&](std::int64_t z, int) {
    T* const plane = image.data + z * image.stride_z;
    for (int y = 0; y < ny; ++y) filter(all, plane + y * image.stride_y, nx, 1);
    for (int x = 0; x < nx; ++x) filter(all, plane + x, ny, image.stride_y);
  });
}

template <class T>
void filter_columns(Context& ctx, int order, View<T> image) {
  const std::vector<points::SplinePole> all = poles(order);
  const int nz = image.stored.size(0), nx = image.stored.size(2);
  parallel_for(ctx, image.stored.size(1), [&](std::int64_t y, int) {
    for (int x = 0; x < nx; ++x)
      filter(all, image.data + y * image.stride_y + x, nz, image.stride_z);
  });
}

void spline_coefficients(Context& ctx, int order, View<double> image) {
  require(order >= 0 && order <= 5,
          "bspline: order " + std::to_string(order) + ", 0 to 5 is wanted");
  filter_planes(ctx, order, image);
  filter_columns(ctx, order, image);
}

template void filter_planes(Context&, int, View<float>);
template void filter_planes(Context&, int, View<double>);
template void filter_columns(Context&, int, View<float>);
template void filter_columns(Context&, int, View<double>);

}  // namespace ffdp::transforms
