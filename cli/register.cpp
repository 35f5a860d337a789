// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/register.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <utility>

#include "cli/checkpoint.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/plan.hpp"
#include "cli/progress.hpp"
#include "cli/ranks.hpp"
#include "cli/recipe.hpp"
#include "cli/record.hpp"
#include "cli/register_inputs.hpp"
#include "cli/register_options.hpp"
#include "cli/register_output.hpp"
#include "cli/report/page.hpp"
#include "cli/shard_files.hpp"
#include "cli/slices.hpp"
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/dist/mpi.hpp"
#include "ffdp/io/atomic_file.hpp"

namespace ffdp::cli {
namespace {

using registration::Config;
using Options = RegisterOptions;

constexpr std::int64_t large = std::int64_t{4} << 30U;  // [bytes]

long peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// Keeps copies of the images from which the warped ones are made; moves the images to the device.
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

/// The command of a registration.
struct Command {
  Options options;
  CheckpointOptions checkpoint;
  Config config;
  std::vector<std::string> words;  ///< of the command line
};

nlohmann::json provenance(const Command& command, const Context& ctx,
                          const registration::Result& result) {
  nlohmann::json j;
  j["program"] = std::string("ffdp ") + FFDP_VERSION;
  const Options& o = command.options;
  j["command"] = command.words;
  j["fixed"] = o.fixed;
  j["moving"] = o.moving;
  j["folder"] = std::filesystem::current_path().string();
  if (!o.fixed_mask.empty()) j["fixed_mask"] = o.fixed_mask;
  if (!o.moving_mask.empty()) j["moving_mask"] = o.moving_mask;
  if (!o.output.moving_labels.empty()) j["moving_labels"] = o.output.moving_labels;
  j["device"] = device_record(ctx);
  j["threads"] = ctx.threads;
  j["config"] = to_json(command.config);
  add_result(j, result);
  return j;
}

void check_options(RegisterOptions& o) {
  take_images(o);
  take_gpus(o.gpus, o.ranks, o.device);
  if (o.print_config) return;
  require(!o.fixed.empty() && !o.moving.empty(), "register: a fixed and a moving image are wanted");
  require(!o.output.prefix.empty(), "register: --output PREFIX is wanted");
  for (const char* ending : {".nii", ".nii.gz", ".mat", ".h5", ".txt", ".json"})
    require(!o.output.prefix.ends_with(ending), "register: --output " + o.output.prefix +
                                                    " is the name of a file, a prefix as out/s1_ " +
                                                    "is wanted: several files are written");
  require_gpus(o.gpus);
  parse_outside(o.output.outside);
  o.output.fixed = o.fixed[0];
  o.output.moving = o.moving[0];
}

/// Memory, messages and times of all ranks, for the record.
nlohmann::json ranks_record(dist::Comm& comm, double computing) {
  struct Rank {
    std::int64_t peak_mib, peak_device_mib, sent;
    double waiting, computing;
  };
  const double waiting = comm.seconds_waiting();
  const bool gpus = !comm.transport().empty();
  const auto device_mib = static_cast<std::int64_t>(gpus ? peak_device_bytes() >> 20U : 0);
  const auto all = comm.all_gather(
      Rank{peak_mib(), device_mib, comm.bytes_sent(), waiting, computing - waiting});
  nlohmann::json j{{"count", comm.size()}, {"backend", comm.backend()}};
  if (gpus) j["transport"] = comm.transport();
  for (const Rank& rank : all) {
    nlohmann::json of_rank{{"peak_mib", rank.peak_mib},
                           {"bytes_sent", rank.sent},
                           {"seconds_waiting", rank.waiting},
                           {"seconds_computing", rank.computing}};
    if (gpus) of_rank["peak_device_mib"] = rank.peak_device_mib;
    j["of_ranks"].push_back(std::move(of_rank));
  }
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
  std::printf("%s}\n", record_name(o.output.prefix).substr(o.output.prefix.size()).c_str());
}

/// Makes the page from the files that were written.
void write_page(const Context& ctx, const Options& o) {
  Context host;
  host.threads = ctx.threads;
  set_log_sink({});  // what the headers say stands on the page
  const std::string name = report::page_name(o.output.prefix);
  io::write_file(name, report::make_page(host, report::sources_of(o.output.prefix)));
  if (!o.common.quiet) std::printf("page:    %s\n", name.c_str());
}

/// The checkpoint of a command and its images; null without --checkpoint.
std::unique_ptr<CheckpointFolder> checkpoint_of(const Command& command, dist::Comm& comm,
                                                const registration::Inputs& inputs) {
  if (command.checkpoint.folder.empty()) return nullptr;
  nlohmann::json about;
  about["program"] = std::string("ffdp ") + FFDP_VERSION;
  about["command"] = std::vector(command.words.begin() + 1, command.words.end());
  about["working_directory"] = std::filesystem::current_path().string();
  about["config"] = to_json(command.config);
  about["images"] = fingerprint(comm, inputs);
  return std::make_unique<CheckpointFolder>(command.checkpoint, std::move(about));
}

/// One rank of a registration, from the files to the files.
void run_rank(dist::Comm& comm, const Command& command) {
  const Options& o = command.options;
  const std::string where = device_of_rank(comm, o.device);
  const DeviceStart device(where);
  const bool gpus = comm.size() > 1 && where != "cpu";
  if (gpus) comm.set_uncut(dist::small_on_gpus);
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const bool first = comm.rank() == 0;
  Context ctx;
  ctx.threads = o.common.threads > 0 ? o.common.threads : threads_of(comm);
  registration::Inputs inputs = read_inputs(ctx, comm, o);
  LabelWriter labels;
  if (!o.output.moving_labels.empty()) labels = read_labels(comm, o.output.moving_labels);
  if (first) prepare_output(o.output.prefix);
  const auto checkpoint = checkpoint_of(command, comm, inputs);
  const double read_seconds = elapsed();
  ctx.backend = device.wait();
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();
  if (gpus) use_gpus(comm, o.transport);
  const double ready_seconds = elapsed();
  Originals originals = keep_originals(ctx, o.output, inputs);
  originals.labels = std::move(labels);
  const Slices slices(ctx, inputs);
  registration::Result result;
  {
    ProgressPrinter printer(o.common.quiet || !first ? Verbosity::quiet
                            : o.verbose              ? Verbosity::diagnostic
                                                     : Verbosity::normal);
    result = registration::register_images(ctx, comm, command.config, std::move(inputs),
                                           printer.sink(), checkpoint.get());
  }
  slices.restore(ctx, result);
  nlohmann::json record = provenance(command, ctx, result);
  const double before_writing = elapsed();
  const auto written = write_result(ctx, comm, o.output, std::move(originals), result);
  record["written"] = written;
  record["seconds"] = {{"reading", read_seconds},
                       {"waiting for the device", ready_seconds - read_seconds},
                       {"writing", elapsed() - before_writing},
                       {"total", elapsed()}};
  record["peak_mib"] = peak_mib();
  if (ctx.backend == Backend::cuda) record["peak_device_mib"] = peak_device_bytes() >> 20U;
  record["ranks"] = ranks_record(comm, elapsed());
  if (!first) return;
  io::write_file(record_name(o.output.prefix), record.dump(1) + "\n");
  if (checkpoint) checkpoint->remove();
  if (!o.common.quiet) print_summary(o, result, elapsed(), written);
  if (o.report) write_page(ctx, o);
}

void run(Command command, const CLI::App& app) {
  Options& o = command.options;
  check_options(o);
  const Config& config = command.config = make_config(o, app);
  if (o.print_config) {
    std::printf("%s\n", to_json(config).dump(2).c_str());
    return;
  }
  start(o.common);
  check_headers(o);
  // A large registration that does not fit is refused before its images are read. A small one does
  // not wait for the device here.
  const bool several = o.ranks > 1 || dist::started_by_mpi();
  if (!several && plan_of(o, config, Backend::cuda, 0).peak > large) {
    const Backend backend = DeviceStart(o.device).wait();
    plan_of(o, config, backend, available_bytes(backend));
  }
  run_ranks(o.ranks, [&](dist::Comm& comm) { run_rank(comm, command); });
}

}  // namespace

void add_register(CLI::App& app, const std::vector<std::string>& words) {
  const auto c = std::make_shared<Command>();
  c->words = words;
  CLI::App* command = app.add_subcommand(
      "register", "Register a moving image to a fixed one: initialise, affine, diffeomorphic warp");
  add_register_options(*command, c->options);
  add_checkpoint(*command, c->checkpoint);
  command->footer(
      "Maps fixed points to moving ones: phi(p) = affine(p + d(p)), read by antsApplyTransforms.\n"
      "Examples:\n"
      "  ffdp register fixed.nii.gz moving.nii.gz -o out/s1_\n"
      "  ffdp register -f t1.nii.gz -m t2.nii.gz --metric mi -o out/t2_\n"
      "  ffdp register F.nii.gz M.nii.gz --preset affine -o out/a_ --threads 2\n"
      "  ffdp register --preset accurate --print-config > mine.json\n"
      "Exit codes: 0 done, 1 error, 2 wrong usage, 130 interrupted.");
  command->callback([c, command] { run(*c, *command); });
}

}  // namespace ffdp::cli
