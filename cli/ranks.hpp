// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "cli/common.hpp"
#include <CLI/CLI.hpp>

#include "ffdp/core/context.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::cli {

/// Runs `body` as all ranks of a command: those that mpirun or srun started as processes, else
/// `ranks` threads of this one. An error of one rank ends all.
void run_ranks(int ranks, const std::function<void(dist::Comm&)>& body);

/// Throws where mpirun or srun has started several processes: all of them would do the same work
/// and write the same files.
void require_one_process(const std::string& command);

/// Adds --ranks.
void add_ranks(CLI::App& command, int& ranks);
/// Adds --gpus and --transport.
void add_gpus(CLI::App& command, int& gpus, std::string& transport);
/// Turns --gpus, where it is not 0, into ranks and their device.
void take_gpus(int gpus, int& ranks, std::string& device);
/// Throws where this machine has fewer GPUs that can be used.
void require_gpus(int gpus);
/// Runs `body` as all ranks of a command that works on CPUs, each with the threads of `common`.
void on_ranks(const Common& common, int ranks,
              const std::function<void(Context&, dist::Comm&)>& body);

/// The threads that a rank takes where nobody says: those of this machine, shared out among its
/// ranks; at least one. Collective.
int threads_of(dist::Comm& comm);

/// The device of this rank: those of a machine take its GPUs in turn. `auto` of several ranks is a
/// GPU where each can have its own, else the CPU. Collective.
/// @param wish  auto, cpu, cuda or, of a single rank, cuda:N
std::string device_of_rank(dist::Comm& comm, const std::string& wish);

/// Prepares `comm` for messages between GPUs. Collective; the calling thread has its device.
/// @param transport  auto, peer, nccl or staged
void use_gpus(dist::Comm& comm, const std::string& transport);

/// Whether the calling thread may write to the terminal: of several ranks, rank 0 does.
bool speaks();

}  // namespace ffdp::cli
