// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "ffdp/phantom/contrast.hpp"
#include "ffdp/phantom/shapes.hpp"

namespace ffdp::phantom {

/// Voxels of a row that are computed together.
struct Block {
  static constexpr int size = 64;
  alignas(64) float x[size];      ///< point in the anatomy [mm]: to the left,
  alignas(64) float y[size];      ///< to the back,
  alignas(64) float z[size];      ///< up
  alignas(64) float value[size];  ///< intensity, white matter of T1 is 0.9 [1]
  alignas(64) float head[size];   ///< share of the voxel inside the head [1]
  alignas(64) int label[size];
};

/// The anatomy of one subject, in mm; the size of an adult brain, centred at the origin.
class Anatomy {
 public:
  Anatomy(std::uint32_t subject, Contrast contrast);

  /// Computes value, head and label from x, y, z. `voxel` is the width over which boundaries are
  /// blurred [mm].
  void paint(Block& block, float voxel) const;

 private:
  void paint_cerebrum(Block& block, float voxel) const;
  void paint_cerebellum(Block& block, float voxel) const;
  void paint_inside(Block& block, float voxel) const;
  void paint_texture(Block& block) const;

  Contrast contrast_;
  std::array<Wave, 10> folds_;
  std::array<float, 10> side_shift_;
  Wave sulcal_depth_;
  std::array<Wave, 3> texture_;
  Wave folia_bend_;
  float nuclei_;      ///< size of the deep nuclei [1]
  float ventricles_;  ///< size of the ventricles [1]
  float thickness_;   ///< of the cortex [mm]
};

}  // namespace ffdp::phantom
