// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/register.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <memory>
#include <utility>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/plan.hpp"
#include "cli/progress.hpp"
#include "cli/recipe.hpp"
#include "cli/register_options.hpp"
#include "cli/register_output.hpp"
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"

namespace ffdp::cli {
namespace {

using registration::Config;
using Options = RegisterOptions;

constexpr std::int64_t large = std::int64_t{4} << 30U;  // [bytes]

/// Every file on a thread of its own, for a .gz file is unpacked by one thread.
std::vector<Image<float>> read_images(const std::vector<std::string>& paths) {
  std::vector<std::future<Image<float>>> reading;
  reading.reserve(paths.size());
  for (const auto& path : paths)
    reading.push_back(std::async(std::launch::async, io::read_image<float>, path));
  std::vector<Image<float>> images;
  images.reserve(paths.size());
  for (auto& image : reading) images.push_back(image.get());
  return images;
}

registration::Inputs read_inputs(Context& ctx, const Options& o) {
  registration::Inputs in;
  in.written = written(o.output);
  auto moving = std::async(std::launch::async, read_images, o.moving);
  in.fixed = read_images(o.fixed);
  in.moving = moving.get();
  in.fixed_names = o.fixed;
  in.moving_names = o.moving;
  if (!o.fixed_mask.empty()) in.fixed_mask = read_mask(o.fixed_mask);
  if (!o.moving_mask.empty()) in.moving_mask = read_mask(o.moving_mask);
  const auto check_grid = [](const std::optional<Image<std::uint8_t>>& mask, const Grid& grid,
                             const std::string& path, const std::string& image) {
    if (mask && !same_space(mask->grid, grid, 1e-2))
      throw InvalidArgument(path + ": lies on another grid than " + image);
  };
  check_grid(in.fixed_mask, in.fixed[0].grid, o.fixed_mask, o.fixed[0]);
  check_grid(in.moving_mask, in.moving[0].grid, o.moving_mask, o.moving[0]);
  if (!o.start.empty()) {
    const auto chain = read_chain(ctx, o.start);
    const Affine* affine = chain.as_affine();
    require(affine || chain.is_identity(), o.start[0] + ": an affine is wanted to start from");
    in.start = affine ? *affine : Affine{};
  }
  return in;
}

long peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// Moves the images to the device, but keeps what the warped images are made from.
Originals keep_originals(const Context& ctx, const OutputOptions& output,
                         registration::Inputs& in) {
  if (ctx.backend == Backend::cpu) return {};
  Originals kept;
  const auto bring = [&](Image<float>& image) {
    return std::exchange(image, {image.grid, copy_to(ctx, ctx.backend, image.data)});
  };
  kept.fixed = bring(in.fixed[0]);
  kept.moving = bring(in.moving[0]);
  if (!output.writes("inverse-warped")) kept.fixed = {};
  if (!output.writes("warped")) kept.moving = {};
  return kept;
}

nlohmann::json device_record(const Context& ctx) {
  if (ctx.backend == Backend::cpu) return "cpu";
  const DeviceInfo info = device_info();
  return {{"name", info.name},
          {"index", info.index},
          {"cuda_driver", info.driver},
          {"cuda_runtime", info.runtime},
          {"memory_mib", info.memory >> 20U}};
}

nlohmann::json provenance(const Options& o, const Config& config, const Context& ctx,
                          const registration::Result& result,
                          const std::vector<std::string>& command_line) {
  nlohmann::json j;
  j["program"] = std::string("ffdp ") + FFDP_VERSION;
  j["command"] = command_line;
  j["fixed"] = o.fixed;
  j["moving"] = o.moving;
  j["device"] = device_record(ctx);
  j["threads"] = ctx.threads;
  j["config"] = to_json(config);
  for (const auto& stage : result.plan.stages)
    j["plan"]["stages"].push_back(
        {{"name", stage.name}, {"size_zyx", stage.size}, {"mib", stage.bytes >> 20U}});
  j["plan"]["mode"] = memory_name(result.plan.mode);
  j["plan"]["peak_mib"] = result.plan.peak >> 20U;
  for (const auto& time : result.times)
    j["stages"].push_back({{"name", time.name}, {"seconds", time.seconds}});
  for (const auto& level : result.levels)
    j["levels"].push_back({{"size_zyx", level.grid.size},
                           {"spacing_xyz_mm", level.grid.spacing},
                           {"seconds", level.seconds},
                           {"cost", level.costs}});
  const auto& jac = result.jacobian;
  if (jac.count > 0) {
    j["jacobian"] = {{"min", jac.min},
                     {"max", jac.max},
                     {"sd_log", jac.sd_log()},
                     {"folded_voxels", jac.folded}};
    j["inverse"] = {{"residual_mean_voxels", result.inverse_residual.sum / double(jac.count)},
                    {"residual_max_voxels", result.inverse_residual.max},
                    {"unconverged_voxels", result.inverse_residual.unconverged}};
  }
  return j;
}

void check_options(RegisterOptions& o) {
  take_images(o);
  if (o.print_config) return;
  require(!o.fixed.empty() && !o.moving.empty(), "register: a fixed and a moving image are wanted");
  require(!o.output.prefix.empty(), "register: --output PREFIX is wanted");
  o.output.fixed = o.fixed[0];
  o.output.moving = o.moving[0];
}

void run(Options o, const CLI::App& command, const std::vector<std::string>& command_line) {
  const auto begin = std::chrono::steady_clock::now();
  check_options(o);
  const Config config = make_config(o, command);
  if (o.print_config) {
    std::printf("%s\n", to_json(config).dump(2).c_str());
    return;
  }
  DeviceStart device(o.device);
  Context ctx = start(o.common);
  for (const auto& path : {o.fixed_mask, o.moving_mask, o.output.moving_labels})
    if (!path.empty()) io::read_info(path);
  for (const auto* paths : {&o.fixed, &o.moving})
    for (const auto& path : *paths) io::read_info(path);
  // A large registration that will not fit is refused before its images are read; a small one does
  // not wait for the device.
  if (plan_of(o, config, Backend::cuda, 0).peak > large) {
    const Backend backend = device.wait();
    plan_of(o, config, backend, available_bytes(backend));
  }
  registration::Inputs inputs = read_inputs(ctx, o);
  prepare_output(o.output.prefix);
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const double read_seconds = elapsed();
  ctx.backend = device.wait();
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();
  const double ready_seconds = elapsed();
  Originals originals = keep_originals(ctx, o.output, inputs);
  dist::SoloComm comm;
  registration::Result result;
  {
    ProgressPrinter printer(o.common.quiet ? Verbosity::quiet
                            : o.verbose    ? Verbosity::diagnostic
                                           : Verbosity::normal);
    result = registration::register_images(ctx, comm, config, std::move(inputs), printer.sink());
  }
  nlohmann::json record = provenance(o, config, ctx, result, command_line);
  const double before_writing = elapsed();
  const auto jac = result.jacobian;
  const auto written = write_result(ctx, o.output, std::move(originals), result);
  record["seconds"] = {{"reading", read_seconds},
                       {"waiting for the device", ready_seconds - read_seconds},
                       {"writing", elapsed() - before_writing},
                       {"total", elapsed()}};
  record["peak_mib"] = peak_mib();
  if (ctx.backend == Backend::cuda) record["peak_device_mib"] = peak_device_bytes() >> 20U;
  io::write_file(o.output.prefix + ".json", record.dump(1) + "\n");
  if (o.common.quiet) return;
  std::printf("%s -> %s: %.1f s, %ld MiB", o.output.moving.c_str(), o.output.fixed.c_str(),
              elapsed(), peak_mib());
  if (jac.count > 0)
    std::printf("; folds %lld, Jacobian %.3f to %.2f, SDlogJ %.3f",
                static_cast<long long>(jac.folded), jac.min, jac.max, jac.sd_log());
  std::printf("\nwritten: %s{", o.output.prefix.c_str());
  for (const auto& name : written) std::printf("%s,", name.c_str());
  std::printf(".json}\n");
}

}  // namespace

void add_register(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "register", "Register a moving image to a fixed one: initialise, affine, diffeomorphic warp");
  add_register_options(*command, *o);
  command->footer(
      "Maps fixed points to moving ones: phi(p) = affine(p + d(p)), read by antsApplyTransforms.\n"
      "Examples:\n"
      "  ffdp register fixed.nii.gz moving.nii.gz -o out/s1_\n"
      "  ffdp register -f t1.nii.gz -m t2.nii.gz --metric mi -o out/t2_\n"
      "  ffdp register F.nii.gz M.nii.gz --preset affine -o out/a_ --threads 2\n"
      "  ffdp register --preset accurate --print-config > mine.json\n"
      "Exit codes: 0 done, 1 error, 2 wrong usage, 130 interrupted.");
  command->callback([o, command] {
    std::vector<std::string> line;
    std::ifstream own("/proc/self/cmdline", std::ios::binary);
    for (std::string word; std::getline(own, word, '\0');) line.push_back(word);
    run(*o, *command, line);
  });
}

}  // namespace ffdp::cli
