// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace ffdp::registration {

/// One line of progress, after an iteration of any stage.
struct Progress {
  const char* stage;  ///< "initialization", "rigid", "affine", "deformable", ...
  int level, levels;  ///< from 0, coarse to fine
  int iteration, iterations;
  double cost;
  double convergence;  ///< slope, or largest motion of a corner [voxels]
};
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace ffdp::registration
