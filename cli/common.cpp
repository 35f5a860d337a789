// SPDX-License-Identifier: Apache-2.0
#include "cli/common.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "cli/ranks.hpp"
#include <sched.h>

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/transforms/apply.hpp"
#include "ffdp/transforms/invert.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli {
namespace {

constexpr double inverse_tolerance = 0.01;  // [voxels]

int usable_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
}

DisplacementImage invert_field(Context& ctx, const DisplacementImage& displacement) {
  auto inverse = transforms::invert_displacement(ctx, inverse_tolerance, displacement);
  if (inverse.residual.unconverged > 0)
    log(Level::warning, "invert: " + std::to_string(inverse.residual.unconverged) +
                            " voxels have no inverse to " + std::to_string(inverse_tolerance) +
                            " voxel; the largest residual is " +
                            std::to_string(inverse.residual.max) + " voxel");
  return std::move(inverse.image);
}

}  // namespace

void add_common(CLI::App& command, Common& common) {
  command.add_option("--threads", common.threads, "threads; 0 for all processors")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_flag("-q,--quiet", common.quiet, "print errors only");
}

void add_device(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "auto, cpu, cuda or cuda:N; auto takes a GPU it can use")
      ->capture_default_str();
}

DeviceStart::DeviceStart(const std::string& device) {
  if (device.starts_with("cuda:")) {
    const char* end = device.data() + device.size();
    const auto [rest, error] = std::from_chars(device.data() + 5, end, index_);
    require(error == std::errc() && rest == end && index_ >= 0,
            "--device: got '" + device + "', cuda:N with a number N is wanted");
  } else {
    require(device == "auto" || device == "cpu" || device == "cuda",
            "--device: got '" + device + "', auto, cpu, cuda or cuda:N is wanted");
  }
  const bool automatic = device == "auto", on_cpu = device == "cpu";
  ready_ = std::async(std::launch::async, [=, index = index_] {
    if (on_cpu) return Backend::cpu;
    const std::string problem = device_problem(index);
    if (!problem.empty() && automatic) return Backend::cpu;
    if (!problem.empty())
      throw InvalidArgument("--device " + device + ": " + problem + "; --device cpu is there");
    select_device(index);
    return Backend::cuda;
  });
}

Backend DeviceStart::wait() const {
  const Backend backend = ready_.get();
  if (backend == Backend::cuda) select_device(index_);
  return backend;
}

int default_threads() {
  for (const char* name : {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    int threads = 0;
    const auto [rest, error] = std::from_chars(text, text + std::strlen(text), threads);
    // OpenMP takes a list, one number a nested level.
    if (error == std::errc() && (*rest == 0 || *rest == ',') && threads >= 1 && threads <= 4096)
      return threads;
  }
  return usable_processors();
}

Context start(const Common& common) {
  set_log_sink(common.quiet ? LogSink() : [](Level level, std::string_view message) {
    if (level == Level::warning && speaks())
      std::fprintf(stderr, "ffdp: warning: %.*s\n", static_cast<int>(message.size()),
                   message.data());
  });
  Context ctx;
  ctx.threads = common.threads > 0 ? common.threads : default_threads();
  return ctx;
}

Image<std::uint8_t> read_mask(const std::string& path) {
  const Image<float> image = io::read_image<float>(path);
  Image<std::uint8_t> mask{image.grid, Field<std::uint8_t>(Backend::cpu, image.grid.domain())};
  std::transform(image.data.begin(), image.data.end(), mask.data.begin(),
                 [](float v) { return static_cast<std::uint8_t>(v != 0 && v == v); });
  require(std::any_of(mask.data.begin(), mask.data.end(), [](std::uint8_t m) { return m != 0; }),
          path + ": the mask is empty");
  return mask;
}

namespace {

/// The displacement of a file; of a composite that of all its transforms on the grid of its first
/// field.
DisplacementImage whole_warp(Context& ctx, const std::string& path) {
  if (io::is_nifti(path)) return io::read_displacement(path);
  const Chain chain = read_chain(ctx, {path});
  for (const auto& step : chain.steps())
    if (const auto* field = std::get_if<std::shared_ptr<const DisplacementImage>>(&step))
      return transforms::compose(ctx, (*field)->grid, chain);
  throw InvalidArgument(path + ": holds no displacement field, a warp is wanted");
}

}  // namespace

std::optional<double> parse_outside(const std::string& text) {
  if (text == "min") return std::nullopt;
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && rest == text.data() + text.size(),
          "--default-value: got '" + text + "', a number or min is wanted");
  return value;
}

std::string left_out(std::int64_t count) {
  return count > 0 ? ", " + std::to_string(count) + " left out" : "";
}

DisplacementImage read_warp(Context& ctx, const std::string& path) {
  DisplacementImage warp = whole_warp(ctx, path);
  const std::int64_t missing = transforms::mark_missing(warp);
  if (missing > 0)
    log(Level::warning, path + ": " + std::to_string(missing) + " of " +
                            std::to_string(warp.grid.domain().volume()) +
                            " voxels hold no displacement: they are left out");
  return warp;
}

CLI::Option* add_transforms(CLI::App& command, std::vector<std::string>& transforms) {
  return command
      .add_option("-t,--transform", transforms,
                  "FILE, or [FILE,1] for its inverse; repeatable; the image meets the last one "
                  "first, a point of the reference "
                  "the first one first")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("FILE|[FILE,1]");
}

TransformArgument parse_transform_argument(const std::string& argument) {
  const auto trimmed = [](const std::string& s) {
    const auto first = s.find_first_not_of(" \t");
    return first == std::string::npos ? "" : s.substr(first, s.find_last_not_of(" \t") - first + 1);
  };
  const std::string text = trimmed(argument);
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return {argument, false};
  const std::string body = text.substr(1, text.size() - 2);
  const auto comma = body.rfind(',');
  if (comma == std::string::npos) return {trimmed(body), false};
  const std::string flag = trimmed(body.substr(comma + 1));
  require(flag == "0" || flag == "1",
          "--transform: got '" + text + "', FILE, [FILE,0] or [FILE,1] is wanted");
  return {trimmed(body.substr(0, comma)), flag == "1"};
}

Chain read_chain(Context& ctx, const std::vector<std::string>& arguments) {
  Chain chain;
  bool flat = !arguments.empty();
  for (const std::string& text : arguments) {
    const TransformArgument argument = parse_transform_argument(text);
    const io::TransformFile file = io::read_transform(argument.path);
    flat = flat && file.dimension == 2;
    transforms::CompositeTransform one;
    for (const io::Transform& transform : file.transforms) one.append(transform);
    if (!argument.inverted) {
      chain.append(one);
      continue;
    }
    try {
      chain.append(transforms::inverse(ctx, one, invert_field));
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(argument.path + ": cannot be inverted: " + error.what());
    }
  }
  chain.dimension = flat ? 2 : 3;
  return chain;
}

void add_compression(CLI::App& command, int& level) {
  command.add_option("--compression", level, "of .gz output: 1 is fast, 12 is small")
      ->check(CLI::Range(1, 12))
      ->capture_default_str();
}

void write_chain(Context& ctx, const std::string& path, const Chain& chain, const Grid* grid,
                 int compression_level) {
  if (path.ends_with(".h5")) return io::write_composite(path, chain.steps(), chain.dimension);
  if (!io::is_nifti_name(path)) {
    const Affine* affine = chain.as_affine();
    if (affine == nullptr)
      throw InvalidArgument(path + ": the chain holds a warp, .nii.gz or .h5 is wanted");
    return io::write_affine(path, *affine, grid != nullptr ? grid->centre() : Vec3{},
                            chain.dimension);
  }
  if (grid == nullptr)
    throw InvalidArgument(path + ": --reference is wanted, to know the grid of the warp");
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.compression_level = compression_level;
  const auto& steps = chain.steps();
  // A single displacement on this grid is written as it is.
  const auto* only = steps.size() == 1
                         ? std::get_if<std::shared_ptr<const DisplacementImage>>(&steps[0])
                         : nullptr;
  if (only != nullptr && (*only)->grid == *grid)
    return io::write_displacement(path, **only, options);
  io::write_displacement(path, transforms::compose(ctx, *grid, chain), options);
}

}  // namespace ffdp::cli
