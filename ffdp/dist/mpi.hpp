// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "ffdp/dist/comm.hpp"

namespace ffdp::dist {

/// Whether this process was started by mpirun, srun or the like as one of several.
bool started_by_mpi();

/// Runs `body` as one rank of all processes that the launcher started; messages go through host
/// memory. Throws NotBuilt in a build without MPI (FFDP_MPI).
///
/// Where the body throws, the error has to be reported by `report` (its text begins with the rank);
/// then all processes are ended with exit code 1.
/// @param timeout  a peer that gives no sign of life for so long ends the run [s]
void run_mpi(double timeout, const std::function<void(Comm&)>& body,
             const std::function<void(const std::string&)>& report);

}  // namespace ffdp::dist
