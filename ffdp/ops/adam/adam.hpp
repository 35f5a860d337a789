// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"

namespace ffdp::adam {

enum class SecondMoment {
  vector,   ///< one per voxel, of the squared length: independent of the frame, 4 B/voxel
  element,  ///< one per component, as the paper, 12 B/voxel
  none,     ///< none: direction = m / (1 - b1^k), gradient descent with momentum (b1 = 0: without)
};

/// Direction of the compositive Adam step (DESIGN.md 2): m <- b1 m + (1 - b1) g,
/// v <- b2 v + (1 - b2) g^2, direction = (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + epsilon).
struct Params {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double epsilon = 1e-8;  ///< [gradient]
  int iteration = 1;      ///< k, counted from 1; k = 1 ignores what the moments held
  SecondMoment second_moment = SecondMoment::vector;
  friend bool operator==(const Params&, const Params&) = default;
};

/// Halo the inputs need around the compute box [voxels].
constexpr int halo(const Params&) { return 0; }

/// Throws InvalidArgument unless every parameter is within its range.
void require_valid(const Params&);

/// Updates the moments and turns the gradient into the direction, in place.
/// @param domain   whole image
/// @param compute  voxels this call is responsible for
/// @param grad     [3,z,y,x] in: gradient; out: direction [1]; stored over at least compute
/// @param first    [3,z,y,x] first moment, updated; stored over at least compute
/// @param second   [3,z,y,x] second moment, updated; with SecondMoment::vector only component z is
///                 used (stride_c may be 0); null data with SecondMoment::none
/// @return largest length of a direction in compute [1]; the caller takes the maximum over shards
double step(Context&, const Params&, Box domain, Box compute, VectorView<float> grad,
            VectorView<float> first, VectorView<float> second);

}  // namespace ffdp::adam
