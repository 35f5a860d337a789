// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/box.hpp"
#include "ffdp/core/host_device.hpp"
#include "ffdp/ops/descent/descent.hpp"

namespace ffdp::descent {

/// Factor of the step at position i of one axis.
struct Ramp {
  Box domain;
  int width = 0;
  FFDP_HD float operator()(int axis, int i) const {
    if (width == 0 || domain.size(axis) == 1) return 1;
    const int below = i - domain.lo[axis], above = domain.hi[axis] - 1 - i;
    const int inside = below < above ? below : above;
    return inside < width ? static_cast<float>(inside) / static_cast<float>(width) : 1;
  }
};

/// Factor of the directions; with it, s = scale * direction * ramp.
FFDP_HD inline float step_scale(float length, float least, float longest) {
  const float divisor = longest > least ? longest : least;
  return divisor > 0 ? -length / divisor : 0;
}

}  // namespace ffdp::descent
