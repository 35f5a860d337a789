// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/cut.hpp"
#include "ffdp/ops/gc/gc.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/registration/config.hpp"
#include "ffdp/registration/images/intensity_model.hpp"

namespace ffdp::registration {

/// A metric and what it knows about its two images. The parameters of its op follow from them.
struct Metric {
  MetricConfig config;
  IntensityModel fixed, moving;

  /// Parameters for images in which NaN voxels are missing.
  lncc::Params lncc() const;
  mi::Params mi() const;
  mse::Params mse() const;
  gc::Params gc() const;
};

/// Planes of the warped image that a gradient w.r.t. it needs around it [voxels].
int metric_reach(const MetricConfig& config);
/// Whether a deformable stage takes the slope of the warped image between its voxels and not that
/// of the interpolant: with mutual information, which rewards what interpolation does to noise
/// (ops/slopes).
bool slopes_between_voxels(const MetricConfig& config);
/// Planes of the warped image that a gradient w.r.t. the displacement needs around it [voxels].
int warped_reach(const MetricConfig& config);

/// A cost is this times the mean that the op returns: -1 of a metric that is larger when better.
double cost_sign(const MetricConfig& config);
/// How much lower a cost could be: down to -1 by LNCC and GC, to 0 by MSE. The cost of MI has no
/// bound, so its size stands in.
double room_below(const MetricConfig& config, double cost);
/// How far a linear stage may stretch for nothing, as a logarithm. Not at all by MI; by other
/// metrics, by a quarter: they do not reward it, and may take back what a stage by MI did.
double free_stretch(const MetricConfig& config);
/// Memory that the gradient needs besides the images and itself [bytes per voxel].
int metric_workspace(const MetricConfig& config);

/// A lower limit for the root mean square of the smoothed gradient of metrics [1/voxel]. A smaller
/// gradient, of images that match already, counts as this much. Pairs of brains and lungs, with
/// normalised intensities, start with more than twice as much.
double least_gradient(const std::vector<MetricConfig>& metrics);

/// A cost to be minimised, and the number of voxels that it was computed from.
struct Cost {
  double value = 0;    ///< mean over the counted voxels
  double samples = 0;  ///< [voxels]
  /// samples x d(cost)/d(warped) is this factor times the values written to grad [1].
  float grad_factor = 1;
};

/// Cost of a metric over a domain, and its gradient (see Cost::grad_factor). Collective.
/// @param cut    the domain, and what this rank owns of it
/// @param fixed  [z,y,x] intensity, stored over grow(own, metric_reach) within the domain
/// @param warped [z,y,x] intensity, stored as `fixed`; NaN where there is no sample
/// @param grad   [z,y,x] gradient, written over what this rank owns; null for value only
Cost metric_cost(Context& ctx, dist::Comm& comm, const Metric& metric, const dist::Cut& cut,
                 View<const float> fixed, View<const float> warped, View<float> grad);

/// Value and gradient of LNCC or MSE, which take one pass, over `box`. Does not wait for the
/// device.
/// @param grad  [z,y,x] d(sum)/d(warped), written
/// @param sum   the value and the number of voxels are added to it, on the backend
void forward_backward(Context& ctx, const Metric& metric, const Box& domain, const Box& box,
                      const Images<float>& images, View<float> grad, MetricSum* sum);

}  // namespace ffdp::registration
