// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/registration/config.hpp"
#include "ffdp/registration/images/intensity_model.hpp"

namespace ffdp::registration {

/// The metric's constants for a pair of images.
lncc::Params lncc_params(const MetricConfig& config, const IntensityModel& fixed,
                         const IntensityModel& moving);
mi::Params mi_params(const MetricConfig& config, const IntensityModel& fixed,
                     const IntensityModel& moving);

/// A cost to be minimised, and how many voxels it was made of.
struct Cost {
  double value = 0;    ///< mean over the counted voxels
  double samples = 0;  ///< [voxels]
  /// samples x d(cost)/d(warped) is this factor times what was written to grad [1].
  float grad_factor = 1;
};

/// Cost of one metric on one pair of images, and its gradient (see Cost::grad_factor).
/// @param missing  warped holds NaN where there is no sample
/// @param grad     [z,y,x] gradient, written over the domain; null for value only
/// @param workspace  [3,z,y,x] over the domain, may be overwritten; null: scratch of the context
Cost evaluate(Context& ctx, dist::Comm& comm, const MetricConfig& config,
              const IntensityModel& fixed_model, const IntensityModel& moving_model, Box domain,
              View<const float> fixed, View<const float> warped, bool missing, View<float> grad,
              VectorView<float> workspace);

}  // namespace ffdp::registration
