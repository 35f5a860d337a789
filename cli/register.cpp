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
#include "cli/ranks.hpp"
#include "cli/recipe.hpp"
#include "cli/register_options.hpp"
#include "cli/register_output.hpp"
#include "cli/shard_files.hpp"
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/dist/mpi.hpp"
#include "ffdp/io/atomic_file.hpp"

namespace ffdp::cli {
namespace {

using registration::Config;
using Options = RegisterOptions;

constexpr std::int64_t large = std::int64_t{4} << 30U;  // [bytes]

/// What this rank owns of the images. One rank reads every file on a thread of its own, for a .gz
/// file is unpacked by one thread; several ranks read one file after the other.
std::vector<Image<float>> read_images(dist::Comm& comm, const std::vector<std::string>& paths) {
  std::vector<std::future<Image<float>>> reading;
  reading.reserve(paths.size());
  const auto policy = comm.size() == 1 ? std::launch::async : std::launch::deferred;
  for (const auto& path : paths)
    reading.push_back(std::async(policy, [&comm, &path] { return read_shard(comm, path); }));
  std::vector<Image<float>> images;
  images.reserve(paths.size());
  for (auto& image : reading) images.push_back(image.get());
  return images;
}

/// Likewise of a mask, which every rank reads whole: 1 B/voxel of what it keeps.
Image<std::uint8_t> mask_shard(dist::Comm& comm, const std::string& path) {
  Image<std::uint8_t> mask = read_mask(path);
  const dist::Cut cut(comm, mask.grid.domain());
  if (cut.whole()) return mask;
  Field<std::uint8_t> own(Backend::cpu, cut.own(comm));
  dist::copy_voxels(Context(), std::as_const(mask.data).view(), own.view(), own.stored());
  return {mask.grid, std::move(own)};
}

registration::Inputs read_inputs(Context& ctx, dist::Comm& comm, const Options& o) {
  registration::Inputs in;
  in.written = written(o.output);
  const auto policy = comm.size() == 1 ? std::launch::async : std::launch::deferred;
  auto moving = std::async(policy, [&] { return read_images(comm, o.moving); });
  in.fixed = read_images(comm, o.fixed);
  in.moving = moving.get();
  in.fixed_names = o.fixed;
  in.moving_names = o.moving;
  if (!o.fixed_mask.empty()) in.fixed_mask = mask_shard(comm, o.fixed_mask);
  if (!o.moving_mask.empty()) in.moving_mask = mask_shard(comm, o.moving_mask);
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

/// Keeps what the warped images are made from; moves the images to the device.
Originals keep_originals(const Context& ctx, const OutputOptions& output,
                         registration::Inputs& in) {
  Originals kept;
  kept.moving_grid = in.moving[0].grid;
  const auto keep = [&](Image<float>& image, bool needed) -> Image<float> {
    if (ctx.backend == Backend::cpu && !needed) return {};
    Image<float> copy{image.grid, copy_to(ctx, ctx.backend, image.data)};
    if (ctx.backend == Backend::cpu) return copy;
    std::swap(image, copy);
    return needed ? std::move(copy) : Image<float>{};
  };
  kept.fixed = keep(in.fixed[0], output.writes("inverse-warped"));
  kept.moving = keep(in.moving[0], output.writes("warped"));
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

/// What the ranks are and did, gathered.
nlohmann::json ranks_record(dist::Comm& comm, double computing) {
  struct Rank {
    std::int64_t peak_mib, sent;
    double waiting, computing;
  };
  const double waiting = comm.seconds_waiting();
  const auto all =
      comm.all_gather(Rank{peak_mib(), comm.bytes_sent(), waiting, computing - waiting});
  nlohmann::json j{{"count", comm.size()}, {"backend", comm.backend()}};
  for (const Rank& rank : all)
    j["of_ranks"].push_back({{"peak_mib", rank.peak_mib},
                             {"bytes_sent", rank.sent},
                             {"seconds_waiting", rank.waiting},
                             {"seconds_computing", rank.computing}});
  return j;
}

void print_summary(const Options& o, const registration::Result& result, double seconds,
                   const std::vector<std::string>& written) {
  std::printf("%s -> %s: %.1f s, %ld MiB", o.output.moving.c_str(), o.output.fixed.c_str(), seconds,
              peak_mib());
  const auto& jac = result.jacobian;
  if (jac.count > 0)
    std::printf("; folds %lld, Jacobian %.3f to %.2f, SDlogJ %.3f",
                static_cast<long long>(jac.folded), jac.min, jac.max, jac.sd_log());
  std::printf("\nwritten: %s{", o.output.prefix.c_str());
  for (const auto& name : written) std::printf("%s,", name.c_str());
  std::printf(".json}\n");
}

/// One rank of a registration, from the files to the files.
void run_rank(dist::Comm& comm, const Options& o, const Config& config, const DeviceStart& device,
              const std::vector<std::string>& command_line) {
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const bool first = comm.rank() == 0;
  Context ctx;
  ctx.threads = o.common.threads > 0 ? o.common.threads : processors_of(comm);
  registration::Inputs inputs = read_inputs(ctx, comm, o);
  LabelWriter labels;
  if (first && !o.output.moving_labels.empty()) labels = read_labels(o.output.moving_labels);
  if (first) prepare_output(o.output.prefix);
  const double read_seconds = elapsed();
  ctx.backend = device.wait();
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();
  const double ready_seconds = elapsed();
  Originals originals = keep_originals(ctx, o.output, inputs);
  originals.labels = std::move(labels);
  registration::Result result;
  {
    ProgressPrinter printer(o.common.quiet || !first ? Verbosity::quiet
                            : o.verbose              ? Verbosity::diagnostic
                                                     : Verbosity::normal);
    result = registration::register_images(ctx, comm, config, std::move(inputs), printer.sink());
  }
  nlohmann::json record = provenance(o, config, ctx, result, command_line);
  const double before_writing = elapsed();
  const auto written = write_result(ctx, comm, o.output, std::move(originals), result);
  record["seconds"] = {{"reading", read_seconds},
                       {"waiting for the device", ready_seconds - read_seconds},
                       {"writing", elapsed() - before_writing},
                       {"total", elapsed()}};
  record["peak_mib"] = peak_mib();
  if (ctx.backend == Backend::cuda) record["peak_device_mib"] = peak_device_bytes() >> 20U;
  record["ranks"] = ranks_record(comm, elapsed());
  if (!first) return;
  io::write_file(o.output.prefix + ".json", record.dump(1) + "\n");
  if (!o.common.quiet) print_summary(o, result, elapsed(), written);
}

void run(Options o, const CLI::App& command, const std::vector<std::string>& command_line) {
  check_options(o);
  const Config config = make_config(o, command);
  if (o.print_config) {
    std::printf("%s\n", to_json(config).dump(2).c_str());
    return;
  }
  const bool several = o.ranks > 1 || dist::started_by_mpi();
  if (several && o.device.starts_with("cuda"))
    throw NotBuilt("register: --device " + o.device +
                   " with several ranks: they run on CPUs only, so far");
  const DeviceStart device(several ? "cpu" : o.device);
  start(o.common);
  for (const auto& path : {o.fixed_mask, o.moving_mask, o.output.moving_labels})
    if (!path.empty()) io::read_info(path);
  for (const auto* paths : {&o.fixed, &o.moving})
    for (const auto& path : *paths) io::read_info(path);
  // A large registration that will not fit is refused before its images are read; a small one does
  // not wait for the device.
  if (!several && plan_of(o, config, Backend::cuda, 0).peak > large) {
    const Backend backend = device.wait();
    plan_of(o, config, backend, available_bytes(backend));
  }
  run_ranks(o.ranks, [&](dist::Comm& comm) { run_rank(comm, o, config, device, command_line); });
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
