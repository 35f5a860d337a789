// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/common/gaussian_taps.hpp"
#include "ffdp/ops/common/images.hpp"
#include "ffdp/ops/common/metric_sum.hpp"

namespace ffdp::lncc {

enum class Window {
  box,              ///< 2 radius + 1 voxels a side, cut at the domain edge
  gaussian,         ///< Gaussian of `sigma`, cut at the domain edge
  zero_padded_box,  ///< constant count, zeros outside, as VoxelMorph and TransMorph (training)
};

/// Squared local normalised cross-correlation, cc = c^2 / (vF vM) per window (arXiv 2509.25044,
/// section 3; docs/adr/0005-lncc-edge-and-floor.md). A window whose variance is at or below a floor
/// in either image has cc = 0 and no gradient.
struct Params {
  Window window = Window::box;
  int radius = 2;              ///< [voxels]; box windows
  double sigma = 1.5;          ///< [voxels]; Gaussian window
  float fixed_centre = 0;      ///< subtracted on loading [intensity]; intensities should lie within
  float moving_centre = 0;     ///< a few hundred standard deviations of it
  float fixed_floor = 1e-6F;   ///< variance floor [intensity^2]
  float moving_floor = 1e-6F;  ///< variance floor [intensity^2]
  /// If set, NaN voxels (of either image) are missing: they are in no window and are the centre of
  /// none. Otherwise NaN must not occur. Not for zero_padded_box.
  bool missing_values = false;
  friend bool operator==(const Params&, const Params&) = default;
};

/// Reach of one window [voxels].
inline int reach(const Params& p) {
  return p.window == Window::gaussian ? gaussian_radius(p.sigma) : p.radius;
}
/// Halo the inputs need around the compute box [voxels].
inline int halo(const Params& p) { return 2 * reach(p); }

/// Sum of cc over the windows centred in `compute` [1], exact (ops/common/exact_sum.hpp), and its
/// gradient w.r.t. `warped`.
/// The caller divides by the image volume and adds the sums of the other shards.
/// @param domain   whole image; decides what is outside, the views do not
/// @param compute  voxels this call is responsible for
/// @param images   stored over at least grow(compute, halo) within the domain
/// @param grad     [z,y,x] d(sum over all windows of the domain)/d(warped) [1/intensity], written
///                 over compute; null data for value only (then a halo of reach(p) is enough)
MetricSum forward_backward(Context&, const Params&, Box domain, Box compute,
                           const Images<float>& images, View<float> grad);

/// The same, but the caller may lend the 12 bytes per voxel that the gradient needs.
/// @param workspace  [3,z,y,x] overwritten; contiguous storage of at least the voxels of
///                   grow(compute, reach) within the domain; null data: scratch of the context is
///                   used
MetricSum forward_backward(Context&, const Params&, Box domain, Box compute,
                           const Images<float>& images, View<float> grad,
                           VectorView<float> workspace);

/// The same, but adds to *sum, which is in memory of the backend. On CUDA, does not wait for the
/// device.
void forward_backward(Context&, const Params&, Box domain, Box compute, const Images<float>& images,
                      View<float> grad, VectorView<float> workspace, MetricSum* sum);

}  // namespace ffdp::lncc
