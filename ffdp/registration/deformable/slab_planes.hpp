// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/box.hpp"
#include "ffdp/core/buffer.hpp"
#include "ffdp/registration/config.hpp"

/// How many planes of a level pass through an iteration at once, and their memory.
namespace ffdp::registration {

/// Planes that must be composed before a plane of the warp may be overwritten: smoothing reads that
/// far, and the composition of planes above still needs the old warp.
int compose_lead(const DeformableStage& stage);

/// The sizes of the slabs, for steps of `planes` planes.
struct SlabPlanes {
  int warped = 0, gradient = 0, vectors = 0;  ///< most planes held
  int workspace = 0;                     ///< vectors; the larger of what LNCC and smoothing need
  int axis_fields = 0, axis_planes = 0;  ///< scalars, for stencils that work axis by axis
  SlabPlanes(const DeformableStage& stage, int planes);
};

/// Memory an iteration may use for slabs of planes [bytes].
/// @param own    voxels of the level that this rank works on
/// @param level  all voxels of it
std::int64_t slab_budget(MemoryMode mode, Backend backend, std::int64_t own, std::int64_t level);
/// Memory of the slabs of an iteration, besides the fields of GreedyLevel, for steps of `planes`
/// planes [bytes].
std::int64_t slab_bytes(const DeformableStage& stage, const Box& domain, int planes);
/// The most planes per step for which slab_bytes is at most `bytes`; at least a few.
int slab_planes(const DeformableStage& stage, const Box& domain, std::int64_t bytes);

}  // namespace ffdp::registration
