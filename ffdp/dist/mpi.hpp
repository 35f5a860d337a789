// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "ffdp/dist/comm.hpp"

namespace ffdp::dist {

/// Whether mpirun, srun or the like started this process as one of several.
bool started_by_mpi();

/// Runs `body` as one rank of all processes that the launcher started; messages go through host
/// memory. Throws NotBuilt in a build without MPI (FFDP_MPI).
///
/// If `body` throws, `report` is called with the error, whose text begins with the rank. Then all
/// processes end with exit code 1.
/// @param timeout  a rank that gives no sign of life for this long ends the run [s]
void run_mpi(double timeout, const std::function<void(Comm&)>& body,
             const std::function<void(const std::string&)>& report);

}  // namespace ffdp::dist
