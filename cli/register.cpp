// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/register.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <map>
#include <utility>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/progress.hpp"
#include "cli/recipe.hpp"
#include "cli/register_output.hpp"
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"

namespace ffdp::cli {
namespace {

using registration::Config;
using registration::DeformableStage;
using registration::MetricKind;

struct Options {
  Common common;
  OutputOptions output;
  std::vector<std::string> images, fixed, moving, metrics, settings, start;
  std::string fixed_mask, moving_mask, preset = "default", recipe, iterations, shrink, winsorize,
                                       initialization, linear, device = "auto";
  double step = 0, sigma_update = -1, sigma_warp = -1;
  std::uint64_t seed = 0;
  bool print_config = false, verbose = false, match_histograms = false, symmetric = false,
       no_deformable = false;
};

std::vector<double> numbers(const std::string& option, const std::string& text, char separator) {
  std::vector<double> values;
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    std::size_t used = 0;
    double value = 0;
    try {
      value = std::stod(text.substr(start, end - start), &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != end - start) {
      std::string message = option;
      message += ": got \"";
      message += text;
      message += "\", numbers separated by ";
      message += separator;
      throw InvalidArgument(message + " are wanted");
    }
    values.push_back(value);
    start = end + 1;
  }
  return values;
}

std::vector<int> whole_numbers(const std::string& option, const std::string& text) {
  std::vector<int> result;
  for (double v : numbers(option, text, 'x')) result.push_back(static_cast<int>(v));
  return result;
}

/// "lncc,radius=3,weight=1,pair=0"
registration::MetricConfig parse_metric(const std::string& text,
                                        registration::MetricConfig metric) {
  const std::map<std::string, MetricKind> kinds{{"lncc", MetricKind::lncc},
                                                {"cc", MetricKind::lncc},
                                                {"mi", MetricKind::mi},
                                                {"mse", MetricKind::mse}};
  std::size_t start = 0;
  bool first = true;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string word = text.substr(start, end - start);
    const auto equals = word.find('=');
    if (first) {
      const auto kind = kinds.find(word);
      require(kind != kinds.end(),
              "--metric: got \"" + word + "\", one of lncc, mi, mse is wanted");
      metric.kind = kind->second;
    } else {
      require(equals != std::string::npos, "--metric: got \"" + word + "\", NAME=NUMBER is wanted");
      const std::string name = word.substr(0, equals);
      const double value = numbers("--metric", word.substr(equals + 1), ' ').front();
      if (name == "radius")
        metric.radius = static_cast<int>(value);
      else if (name == "bins")
        metric.bins = static_cast<int>(value);
      else if (name == "weight")
        metric.weight = value;
      else if (name == "pair")
        metric.image_pair = static_cast<int>(value);
      else if (name == "gaussian") {
        metric.window = lncc::Window::gaussian;
        metric.sigma = value;
      } else {
        throw InvalidArgument("--metric: got \"" + name +
                              "\", one of radius, gaussian, bins, weight, pair is wanted");
      }
    }
    first = false;
    start = end + 1;
  }
  return metric;
}

void apply_flags(const Options& o, const CLI::App& command, Config& config) {
  using registration::Initialization;
  const std::map<std::string, Initialization> initializations{
      {"automatic", Initialization::automatic},     {"identity", Initialization::identity},
      {"centre", Initialization::geometric_centre}, {"mass", Initialization::centre_of_mass},
      {"origin", Initialization::origin},           {"moments", Initialization::moments}};
  const std::map<std::string, registration::LinearKind> kinds{
      {"translation", registration::LinearKind::translation},
      {"rigid", registration::LinearKind::rigid},
      {"similarity", registration::LinearKind::similarity},
      {"affine", registration::LinearKind::affine}};
  if (!o.initialization.empty()) config.initialization = initializations.at(o.initialization);
  if (o.linear == "none") {
    config.linear.clear();
  } else if (!o.linear.empty()) {
    const auto stage = config.linear.empty() ? registration::LinearStage{} : config.linear[0];
    config.linear.clear();
    std::size_t start = 0;
    while (start <= o.linear.size()) {
      const std::size_t end = std::min(o.linear.find(',', start), o.linear.size());
      const auto kind = kinds.find(o.linear.substr(start, end - start));
      require(kind != kinds.end(), "--linear: got \"" + o.linear +
                                       "\", a list of translation, rigid, similarity, affine or "
                                       "none is wanted");
      config.linear.push_back(stage);
      config.linear.back().kind = kind->second;
      start = end + 1;
    }
  }
  if (o.no_deformable) config.deformable.clear();
  if (!o.winsorize.empty()) {
    const auto range = numbers("--winsorize", o.winsorize, ',');
    require(range.size() == 2, "--winsorize: got \"" + o.winsorize + "\", LO,HI is wanted");
    config.winsorize_lo = range[0];
    config.winsorize_hi = range[1];
  }
  if (o.match_histograms) config.match_histograms = true;
  if (o.symmetric) config.symmetric = true;
  if (command.count("--seed")) config.seed = o.seed;
  const bool deformable_flags = command.count("--iterations") || command.count("--shrink") ||
                                command.count("--step") || command.count("--sigma-update") ||
                                command.count("--sigma-warp");
  if (config.deformable.empty()) {
    require(!deformable_flags,
            "register: a flag of the deformable stage is given, but there is no such stage");
    if (!o.metrics.empty())
      for (auto& stage : config.linear) stage.metric = parse_metric(o.metrics[0], stage.metric);
    return;
  }
  DeformableStage& stage = config.deformable[0];
  if (!o.iterations.empty()) stage.iterations = whole_numbers("--iterations", o.iterations);
  if (!o.shrink.empty()) stage.shrink = whole_numbers("--shrink", o.shrink);
  require(stage.shrink.empty() || o.iterations.empty() ||
              stage.shrink.size() == stage.iterations.size(),
          "register: --iterations has " + std::to_string(stage.iterations.size()) +
              " levels and --shrink " + std::to_string(stage.shrink.size()));
  if (!o.metrics.empty()) {
    const auto base = stage.metrics[0];
    stage.metrics.clear();
    for (const auto& text : o.metrics) stage.metrics.push_back(parse_metric(text, base));
    const auto is_lncc = [](const auto& m) { return m.kind == MetricKind::lncc; };
    if (std::none_of(stage.metrics.begin(), stage.metrics.end(), is_lncc))
      registration::use_global_metrics(config);
  }
  if (command.count("--step")) stage.step = o.step;
  if (command.count("--sigma-update")) stage.sigma_update = o.sigma_update;
  if (command.count("--sigma-warp")) stage.sigma_warp = o.sigma_warp;
}

Config make_config(const Options& o, const CLI::App& command) {
  Config config = registration::preset(o.preset);
  if (!o.recipe.empty()) {
    std::ifstream file(o.recipe);
    if (!file) throw IoError(o.recipe + ": cannot be opened");
    const auto recipe = nlohmann::json::parse(file, nullptr, false, true);
    require(!recipe.is_discarded(), o.recipe + ": is not JSON");
    config = from_json(config, recipe, o.recipe);
  }
  apply_flags(o, command, config);
  for (const auto& setting : o.settings) config = with_setting(config, setting);
  registration::validate(config);
  return config;
}

Image<std::uint8_t> read_mask(const std::string& path) {
  const Image<float> image = io::read_image<float>(path);
  Image<std::uint8_t> mask{image.grid, Field<std::uint8_t>(Backend::cpu, image.grid.domain())};
  std::transform(image.data.begin(), image.data.end(), mask.data.begin(),
                 [](float v) { return static_cast<std::uint8_t>(v != 0); });
  require(std::any_of(mask.data.begin(), mask.data.end(), [](std::uint8_t m) { return m != 0; }),
          path + ": the mask is empty");
  return mask;
}

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
Originals keep_originals(const Context& ctx, registration::Inputs& in) {
  if (ctx.backend == Backend::cpu) return {};
  Originals kept;
  const auto bring = [&](Image<float>& image) {
    return std::exchange(image, {image.grid, copy_to(ctx, ctx.backend, image.data)});
  };
  kept.fixed = bring(in.fixed[0]);
  kept.moving = bring(in.moving[0]);
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
  j["plan"]["mode"] =
      result.plan.mode == registration::MemoryMode::compact ? "compact" : "standard";
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

void check_options(Options& o) {
  if (!o.images.empty()) {
    require(o.images.size() == 2 && o.fixed.empty() && o.moving.empty(),
            "register: FIXED and MOVING are wanted, by position or by --fixed and --moving");
    o.fixed = {o.images[0]};
    o.moving = {o.images[1]};
  }
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
  Originals originals = keep_originals(ctx, inputs);
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
  write_result(ctx, o.output, std::move(originals), result);
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
  std::printf("\nwritten: %s{0GenericAffine.mat%s%s,.json}\n", o.output.prefix.c_str(),
              jac.count > 0 && o.output.warps ? ",1Warp.nii.gz,1InverseWarp.nii.gz" : "",
              o.output.images ? ",Warped.nii.gz,InverseWarped.nii.gz" : "");
}

}  // namespace

void add_register(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "register", "Register a moving image to a fixed one: initialise, affine, diffeomorphic warp");
  command->add_option("images", o->images, "FIXED MOVING")->expected(2);
  command->add_option("-f,--fixed", o->fixed, "fixed image; repeat for more channels")
      ->allow_extra_args(false);
  command->add_option("-m,--moving", o->moving, "moving image; repeat for more channels")
      ->allow_extra_args(false);
  command->add_option("-o,--output", o->output.prefix,
                      "prefix of the output files, as ANTs': out/s1_ gives out/s1_1Warp.nii.gz");
  command->add_option("-p,--preset", o->preset, "fast, default, accurate, affine or rigid")
      ->capture_default_str();
  command->add_option("--fixed-mask", o->fixed_mask,
                      "restricts the metrics: 0 is left out; on the grid of the fixed image");
  command->add_option("--moving-mask", o->moving_mask, "likewise, of the moving image");
  command->add_option("--moving-labels", o->output.moving_labels,
                      "label map to warp as well: PWarpedLabels.nii.gz");
  command->add_option("-c,--config", o->recipe, "recipe file (JSON), read over the preset");
  command->add_flag("--print-config", o->print_config, "print the recipe and stop");
  command
      ->add_option("--set", o->settings,
                   "PATH=VALUE: any setting of the recipe, as "
                   "deformable/0/metrics/0/radius=2")
      ->allow_extra_args(false);
  command
      ->add_option("--init", o->initialization,
                   "automatic, identity, centre, mass, origin or moments")
      ->check(CLI::IsMember({"automatic", "identity", "centre", "mass", "origin", "moments"}));
  command
      ->add_option("-t,--initial-transform", o->start,
                   "FILE or [FILE,1]: start from this affine instead; repeatable as in apply")
      ->allow_extra_args(false);
  command->add_option("--linear", o->linear,
                      "linear stages: a list of translation, rigid, similarity, affine; or none");
  command->add_flag("--no-deformable", o->no_deformable, "stop after the linear stages");
  command
      ->add_option("--metric", o->metrics,
                   "lncc, mi or mse, with options: lncc,radius=3 lncc,gaussian=2 mi,bins=32 "
                   "mse,weight=0.5,pair=1; repeatable")
      ->allow_extra_args(false);
  command->add_option("--iterations", o->iterations, "of the deformable levels, as 100x50x10");
  command->add_option("--shrink", o->shrink, "of the deformable levels, as 4x2x1");
  command->add_option("--step", o->step, "largest step of an iteration [voxels]");
  command->add_option("--sigma-update", o->sigma_update, "smoothing of the gradient [voxels]");
  command->add_option("--sigma-warp", o->sigma_warp, "smoothing of the warp [voxels]");
  command->add_flag("--symmetric", o->symmetric, "average with the registration the other way");
  command->add_option("--winsorize", o->winsorize, "LO,HI quantiles, as 0.005,0.995");
  command->add_flag("--match-histograms", o->match_histograms, "moving intensities to fixed ones");
  command->add_option("--seed", o->seed, "kept with the result; nothing here is random so far");
  command->add_flag("-v,--verbose", o->verbose, "a line an iteration, as ANTs' DIAGNOSTIC");
  add_compression(*command, o->output.compression);
  add_device(*command, o->device);
  add_common(*command, o->common);
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
