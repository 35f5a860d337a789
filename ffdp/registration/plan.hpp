// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ffdp/core/buffer.hpp"
#include "ffdp/core/grid.hpp"
#include "ffdp/registration/config.hpp"

namespace ffdp::registration {

/// The memory of one stage or level on the rank that needs most.
struct PlanStage {
  std::string name;
  Int3 size{};             ///< voxels of its grid, z, y, x
  std::int64_t bytes = 0;  ///< most memory, on the device if the stage runs there, else on the host
  // Of levels of the deformable stage:
  int iterations = 0;
  std::int64_t voxels = 0;  ///< that a rank works on, including those that a neighbour computes too
  std::int64_t sent = 0;    ///< by a rank in an iteration [bytes]
  std::optional<MovingAccess>
      moving{};  ///< how a rank gets at the moving image; none if it is not cut
};

/// The memory that a registration will need, known before anything is allocated.
struct Plan {
  MemoryMode mode = MemoryMode::standard;  ///< standard or compact
  std::vector<PlanStage> stages;
  std::int64_t peak = 0;  ///< [bytes]
  std::int64_t moving_room =
      0;  ///< room for what a rank holds of each moving image [bytes]; 0: unknown
};

/// Memory that the caller takes where the registration runs, on a rank [bytes].
struct CallerMemory {
  std::int64_t kept = 0;   ///< all along
  std::int64_t after = 0;  ///< once the registration has ended; 0: no such stage
};
/// Says it for a rank that owns so many voxels of the two images.
using CallerNeeds =
    std::function<CallerMemory(const Config&, Backend, std::int64_t fixed, std::int64_t moving)>;

/// The sizes and numbers of inputs and outputs, which decide the memory.
struct Extent {
  Grid fixed, moving;
  int pairs = 1;
  int fixed_masks = 0, moving_masks = 0;  ///< number of different masks
  CallerNeeds caller{};                   ///< empty: nothing
  int ranks = 1;
  std::int64_t uncut = 0;  ///< dist::Comm::uncut of the ranks [voxels]
};

/// Peak memory of every stage in one mode (standard if the configuration says automatic). The
/// deformable stage must know its levels (see resolved()). With several ranks, what they fetch of
/// the moving image is counted for a map that keeps the axes; a large turn needs more.
/// @param available  memory by which the way to the moving image is chosen [bytes]; 0 or less:
/// unknown
Plan make_plan(const Config& config, const Extent& extent, Backend backend,
               std::int64_t available = 0);

/// The plan in the mode that the configuration asks for. If that is automatic: standard if it fits
/// into `available` bytes, else compact. Throws OutOfMemory with advice if no mode fits.
/// @param available  0 or less: unknown, anything fits
Plan choose_plan(const Config& config, const Extent& extent, Backend backend,
                 std::int64_t available);

/// The configuration with shrink factors and iterations filled in for this fixed image.
Config resolved(const Config& config, const Grid& fixed);

}  // namespace ffdp::registration
