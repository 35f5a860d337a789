// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/box.hpp"
#include "ffdp/core/buffer.hpp"
#include "ffdp/registration/config.hpp"

/// How many planes of a level pass through an iteration at once, and what they take.
namespace ffdp::registration {

/// Planes that have to be composed ahead of those that become the new warp: smoothing looks that
/// far, and composing what lies above must still find the old warp.
int compose_lead(const DeformableStage& stage);

/// What slabs are made of, for `planes` planes a step.
struct SlabPlanes {
  int warped = 0, gradient = 0, vectors = 0;  ///< most planes held
  int workspace = 0;                     ///< vectors, of LNCC or of smoothing, whichever needs more
  int axis_fields = 0, axis_planes = 0;  ///< scalars, for stencils that go axis by axis
  SlabPlanes(const DeformableStage& stage, int planes);
};

/// Memory an iteration may use for slabs of planes [bytes].
/// @param own    voxels of the level that this rank works on
/// @param level  all voxels of it
std::int64_t slab_budget(MemoryMode mode, Backend backend, std::int64_t own, std::int64_t level);
/// Bytes of the planes that an iteration needs beside what Level keeps, for `planes` of them.
std::int64_t slab_bytes(const DeformableStage& stage, const Box& domain, int planes);
/// Planes a slab may have such that slab_bytes is at most `bytes`; at least a few.
int slab_planes(const DeformableStage& stage, const Box& domain, std::int64_t bytes);

}  // namespace ffdp::registration
