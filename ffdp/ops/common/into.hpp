// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/view.hpp"

namespace ffdp {

/// Whether a result is added to the old values or replaces them.
enum class Into { add, overwrite };

/// Where a gradient g goes, and how: grad += scale g, or grad = scale g with Into::overwrite.
struct ScaledGradient {
  VectorView<float> grad;  ///< [3,z,y,x] components z, y, x
  float scale = 1;         ///< for instance the weight of a metric over its sum
  Into into = Into::add;
};

}  // namespace ffdp
