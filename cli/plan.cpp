// SPDX-License-Identifier: Apache-2.0
#include "cli/plan.hpp"

#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/register_inputs.hpp"

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"

namespace ffdp::cli {
namespace {

double gib(std::int64_t bytes) { return static_cast<double>(bytes) / (1U << 30U); }

void print(const registration::Plan& plan, const Grid& finest, Backend backend) {
  const auto voxels = static_cast<double>(finest.domain().volume());
  std::printf("%-12s %-16s %10s %9s\n", "stage", "voxels", "GiB", "B/voxel");
  for (const auto& stage : plan.stages) {
    std::printf("%-12s %-16s %10.2f %9.1f\n", stage.name.c_str(), size_in_words(stage.size).c_str(),
                gib(stage.bytes), static_cast<double>(stage.bytes) / voxels);
  }
  std::printf("peak %.2f GiB %s, %s memory, %.1f bytes per voxel of the fixed image\n",
              gib(plan.peak), backend == Backend::cuda ? "on the device" : "of this machine",
              memory_name(plan.mode), static_cast<double>(plan.peak) / voxels);
}

void run(RegisterOptions o, const CLI::App& command, double available_gib) {
  take_images(o);
  require(!o.fixed.empty() && !o.moving.empty(), "plan: a fixed and a moving image are wanted");
  const registration::Config config = make_config(o, command);
  check_headers(o);
  auto available = static_cast<std::int64_t>(available_gib * (1U << 30U));
  Backend backend = o.device.starts_with("cuda") ? Backend::cuda : Backend::cpu;
  if (available <= 0 || o.device == "auto") {
    backend = DeviceStart(o.device).wait();
    if (available <= 0) available = available_bytes(backend);
  }
  print(plan_of(o, config, backend, available), io::read_info(o.fixed[0]).grid, backend);
}

}  // namespace

const char* memory_name(registration::MemoryMode mode) {
  return mode == registration::MemoryMode::compact ? "compact" : "standard";
}

registration::Plan plan_of(const RegisterOptions& o, const registration::Config& config,
                           Backend backend, std::int64_t available) {
  const Grid fixed = io::read_info(o.fixed[0]).grid;
  registration::Extent extent{.fixed = fixed, .moving = io::read_info(o.moving[0]).grid};
  extent.pairs = static_cast<int>(o.fixed.size());
  extent.fixed_masks = o.fixed_mask.empty() ? 0 : 1;
  extent.moving_masks = o.moving_mask.empty() ? 0 : 1;
  extent.written = written(o.output);
  return registration::choose_plan(registration::resolved(config, fixed), extent, backend,
                                   available);
}

void add_plan(CLI::App& app) {
  const auto o = std::make_shared<RegisterOptions>();
  const auto available = std::make_shared<double>(0);
  CLI::App* command = app.add_subcommand(
      "plan", "Say how much memory `register` will need, stage by stage, from the headers alone");
  add_register_options(*command, *o);
  command->add_option("--available", *available,
                      "memory to plan for [GiB]; 0: that of the device, or of this machine");
  command->footer(
      "Takes the options of register. Examples:\n"
      "  ffdp plan fixed.nii.gz moving.nii.gz\n"
      "  ffdp plan fixed.nii.gz moving.nii.gz --device cuda --available 24   another card's\n"
      "Exit codes: 0 it fits, 1 it does not (and what to do), 2 wrong usage.");
  command->callback([o, available, command] { run(*o, *command, *available); });
}

}  // namespace ffdp::cli
