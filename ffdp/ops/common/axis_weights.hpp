// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace ffdp {

/// Weights of one output voxel along one axis: inputs first .. first + count - 1.
struct AxisWeights {
  std::vector<int> first;      ///< global index, per output voxel of compute
  std::vector<float> weights;  ///< count per output voxel
  int count = 0;
};

}  // namespace ffdp
