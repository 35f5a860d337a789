// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/transforms/composite_transform.hpp"
#include "ffdp/transforms/kernels.hpp"

namespace ffdp::transforms {

/// How an image is sampled. nearest and the label modes keep integers exact.
enum class Interpolation {
  linear,
  nearest,
  label,  ///< the label with the largest sum of trilinear weights
  bspline,
  sinc,
  kernel,        ///< the kernel of ApplyParams::kernel
  kernel_label,  ///< the label with the largest sum of the weights of ApplyParams::kernel
};

struct ApplyParams {
  Interpolation interpolation = Interpolation::linear;
  double fill = 0;  ///< value outside the moving image [intensity]
  Kernel kernel{};
};

/// Takes the next values of an output in file order (x fastest, then y, then z).
template <class T>
using Consumer = std::function<void(std::span<const T> values)>;

/// Resamples `moving` to planes of `fixed_grid` through `transform` (fixed to moving points). It
/// passes the values on in pieces, so that no field of coordinates and no output of full size is
/// needed. The result depends neither on the number of threads nor on which planes are made
/// together.
/// @param planes     whole planes of fixed_grid
/// @param transform  its fields are stored over at least what these planes reach (ChainSource)
/// @param moving     stored over at least what these planes reach; whole for bspline and the
/// B-spline
///                   kernel
template <class T>
void apply(Context& ctx, const ApplyParams& params, const Grid& fixed_grid, const Box& planes,
           const CompositeTransform& transform, const Image<T>& moving,
           const Consumer<double>& consume);

/// As apply, for nearest and both label modes; values keep the type T. If T is an integer, `fill`
/// must be a whole number in its range.
template <class T>
void apply_label(Context& ctx, const ApplyParams& params, const Grid& fixed_grid, const Box& planes,
                 const CompositeTransform& transform, const Image<T>& moving,
                 const Consumer<T>& consume);

/// As apply with bspline, from B-spline coefficients instead of voxels (spline_shards.hpp). T is
/// float or double.
template <class T>
void apply_coefficients(Context& ctx, const ApplyParams& params, const Grid& fixed_grid,
                        const Box& planes, const CompositeTransform& transform,
                        const Image<T>& coefficients, const Consumer<double>& consume);

/// How far around a point apply and apply_coefficients read [voxels]; not for Interpolation::kernel
/// and kernel_label.
int halo(const ApplyParams& params);

/// The same for all planes of `fixed_grid`.
template <class T>
void apply(Context& ctx, const ApplyParams& params, const Grid& fixed_grid,
           const CompositeTransform& transform, const Image<T>& moving,
           const Consumer<double>& consume) {
  apply<T>(ctx, params, fixed_grid, fixed_grid.domain(), transform, moving, consume);
}
template <class T>
void apply_label(Context& ctx, const ApplyParams& params, const Grid& fixed_grid,
                 const CompositeTransform& transform, const Image<T>& moving,
                 const Consumer<T>& consume) {
  apply_label<T>(ctx, params, fixed_grid, fixed_grid.domain(), transform, moving, consume);
}

/// The displacement p -> transform(p) - p at the voxels of some planes of `grid`, LPS mm; stored
/// over these planes.
DisplacementImage compose(Context& ctx, const Grid& grid, const Box& planes,
                          const CompositeTransform& transform);
/// The same, of all planes.
DisplacementImage compose(Context& ctx, const Grid& grid, const CompositeTransform& transform);

/// As compose, but passes the vectors on in pieces, in the order of the voxels.
void compose(Context& ctx, const Grid& grid, const Box& planes, const CompositeTransform& transform,
             const Consumer<Vec3>& consume);

}  // namespace ffdp::transforms
