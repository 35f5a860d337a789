// SPDX-License-Identifier: Apache-2.0
#include "cli/register_options.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include "cli/ranks.hpp"
#include "cli/recipe.hpp"
#include <nlohmann/json.hpp>

#include "ffdp/core/error.hpp"

namespace ffdp::cli {
namespace {

using registration::Config;
using registration::DeformableStage;
using registration::MetricKind;

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
                                                {"mse", MetricKind::mse},
                                                {"gc", MetricKind::gc}};
  std::size_t start = 0;
  bool first = true;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string word = text.substr(start, end - start);
    const auto equals = word.find('=');
    if (first) {
      const auto kind = kinds.find(word);
      require(kind != kinds.end(),
              "--metric: got \"" + word + "\", one of lncc, mi, mse, gc is wanted");
      metric.kind = kind->second;
    } else {
      require(equals != std::string::npos, "--metric: got \"" + word + "\", NAME=NUMBER is wanted");
      const std::string name = word.substr(0, equals);
      const double value = numbers("--metric", word.substr(equals + 1), ' ').front();
      if (name == "radius") {
        metric.radius = static_cast<int>(value);
        metric.coarse_radii.clear();
      } else if (name == "bins")
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

/// How the linear stages begin, and which there are.
void apply_linear(const RegisterOptions& o, Config& config) {
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
  if (o.linear.empty()) return;
  registration::LinearStage stage;
  if (!config.linear.empty()) stage = config.linear[0];
  config.linear.clear();
  if (o.linear == "none") return;
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

/// What holds for all stages.
void apply_common(const RegisterOptions& o, const CLI::App& command, Config& config) {
  if (!o.winsorize.empty()) {
    const auto range = numbers("--winsorize", o.winsorize, ',');
    require(range.size() == 2, "--winsorize: got \"" + o.winsorize + "\", LO,HI is wanted");
    config.winsorize_lo = range[0];
    config.winsorize_hi = range[1];
  }
  if (o.match_histograms) config.match_histograms = true;
  if (!o.memory.empty()) config = with_setting(config, "memory=" + o.memory);
  if (!o.moving_access.empty()) config = with_setting(config, "moving_access=" + o.moving_access);
  if (o.symmetric) config.symmetric = true;
  if (command.count("--seed")) config.seed = o.seed;
}

void apply_deformable(const RegisterOptions& o, const CLI::App& command, Config& config) {
  if (o.no_deformable) config.deformable.clear();
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
  if (command.count("--sigma-update") || command.count("--sigma-warp")) {
    stage.widening = 0;
    stage.gentle = {};
  }
  if (command.count("--sigma-update")) stage.sigma_update = o.sigma_update;
  if (command.count("--sigma-warp")) stage.sigma_warp = o.sigma_warp;
  if (command.count("--damping")) {
    stage.damping = o.damping;
    stage.gentle.damping = registration::Gentle{}.damping;
  }
}

}  // namespace

registration::Config make_config(const RegisterOptions& o, const CLI::App& command) {
  Config config = registration::preset(o.preset);
  if (!o.recipe.empty()) {
    std::ifstream file(o.recipe);
    if (!file) throw IoError(o.recipe + ": cannot be opened");
    const auto recipe = nlohmann::json::parse(file, nullptr, false, true);
    require(!recipe.is_discarded(), o.recipe + ": is not JSON");
    config = from_json(config, recipe, o.recipe);
  }
  apply_linear(o, config);
  apply_common(o, command, config);
  apply_deformable(o, command, config);
  for (const auto& setting : o.settings) config = with_setting(config, setting);
  registration::validate(config);
  return config;
}

void take_images(RegisterOptions& o) {
  if (!o.images.empty()) {
    require(o.images.size() == 2 && o.fixed.empty() && o.moving.empty(),
            "register: FIXED and MOVING are wanted, by position or by --fixed and --moving");
    o.fixed = {o.images[0]};
    o.moving = {o.images[1]};
  }
}

namespace {

void add_files(CLI::App& command, RegisterOptions& o) {
  command.add_option("images", o.images, "FIXED MOVING")->expected(2);
  command.add_option("-f,--fixed", o.fixed, "fixed image; repeat for more channels")
      ->allow_extra_args(false);
  command.add_option("-m,--moving", o.moving, "moving image; repeat for more channels")
      ->allow_extra_args(false);
  command.add_option("-o,--output", o.output.prefix,
                     "prefix of the output files, as in ANTs: out/s1_ gives out/s1_1Warp.nii.gz");
  command
      .add_option(
          "--write", o.output.files,
          "files to write: some of warp, inverse-warp, warped, inverse-warped; default: all")
      ->delimiter(',')
      ->check(CLI::IsMember(optional_files));
  command
      .add_option("--default-value", o.output.outside,
                  "value of the warped images where there is no sample: a number, or min for the "
                  "smallest value of the image (air of a CT)")
      ->capture_default_str();
}

/// Options that decide the result.
void add_recipe(CLI::App& command, RegisterOptions& o) {
  command.add_option("-p,--preset", o.preset, "fast, default, accurate, affine or rigid")
      ->capture_default_str();
  command.add_option("--fixed-mask", o.fixed_mask,
                     "restricts the metrics to its nonzero voxels; on the grid of the fixed image");
  command.add_option("--moving-mask", o.moving_mask, "the same for the moving image");
  command.add_option("--moving-labels", o.output.moving_labels,
                     "label map that is warped, too: PREFIXWarpedLabels.nii.gz");
  command.add_flag("--report", o.report,
                   "write PREFIXreport.html as well: pictures, maps, costs, checks (ffdp report)");
  command.add_option("-c,--config", o.recipe,
                     "recipe file (JSON); its settings replace those of the preset");
  command.add_flag("--print-config", o.print_config, "print the recipe and stop");
  command
      .add_option("--set", o.settings,
                  "PATH=VALUE: any setting of the recipe, for example "
                  "deformable/0/metrics/0/radius=2")
      ->allow_extra_args(false);
  command
      .add_option("--init", o.initialization,
                  "automatic, identity, centre, mass, origin or moments")
      ->check(CLI::IsMember({"automatic", "identity", "centre", "mass", "origin", "moments"}));
  command
      .add_option(
          "-t,--initial-transform", o.start,
          "FILE or [FILE,1]: start from this affine instead of --init; repeatable, as in apply")
      ->allow_extra_args(false);
  command.add_option("--linear", o.linear,
                     "linear stages: a list of translation, rigid, similarity, affine; or none");
  command.add_flag("--no-deformable", o.no_deformable, "stop after the linear stages");
}

void add_deformable(CLI::App& command, RegisterOptions& o) {
  command
      .add_option("--metric", o.metrics,
                  "lncc, mi, mse or gc, with options: lncc,radius=3 (0, the default: by the size "
                  "of the image) lncc,gaussian=2 mi,bins=32 mse,weight=0.5,pair=1; repeatable")
      ->allow_extra_args(false);
  command.add_option("--iterations", o.iterations,
                     "of the deformable levels, coarse to fine, for example 100x50x10");
  command.add_option("--shrink", o.shrink,
                     "factors of the deformable levels, coarse to fine, for example 4x2x1");
  command.add_option("--step", o.step, "largest step of an iteration [voxels]");
  command.add_option("--sigma-update", o.sigma_update, "smoothing of the gradient [voxels]");
  command.add_option("--sigma-warp", o.sigma_warp, "smoothing of the warp [voxels]");
  command.add_option("--damping", o.damping, "of changes of volume, 0 to 0.4 [squared voxels]");
  command.add_flag("--symmetric", o.symmetric,
                   "average with the registration in the other direction");
}

void add_preparation_and_memory(CLI::App& command, RegisterOptions& o) {
  command.add_option("--winsorize", o.winsorize,
                     "LO,HI: clamp intensities to these quantiles, for example 0.005,0.995");
  command
      .add_option("--memory", o.memory,
                  "automatic, standard (float32) or compact (half precision, CUDA only)")
      ->check(CLI::IsMember({"automatic", "standard", "compact"}));
  command
      .add_option(
          "--moving-access", o.moving_access,
          "with --ranks, what a rank holds of the moving image: all of it (replicate), the box "
          "that its voxels reach (fetch), or parts that pass round the ranks (ring); the result "
          "is the same. automatic: by memory (docs/grid_parallel.md)")
      ->check(CLI::IsMember({"automatic", "replicate", "fetch", "ring"}));
  command.add_flag("--match-histograms", o.match_histograms,
                   "map moving intensities to fixed ones");
  command.add_option("--seed", o.seed, "stored in the record; nothing is random");
}

/// Options of output, device and ranks.
void add_machine(CLI::App& command, RegisterOptions& o) {
  command.add_flag("-v,--verbose", o.verbose,
                   "print one line per iteration, as ANTs does (DIAGNOSTIC)");
  add_compression(command, o.output.compression);
  add_device(command, o.device);
  command
      .add_option(
          "--ranks", o.ranks,
          "share the images among N ranks of this process, each with --threads; the result is "
          "the same at any number. On several machines: mpirun -n N ffdp register ...")
      ->check(CLI::Range(1, 4096));
  add_gpus(command, o.gpus, o.transport);
  add_common(command, o.common);
}

}  // namespace

void add_register_options(CLI::App& command, RegisterOptions& o) {
  add_files(command, o);  // in the order of --help
  add_recipe(command, o);
  add_deformable(command, o);
  add_preparation_and_memory(command, o);
  add_machine(command, o);
}

}  // namespace ffdp::cli
