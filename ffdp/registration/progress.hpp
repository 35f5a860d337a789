// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace ffdp::registration {

/// One line of progress, after an iteration of any stage.
struct Progress {
  const char* stage;  ///< "initialization", "rigid", "affine", "deformable", ...
  int level, levels;  ///< from 0, coarse to fine
  int iteration, iterations;
  double cost;
  double convergence;  ///< slope of the cost, or largest motion of a corner [voxels]
  std::chrono::steady_clock::time_point begun;  ///< start of the work on this level
};
using ProgressSink = std::function<void(const Progress&)>;

/// Costs of the iterations of one search of a linear stage.
struct LinearTrace {
  std::string stage;  ///< "rigid", "affine", ...
  int level = 0;      ///< from 0, coarse to fine
  std::vector<double> costs;
};

}  // namespace ffdp::registration
