// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace ffdp {

/// Weights along one axis: each output voxel is a sum of the inputs first .. first + count - 1.
struct AxisWeights {
  std::vector<int> first;  ///< global index of the first input, for each output voxel of compute
  std::vector<float> weights;  ///< `count` of them for each output voxel
  int count = 0;
};

}  // namespace ffdp
