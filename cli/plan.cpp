// SPDX-License-Identifier: Apache-2.0
#include "cli/plan.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"
#include "cli/register_inputs.hpp"
#include "cli/sizes.hpp"
#include "cli/speed.hpp"

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/dist/comm.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/registration/deformable/smoothing.hpp"

namespace ffdp::cli {
namespace {

const char* access_name(registration::MovingAccess access) {
  return access == registration::MovingAccess::replicate ? "replicate"
         : access == registration::MovingAccess::fetch   ? "fetch"
                                                         : "ring";
}

double gib(std::int64_t bytes) { return static_cast<double>(bytes) / (1U << 30U); }

/// The options of `plan` besides those of register.
struct PlanCommand {
  RegisterOptions options;
  std::string size;
  double available = 0;  ///< [GiB]
  double rate = 0;       ///< [million voxels of an iteration a second and rank]
  double bandwidth = 0;  ///< between ranks [GB/s]
};

/// The stage as its finest level sees it, with its own Gaussians.
registration::DeformableStage finest_level(const registration::DeformableStage& stage,
                                           const Grid& fixed) {
  const int finest = static_cast<int>(stage.iterations.size()) - 1;
  return after_start(at_level(stage, finest, fixed.size), {});
}

/// Prints what the levels of the deformable stage will take.
class Prediction {
 public:
  Prediction(const PlanCommand& c, const registration::Config& config, const Grid& fixed,
             Backend backend) {
    const RegisterOptions& o = c.options;
    const Speed& speed = backend == Backend::cuda ? h200 : epyc_thread;
    const int threads = backend == Backend::cuda ? 1
                        : o.common.threads > 0   ? o.common.threads
                                                 : std::max(1, default_threads() / o.ranks);
    if (c.rate > 0)
      rate_ = c.rate;
    else if (!config.deformable.empty())
      rate_ = 1e3 * threads / nanoseconds_of(speed, finest_level(config.deformable[0], fixed));
    // Of several machines, whose GPUs are not linked, only ranks are known.
    bandwidth_ = c.bandwidth > 0 ? c.bandwidth : o.gpus > 0 ? h200.link : epyc_thread.link;
  }
  double rate() const { return rate_; }            ///< [million voxels a second and rank]
  double bandwidth() const { return bandwidth_; }  ///< [GB/s]
  /// Time of an iteration [s].
  double computing(const registration::PlanStage& level) const {
    return 1e-6 * static_cast<double>(level.voxels) / rate_;
  }
  double sending(const registration::PlanStage& level) const {
    return 1e-9 * static_cast<double>(level.sent) / bandwidth_;
  }

 private:
  double rate_ = 1, bandwidth_ = 1;
};

void print_time(const Prediction& prediction, const registration::Plan& plan) {
  double computing = 0, sending = 0, sent = 0;
  for (const auto& level : plan.stages) {
    computing += level.iterations * prediction.computing(level);
    sending += level.iterations * prediction.sending(level);
    sent += static_cast<double>(level.iterations) * static_cast<double>(level.sent);
  }
  if (computing <= 0) return;
  std::printf("deformable iterations: %.3g s at %.4g million voxels a second and rank (--rate)",
              computing, prediction.rate());
  if (sent > 0)
    std::printf(", and %.3g s for %.2f GiB sent by a rank at %.3g GB/s (--bandwidth)", sending,
                sent / (1U << 30U), prediction.bandwidth());
  std::printf("\n");
}

void print(const PlanCommand& c, const Prediction& prediction, const registration::Plan& plan,
           const Grid& finest, Backend backend) {
  const auto voxels = static_cast<double>(finest.domain().volume());
  const bool several = c.options.ranks > 1;
  std::printf("%-12s %-16s %10s %9s %12s%s\n", "stage", "voxels", "GiB", "B/voxel", "s/iteration",
              several ? "  sent/iteration  moving image" : "");
  for (const auto& stage : plan.stages) {
    std::printf("%-12s %-16s %10.2f %9.1f", stage.name.c_str(), size_in_words(stage.size).c_str(),
                gib(stage.bytes), static_cast<double>(stage.bytes) / voxels);
    if (stage.iterations > 0)
      std::printf(" %12.3g", prediction.computing(stage) + prediction.sending(stage));
    if (stage.sent > 0) std::printf("  %10.1f MiB", static_cast<double>(stage.sent) / (1U << 20U));
    if (stage.moving) std::printf("  %s", access_name(*stage.moving));
    std::printf("\n");
  }
  const std::string of_ranks = " of each of " + std::to_string(c.options.ranks) + " ranks";
  std::printf("peak %.2f GiB %s%s, %s memory, %.1f bytes per voxel of the fixed image\n",
              gib(plan.peak), backend == Backend::cuda ? "on the device" : "of this machine",
              several ? of_ranks.c_str() : "", memory_name(plan.mode),
              static_cast<double>(plan.peak) / voxels);
  print_time(prediction, plan);
}

registration::Plan plan_of(const RegisterOptions& o, const registration::Config& config,
                           registration::Extent extent, Backend backend, std::int64_t available) {
  extent.pairs = std::max<int>(1, static_cast<int>(o.fixed.size()));
  extent.fixed_masks = o.fixed_mask.empty() ? 0 : 1;
  extent.moving_masks = o.moving_mask.empty() ? 0 : 1;
  extent.caller = output_memory(o.output);
  extent.ranks = o.ranks;
  if (o.ranks > 1 && backend == Backend::cuda) extent.uncut = dist::small_on_gpus;
  return registration::choose_plan(registration::resolved(config, extent.fixed), extent, backend,
                                   available);
}

registration::Extent extent_of_files(const RegisterOptions& o) {
  return {.fixed = io::read_info(o.fixed[0]).grid, .moving = io::read_info(o.moving[0]).grid};
}

void run(PlanCommand c, const CLI::App& command) {
  RegisterOptions& o = c.options;
  take_images(o);
  take_gpus(o.gpus, o.ranks, o.device);
  require(c.size.empty() != o.fixed.empty() && o.fixed.empty() == o.moving.empty(),
          "plan: a fixed and a moving image are wanted, or --size");
  const registration::Config config = make_config(o, command);
  registration::Extent extent;
  if (c.size.empty()) {
    check_headers(o);
    extent = extent_of_files(o);
  } else {
    extent.fixed = extent.moving = centred_grid(c.size, "1");
  }
  auto available = static_cast<std::int64_t>(c.available * (1U << 30U));
  Backend backend = o.device.starts_with("cuda") ? Backend::cuda : Backend::cpu;
  // Where several ranks will run is unknown.
  if (o.ranks == 1 && (available <= 0 || o.device == "auto")) {
    backend = DeviceStart(o.device).wait();
    if (available <= 0 && c.size.empty()) available = available_bytes(backend);
  }
  const Prediction prediction(c, config, extent.fixed, backend);
  print(c, prediction, plan_of(o, config, extent, backend, available), extent.fixed, backend);
}

}  // namespace

const char* memory_name(registration::MemoryMode mode) {
  return mode == registration::MemoryMode::compact ? "compact" : "standard";
}

registration::Plan plan_of(const RegisterOptions& o, const registration::Config& config,
                           Backend backend, std::int64_t available) {
  return plan_of(o, config, extent_of_files(o), backend, available);
}

void add_plan(CLI::App& app) {
  const auto c = std::make_shared<PlanCommand>();
  CLI::App* command = app.add_subcommand(
      "plan", "Say how much memory `register` will need, stage by stage, from the headers alone");
  add_register_options(*command, c->options);
  command->add_option("--size", c->size,
                      "voxels along x, y, z of both images, 6400x6400x4800, instead of images");
  command->add_option(
      "--available", c->available,
      "memory of a rank to plan for [GiB]; 0: that of the device or of this machine, "
      "with --ranks or --size unlimited");
  command->add_option("--rate", c->rate,
                      "million voxels per second and rank of an iteration; 0: as measured "
                      "(benchmarks/results)");
  command
      ->add_option("--bandwidth", c->bandwidth,
                   "between ranks [GB/s]; 0: 360 with --gpus (NVLink), else 10 (a network)")
      ->check(CLI::NonNegativeNumber);
  command->footer(
      "Takes the options of register. Examples:\n"
      "  ffdp plan fixed.nii.gz moving.nii.gz\n"
      "  ffdp plan fixed.nii.gz moving.nii.gz --device cuda --available 24   another card's\n"
      "  ffdp plan --size 6400x6400x4800 --ranks 512\n"
      "Exit codes: 0 it fits, 1 it does not (and what to do), 2 wrong usage.");
  command->callback([c, command] { run(*c, *command); });
}

}  // namespace ffdp::cli
