// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/half.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/smooth/smooth.hpp"

/// The passes of the optimiser, fused: smoothed gradient, direction and step are never stored. T is
/// the storage of the moments: float or, on CUDA, Half.
namespace ffdp::descent {

enum class SecondMoment {
  vector,   ///< one per voxel, of the squared length: independent of the frame, 4 bytes per voxel
  element,  ///< one per component, as in the paper, 12 bytes per voxel
  none,     ///< none: direction = m / (1 - b1^k), gradient descent with momentum (b1 = 0: without)
};

/// Direction of the compositive Adam step: m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2,
/// direction = (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + epsilon).
struct Params {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double epsilon = 1e-8;  ///< [gradient]
  int iteration = 1;      ///< k, counted from 1; k = 1 ignores what the moments held
  SecondMoment second_moment = SecondMoment::vector;
  friend bool operator==(const Params&, const Params&) = default;
};

/// Moments of compositive Adam. As Half, `second` holds sqrt(v), because the 11 bits of v itself
/// would not change under beta2 = 0.99. Gradients should then lie between 1e-4 and 6e4; smaller
/// ones lose digits.
template <class T>
struct Moments {
  VectorView<T> first;   ///< [3,z,y,x] [gradient]
  VectorView<T> second;  ///< [3,z,y,x]; with SecondMoment::vector component z only (stride_c may be
                         ///< 0), with SecondMoment::none null data [gradient^2, Half: gradient]
};

/// What `update` finds, in memory of the backend; calls accumulate into it.
struct Sums {
  float longest = 0;  ///< largest |direction| [1]
};

/// Smooths the gradient and updates the moments with it, as iteration Params::iteration.
/// sums->longest becomes the maximum of itself and of |direction| over compute.
/// @param domain   whole image
/// @param compute  voxels this call is responsible for
/// @param grad     [3,z,y,x] stored over at least grow(compute, smooth::halo) within the domain
/// @param moments  updated over compute; iteration 1 does not use what they held
/// @param sums     in memory of the backend
template <class T>
void update(Context&, const Params&, const smooth::Params&, Box domain, Box compute,
            VectorView<const float> grad, const Moments<T>& moments, Sums* sums);

/// Updates sums->longest from the moments as they are, for parameters chosen after `update`.
template <class T>
void longest(Context&, const Params&, Box domain, Box compute, const Moments<T>& moments,
             Sums* sums);

/// How long the step is.
struct Step {
  double length = 0.5;         ///< largest step, at most 1 [voxels]
  double least = 1;            ///< the divisor is max(sums->longest, least) [1]
  const Sums* sums = nullptr;  ///< in memory of the backend; the maximum over all shards
  /// Width of the ramp [voxels]; 0: none. The step is multiplied by the ramp, which is 0 on the
  /// faces of the domain and 1 from `face_ramp` voxels inside on. Axes of one voxel have none.
  int face_ramp = 4;
};

/// Halo the displacement needs around the compute box of `compose` [voxels].
inline int halo(const Step&) { return compose::halo({.max_step = 1}); }

/// Makes the step and composes it: out(x) = s(x) + u(x + s(x)), as compose::forward, with
/// s = -length / max(sums->longest, least) * direction * ramp; 0 where the divisor is 0.
/// @param domain   whole image
/// @param compute  voxels this call is responsible for
/// @param moments  [3,z,y,x] stored over at least compute
/// @param u        [3,z,y,x] displacement [voxels], stored over at least grow(compute, halo) within
///                 the domain
/// @param out      [3,z,y,x] [voxels], written over compute; not the memory of u
template <class T>
void compose(Context&, const Params&, const Step&, Box domain, Box compute,
             const Moments<T>& moments, VectorView<const float> u, VectorView<float> out);

}  // namespace ffdp::descent
