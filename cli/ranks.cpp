// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "cli/common.hpp"
#include "cli/interrupt.hpp"

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/dist/mpi.hpp"
#include "ffdp/dist/threads.hpp"
#include "ffdp/io/atomic_file.hpp"

namespace ffdp::cli {

namespace {
thread_local bool silent = false;
}

bool speaks() { return !silent; }

void run_ranks(int ranks, const std::function<void(dist::Comm&)>& body) {
  constexpr double silence = 20;  // [s]
  const auto one_voice = [&](dist::Comm& comm) {
    silent = comm.rank() != 0;
    body(comm);
  };
  if (dist::started_by_mpi()) {
    require(ranks <= 1, "--ranks " + std::to_string(ranks) +
                            ": the launcher has started the ranks already, leave it out");
    std::optional<Interrupted> stopped;
    const auto until_stopped = [&](dist::Comm& comm) {
      try {
        one_voice(comm);
      } catch (const Interrupted& end) {  // by all ranks, which end in order
        stopped = end;
      }
    };
    dist::run_mpi(silence, until_stopped, [](const std::string& error) {
      io::remove_unfinished_files();
      std::fprintf(stderr, "ffdp: %s\n", error.c_str());
    });
    if (stopped) throw Interrupted(*stopped);
    return;
  }
  if (ranks > 1) return dist::run_threads(ranks, one_voice);
  dist::SoloComm solo;
  body(solo);
}

void require_one_process(const std::string& command) {
  require(
      !dist::started_by_mpi(),
      command +
          ": a launcher has started several processes, which would all do the same: it does not "
          "work on ranks. Start one; where each of them has work of its own, start it by env -u "
          "OMPI_COMM_WORLD_SIZE -u PMI_SIZE -u SLURM_STEP_NUM_TASKS");
}

void add_ranks(CLI::App& command, int& ranks) {
  command
      .add_option("--ranks", ranks,
                  "share the work among N ranks of this process, each with --threads; the result "
                  "is the same at any number. On several machines: mpirun -n N ffdp ...")
      ->check(CLI::Range(1, 4096));
}

void add_gpus(CLI::App& command, int& gpus, std::string& transport) {
  command
      .add_option("--gpus", gpus,
                  "share the images among N GPUs of this machine: --ranks N, each on its own GPU")
      ->check(CLI::Range(1, 4096));
  command
      .add_option(
          "--transport", transport,
          "how GPUs exchange voxels: auto, peer (copies between GPUs of one process), nccl, "
          "staged (through the memory of the host)")
      ->check(CLI::IsMember({"auto", "peer", "nccl", "staged"}));
}

void take_gpus(int gpus, int& ranks, std::string& device) {
  if (gpus == 0) return;
  require(
      ranks == 1 && (device == "auto" || device == "cuda"),
      "--gpus " + std::to_string(gpus) + " says ranks and device, leave out --ranks and --device");
  ranks = gpus;
  device = "cuda";
}

void require_gpus(int gpus) {
  const int here = gpus > 0 ? cuda_devices() : 0;
  require(here >= gpus, "--gpus " + std::to_string(gpus) + ": this machine has " +
                            std::to_string(here) + " that can be used" +
                            (here > 0 ? "" : "; " + device_problem(0)));
}

void on_ranks(const Common& common, int ranks,
              const std::function<void(Context&, dist::Comm&)>& body) {
  start(common);
  run_ranks(ranks, [&](dist::Comm& comm) {
    Context ctx;
    ctx.threads = common.threads > 0 ? common.threads : threads_of(comm);
    body(ctx, comm);
  });
}

int threads_of(dist::Comm& comm) {
  return std::max(1, default_threads() / dist::on_this_machine(comm).ranks);
}

std::string device_of_rank(dist::Comm& comm, const std::string& wish) {
  if (comm.size() == 1 || wish == "cpu") return wish;
  require(!wish.starts_with("cuda:"),
          "--device " + wish +
              ": several ranks take the GPUs of their machine in turn (--device "
              "cuda); CUDA_VISIBLE_DEVICES chooses among them");
  const dist::Sharing here = dist::on_this_machine(comm);
  const int gpus = cuda_devices();
  double lacking = gpus >= here.ranks ? 0 : 1;
  comm.all_max({&lacking, 1});
  if (wish == "auto" && lacking > 0) return "cpu";
  return "cuda:" + std::to_string(gpus > 0 ? here.rank % gpus : 0);
}

void use_gpus(dist::Comm& comm, const std::string& transport) {
  comm.use_device(transport == "peer"     ? dist::Transport::peer
                  : transport == "nccl"   ? dist::Transport::nccl
                  : transport == "staged" ? dist::Transport::staged
                                          : dist::Transport::automatic);
}

}  // namespace ffdp::cli
