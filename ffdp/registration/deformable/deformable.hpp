// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/registration/config.hpp"
#include "ffdp/registration/deformable/checkpoint.hpp"
#include "ffdp/registration/deformable/moving_samples.hpp"
#include "ffdp/registration/images/pair.hpp"
#include "ffdp/registration/progress.hpp"

namespace ffdp::registration {

/// A displacement to start from, on any grid of the extent of the fixed image.
struct StartWarp {
  VectorField<float> u;  ///< [3,z,y,x] over what this rank owns [voxels of its grid]; empty: none
  Box domain;            ///< of its grid
};

/// The memory that the deformable stage may use.
struct DeformableMemory {
  MemoryMode mode = MemoryMode::standard;  ///< standard or compact
  MovingLimit moving{};                    ///< of each image pair
};

/// Who is informed about a run of the deformable stage.
struct Watch {
  ProgressSink progress;                      ///< may be empty
  std::vector<LevelTrace>* levels = nullptr;  ///< gets a record of every level; may be null
  Checkpoint* checkpoint = nullptr;           ///< needs `levels`
  Standing before{};  ///< state before this run, and its pass, for the checkpoint
  std::vector<OwnPlanes> fields_before{};  ///< fields of that state
};

/// Greedy deformable stage: u on the fixed grid, coarse to fine (docs/algorithm.md). Collective.
/// @param pairs   image pairs, all on the grid of pairs[0].fixed; metrics name them by index
/// @param affine  fixed to moving, LPS mm; is not changed
/// @return u [3,z,y,x] on the fixed grid, components z, y, x [voxels], over what this rank owns
VectorField<float> run_deformable(Context& ctx, dist::Comm& comm, const DeformableStage& stage,
                                  const std::vector<Pair>& pairs, const Affine& affine,
                                  const DeformableMemory& memory, StartWarp start,
                                  const Watch& watch);

/// Shrink factors by the image size: powers of two, until the largest axis has at most about 64
/// voxels.
std::vector<int> automatic_shrink(const Grid& grid);

}  // namespace ffdp::registration
