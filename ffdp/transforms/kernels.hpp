// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <vector>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"

/// Interpolation by separable kernels of any width, with ITK's definitions. The weight of a voxel
/// is the product of one weight per axis. `apply` uses them to resample images, on the CPU.
namespace ffdp::transforms {

enum class Window { hamming, cosine, welch, lanczos };

struct Kernel {
  enum class Kind {
    sinc,      ///< windowed, radius 3; weights are not normalised, voxels outside count as 0
    gaussian,  ///< integrals over the voxels within alpha sigma, scaled to sum 1
    bspline,   ///< of B-spline coefficients, mirrored at the edges
  };
  Kind kind = Kind::bspline;
  Window window = Window::hamming;  ///< sinc
  int order = 3;                    ///< bspline, 0 to 5
  Vec3 sigma{1, 1, 1};              ///< gaussian, z, y, x [voxels]
  double alpha = 1;                 ///< gaussian: cut-off [sigma]
};

/// Voxels along one axis and their weights.
struct AxisWeights {
  std::vector<int> index;
  std::vector<double> weight;
};

/// The voxels of [lo, hi) that a sample at `q` needs along an axis (0 to 2), and their weights.
void axis_weights(const Kernel& kernel, int axis, double q, int lo, int hi, AxisWeights& weights);

/// Weights along z, y and x of a point. The memory is used again for the next point.
using PointWeights = std::array<AxisWeights, 3>;

/// Calls body(value, weight) for every voxel that a sample at `q` needs.
/// @param image  [z,y,x] stored over all of `domain`
/// @param q      continuous index (z, y, x) inside the domain [voxels]
template <class T, class Body>
void for_each_weight(const Kernel& kernel, const Box& domain, const View<const T>& image,
                     const Vec3& q, PointWeights& w, const Body& body) {
  for (int axis = 0; axis < 3; ++axis)
    axis_weights(kernel, axis, q[axis], domain.lo[axis], domain.hi[axis], w[axis]);
  for (std::size_t k = 0; k < w[0].index.size(); ++k)
    for (std::size_t j = 0; j < w[1].index.size(); ++j) {
      const T* row = image.row(w[0].index[k], w[1].index[j]);
      const double plane = w[0].weight[k] * w[1].weight[j];
      for (std::size_t i = 0; i < w[2].index.size(); ++i)
        body(row[w[2].index[i]], plane * w[2].weight[i]);
    }
}

/// The interpolated value at `q`, which lies inside the domain.
template <class T>
double kernel_value(const Kernel& kernel, const Box& domain, const View<const T>& image,
                    const Vec3& q, PointWeights& scratch) {
  double sum = 0;
  for_each_weight(kernel, domain, image, q, scratch,
                  [&](T value, double weight) { sum += weight * static_cast<double>(value); });
  return sum;
}

/// The label with the largest sum of weights; the smaller one in a tie.
template <class T>
T kernel_label(const Kernel& kernel, const Box& domain, const View<const T>& image, const Vec3& q,
               PointWeights& scratch) {
  std::map<T, double> votes;
  for_each_weight(kernel, domain, image, q, scratch,
                  [&](T value, double weight) { votes[value] += weight; });
  auto best = votes.begin();
  for (auto vote = votes.begin(); vote != votes.end(); ++vote)
    if (vote->second > best->second) best = vote;
  return best->first;
}

/// Replaces the voxels of a whole image by B-spline coefficients of `order` (0 to 5). Sampling
/// these with that kernel interpolates the voxels.
void spline_coefficients(Context& ctx, int order, View<double> image);

/// The two steps of spline_coefficients: along x and y in whole planes, and along z in whole
/// columns. T is float or double.
template <class T>
void filter_planes(Context& ctx, int order, View<T> image);
template <class T>
void filter_columns(Context& ctx, int order, View<T> image);

}  // namespace ffdp::transforms
