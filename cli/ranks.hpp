// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "cli/common.hpp"
#include <CLI/CLI.hpp>

#include "ffdp/core/context.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::cli {

/// Runs `body` as all ranks of a command: those that mpirun or srun started as processes, else
/// `ranks` threads of this one. An error of one rank ends all.
void run_ranks(int ranks, const std::function<void(dist::Comm&)>& body);

/// Adds --ranks.
void add_ranks(CLI::App& command, int& ranks);
/// Runs `body` as all ranks of a command that works on CPUs, each with the threads of `common`.
void on_ranks(const Common& common, int ranks,
              const std::function<void(Context&, dist::Comm&)>& body);

/// The threads that a rank takes where nobody says: those of this machine, shared out among its
/// ranks; at least one. Collective.
int threads_of(dist::Comm& comm);

/// Whether the calling thread may write to the terminal: of several ranks, rank 0 does.
bool speaks();

}  // namespace ffdp::cli
