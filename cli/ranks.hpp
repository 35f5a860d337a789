// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "cli/common.hpp"
#include <CLI/CLI.hpp>

#include "ffdp/core/context.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::cli {

/// Runs `body` on all ranks of a command: the processes that mpirun or srun started, else `ranks`
/// threads of this process. An error of one rank ends all.
void run_ranks(int ranks, const std::function<void(dist::Comm&)>& body);

/// Throws if mpirun or srun has started several processes: all of them would do the same work and
/// write the same files.
void require_one_process(const std::string& command);

/// Adds --ranks.
void add_ranks(CLI::App& command, int& ranks);
/// Adds --gpus and --transport.
void add_gpus(CLI::App& command, int& gpus, std::string& transport);
/// Sets ranks and device from --gpus, unless that is 0.
void take_gpus(int gpus, int& ranks, std::string& device);
/// Throws if this machine has fewer usable GPUs.
void require_gpus(int gpus);
/// Runs `body` on all ranks of a command that works on CPUs, each with the threads of `common`.
void on_ranks(const Common& common, int ranks,
              const std::function<void(Context&, dist::Comm&)>& body);

/// The default number of threads of a rank: those of this machine, divided among its ranks; at
/// least one. Collective.
int threads_of(dist::Comm& comm);

/// The device of this rank. The ranks of a machine take its GPUs in turn. With several ranks,
/// `auto` is a GPU if each can have its own, else the CPU. Collective.
/// @param wish  auto, cpu, cuda or, of a single rank, cuda:N
std::string device_of_rank(dist::Comm& comm, const std::string& wish);

/// Prepares `comm` for messages between GPUs. Collective. The calling thread must have selected its
/// device.
/// @param transport  auto, peer, nccl or staged
void use_gpus(dist::Comm& comm, const std::string& transport);

/// Whether the calling thread may write to the terminal: rank 0 may, other ranks may not.
bool speaks();

}  // namespace ffdp::cli
