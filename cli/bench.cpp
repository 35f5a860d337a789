// SPDX-License-Identifier: Apache-2.0
// Times the ops and whole iterations; rows as in benchmarks/results.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <numbers>
#include <string>
#include <type_traits>
#include <vector>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"

#include "ffdp/core/copy.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/noise.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/adam/adam.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/gc/gc.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/lncc/lncc.hpp"
#include "ffdp/ops/mi/mi.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/spline/spline.hpp"
#include "ffdp/registration/deformable/level.hpp"
#include "ffdp/registration/deformable/slab_planes.hpp"
#include "ffdp/registration/plan.hpp"

namespace ffdp::cli {
namespace {

struct BenchOptions {
  Common common;
  std::string what = "all", device = "auto", append, commit = "unknown", machine;
  std::vector<std::string> sizes{"160x192x224", "512x512x512", "1024x1024x1024"};
  int repeats = 11;
};

constexpr const char* header =
    "date,commit,machine,backend,ranks,case,size,seconds_median,repeats,voxels_per_s,"
    "bytes_per_voxel_min,fraction_of_peak_bw,peak_bytes";

/// Peak memory of what runs between begin and bytes: buffers on the device, or the process.
class PeakMemory {
 public:
  explicit PeakMemory(Backend backend) : backend_(backend) {
    reset_peak_device_bytes();
    if (backend == Backend::cpu) std::ofstream("/proc/self/clear_refs") << 5;
  }
  std::size_t bytes() const {
    if (backend_ == Backend::cuda) return peak_device_bytes();
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
      if (word == "VmHWM:") {
        std::size_t kib = 0;
        status >> kib;
        return kib << 10U;
      }
    return 0;
  }

 private:
  Backend backend_;
};

/// One size on one backend: makes the inputs and keeps the rows.
class Bench {
 public:
  Bench(Context& context, const BenchOptions& o, const Box& whole, std::string size)
      : ctx(context), box(whole), options_(o), size_(std::move(size)) {}

  Context& ctx;
  const Box box;

  /// Images repeat every `period` planes, so that large ones are made as fast as they are copied.
  Field<float> image(std::uint32_t seed) const {
    Field<float> field(ctx.backend, box);
    fill(field.data(), [=](int z, int y, int x) {
      const float wave = std::sin(turn * static_cast<float>(z) + 0.3F * static_cast<float>(seed)) *
                         std::sin(0.13F * static_cast<float>(y)) *
                         std::sin(0.09F * static_cast<float>(x + z));
      return 0.5F + 0.5F * wave + 0.1F * noise(z, y, x, seed);
    });
    return field;
  }
  /// A smooth warp of up to `amplitude` voxels.
  VectorField<float> warp(float amplitude) const {
    VectorField<float> field(ctx.backend, box);
    for (int c = 0; c < 3; ++c)
      fill(field.data() + c * box.volume(), [=](int z, int y, int x) {
        const auto phase = static_cast<float>(c);
        return amplitude * std::sin(turn * static_cast<float>(z) + phase) *
               std::sin(0.06F * static_cast<float>(y)) *
               std::sin(0.07F * static_cast<float>(x) + phase);
      });
    return field;
  }
  template <class T>
  Field<T> stored_image(std::uint32_t seed) const {
    if constexpr (std::is_same_v<T, float>) {
      return image(seed);
    } else {
      const Field<float> whole = image(seed);
      Field<T> stored(ctx.backend, box);
      intensity::store(ctx, box, whole, stored);
      synchronize(ctx);
      return stored;
    }
  }
  int repeats() const { return options_.repeats; }
  Field<float> room() const { return Field<float>(ctx.backend, box); }
  VectorField<float> vector_room() const { return VectorField<float>(ctx.backend, box); }

  /// Times `body`, of which the contract says how many bytes it moves.
  void row(const std::string& name, double bytes_per_voxel, const std::function<void()>& body) {
    body();
    body();
    Stopwatch watch;
    std::vector<double> times;
    for (int i = 0; i < options_.repeats; ++i) {
      watch.start(ctx);
      body();
      times.push_back(watch.seconds(ctx));
    }
    add_row(name, bytes_per_voxel, times);
    ctx.release_scratch();
  }
  void add_row(const std::string& name, double bytes_per_voxel, std::vector<double> times) {
    std::sort(times.begin(), times.end());
    const double seconds = times[times.size() / 2], voxels = static_cast<double>(box.volume());
    const double bandwidth = bytes_per_voxel * voxels / seconds;
    if (copy_bandwidth_ == 0) copy_bandwidth_ = bandwidth;
    char date[16];
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    std::strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&now, &utc));
    char line[512];
    std::snprintf(line, sizeof(line), "%s,%s,%s,%s,1,%s,%s,%.6g,%zu,%.4g,%g,%.3f,%zu", date,
                  options_.commit.c_str(), options_.machine.c_str(), backend().c_str(),
                  name.c_str(), size_.c_str(), seconds, times.size(), voxels / seconds,
                  bytes_per_voxel, bandwidth / copy_bandwidth_, memory_->bytes());
    std::printf("%s\n", line);
    std::fflush(stdout);
    if (!options_.append.empty()) std::ofstream(options_.append, std::ios::app) << line << '\n';
  }
  /// Runs a group of rows; says so where it does not fit.
  void group(const char* name, const std::function<void(Bench&)>& body) {
    memory_ = std::make_unique<PeakMemory>(ctx.backend);
    try {
      if (copy_bandwidth_ == 0) copy_row();
      body(*this);
    } catch (const OutOfMemory& error) {
      std::fprintf(stderr, "ffdp bench: %s at %s: %s\n", name, size_.c_str(), error.what());
    }
    ctx.release_scratch();
  }

 private:
  /// The bandwidth that the other rows are compared with.
  void copy_row() {
    const Field<float> from = image(1);
    Field<float> to = room();
    row("copy", 8, [&] { copy(ctx, to, from); });
    memory_ = std::make_unique<PeakMemory>(ctx.backend);
  }

  static constexpr int period = 64;
  static constexpr float turn = 2 * std::numbers::pi_v<float> / period;

  std::string backend() const {
    return ctx.backend == Backend::cuda ? "cuda" : "cpu" + std::to_string(ctx.threads);
  }
  template <class Value>
  void fill(float* to, Value&& value) const {
    const Box slab{box.lo, {std::min(period, box.hi[0]), box.hi[1], box.hi[2]}};
    Field<float> made(Backend::cpu, slab);
    const View<float> view = made.view();
    parallel_for(ctx, slab.size(0), [&](std::int64_t z, int) {
      for (int y = 0; y < slab.hi[1]; ++y)
        for (int x = 0; x < slab.hi[2]; ++x)
          view(static_cast<int>(z), y, x) = value(static_cast<int>(z), y, x);
    });
    const std::int64_t all = box.volume(), part = slab.volume();
    for (std::int64_t first = 0; first < all; first += part)
      copy_bytes(ctx, ctx.backend, to + first, Backend::cpu, made.data(),
                 static_cast<std::size_t>(std::min(part, all - first)) * sizeof(float));
  }

  const BenchOptions& options_;
  std::string size_;
  std::unique_ptr<PeakMemory> memory_ = std::make_unique<PeakMemory>(ctx.backend);
  double copy_bandwidth_ = 0;
};

void metrics(Bench& b) {
  const Box box = b.box;
  const auto fixed = b.image(1), warped = b.image(2);
  auto grad = b.room();
  for (int radius = 1; radius <= 8; ++radius) {
    lncc::Params p;
    p.radius = radius;
    p.fixed_centre = p.moving_centre = 0.5F;
    for (const bool missing : {false, true}) {
      p.missing_values = missing;
      b.row("lncc_r" + std::to_string(radius) + (missing ? "_missing" : ""), 12,
            [&] { lncc::forward_backward(b.ctx, p, box, box, fixed, warped, grad); });
    }
  }
  const mi::Params p;
  b.row("mi_32", 20, [&] {
    mi::Histogram histogram;
    mi::accumulate(b.ctx, p, box, box, fixed, warped, histogram);
    mi::backward(b.ctx, p, box, box, static_cast<float>(box.volume()), mi::evaluate(p, histogram),
                 fixed, warped, grad);
  });
  b.row("mse", 12, [&] { mse::forward_backward(b.ctx, {}, box, box, fixed, warped, grad); });
  const gc::Params centred{.fixed_centre = 0.5F, .moving_centre = 0.5F};
  b.row("gc", 20, [&] {
    gc::Sums sums{};
    gc::accumulate(b.ctx, centred, box, box, fixed, warped, sums);
    gc::backward(b.ctx, centred, box, box, static_cast<float>(box.volume()),
                 gc::evaluate(centred, sums).slope, fixed, warped, grad);
  });
}

void samplers(Bench& b) {
  const Box box = b.box;
  const auto moving = b.image(4);
  const auto u = b.warp(3);
  auto warped = b.room();
  sampler::Params p;
  p.moving_domain = box;
  p.displacement_map = p.map.linear;
  b.row("sampler_forward", 20,
        [&] { sampler::forward(b.ctx, p, box, box, moving, u, {}, warped); });
  const auto grad_warped = b.image(5);
  auto grad_u = b.vector_room();
  b.row("sampler_forward_backward", 52, [&] {
    sampler::forward(b.ctx, p, box, box, moving, u, {}, warped);
    sampler::backward_displacement(b.ctx, p, box, box, 1, moving, u, grad_warped, grad_u,
                                   sampler::Into::overwrite);
  });
}

void composition(Bench& b) {
  const auto step = b.warp(0.9F), u = b.warp(3);
  auto out = b.vector_room();
  b.row("compose", 36, [&] { compose::forward(b.ctx, {}, b.box, b.box, step, u, out); });
}

void smoothing(Bench& b) {
  const auto u = b.warp(3);
  auto out = b.vector_room();
  b.row("smooth_displacement_s1", 24, [&] { smooth::forward(b.ctx, {}, b.box, b.box, u, out); });
  b.row("spline_displacement_k4", 24, [&] { spline::forward(b.ctx, {}, b.box, b.box, u, out); });
}

void adam_step(Bench& b) {
  auto grad = b.warp(0.1F), first = b.warp(0.1F);
  auto second = b.image(7);
  const View<float> v = second.view();
  const VectorView<float> second_view{v.data, v.stored, 0, v.stride_z, v.stride_y};
  adam::Params p;
  p.iteration = 5;
  b.row("adam_step", 56, [&] { adam::step(b.ctx, p, b.box, b.box, grad, first, second_view); });
}

/// One update and one step of descent, moments stored as T.
template <class T>
void descents(Bench& b, const std::string& suffix) {
  const Box box = b.box;
  const auto grad = b.warp(0.1F), u = b.warp(3);
  auto out = b.vector_room();
  VectorField<T> first(b.ctx.backend, box);
  Field<T> second(b.ctx.backend, box);
  const View<T> v = second.view();
  const descent::Moments<T> moments{first.view(), {v.data, box, 0, v.stride_z, v.stride_y}};
  const Buffer<descent::Sums> sums(b.ctx.backend, 1);
  zero_bytes(b.ctx, sums.data(), sizeof(descent::Sums));
  const smooth::Params smoothing{{0.8, 0.8, 0.8}};
  adam::Params p;
  descent::update(b.ctx, p, smoothing, box, box, grad, moments, sums.data());
  p.iteration = 5;
  const double each = 4 * sizeof(T);
  b.row("descent_update" + suffix, 12 + 2 * each,
        [&] { descent::update(b.ctx, p, smoothing, box, box, grad, moments, sums.data()); });
  b.row("descent_compose" + suffix, 24 + each,
        [&] { descent::compose(b.ctx, p, {}, box, box, moments, sums.data(), u, out); });
}

void all_descents(Bench& b) {
  descents<float>(b, "");
  if (b.ctx.backend == Backend::cuda) descents<Half>(b, "_half");
}

/// Iterations of the greedy stage as the default preset has it, but for the metric (LNCC of radius
/// 2, MI of 32 bins).
template <class T>
void iterations(Bench& b, registration::MetricKind kind, registration::MemoryMode mode,
                const std::string& name) {
  registration::DeformableStage stage = registration::preset("default").deformable[0];
  stage.metrics[0].kind = kind;
  stage.metrics[0].radius = 2;
  Grid grid;
  grid.size = {b.box.size(0), b.box.size(1), b.box.size(2)};
  const Image<float> fixed{grid, b.stored_image<float>(1)};
  const Image<T> moving{grid, b.stored_image<T>(2)};
  const registration::Pair pair{fixed, moving};
  dist::SoloComm comm;
  std::vector<registration::LevelPair> pairs;
  pairs.emplace_back(b.ctx, comm, pair, grid, 1, Affine{}, b.box);
  const int planes = registration::slab_planes(
      stage, b.box, registration::slab_budget(mode, b.ctx.backend, b.box.volume(), b.box.volume()));
  VectorField<float> u = b.vector_room();
  zero_bytes(b.ctx, u.data(), 3 * static_cast<std::size_t>(b.box.volume()) * sizeof(float));
  registration::Level<T> level(b.ctx, comm, stage, dist::Cut(comm, b.box), pairs, std::move(u),
                               planes, b.repeats() + 2);
  b.row(name, 80, [&] { level.iterate(); });
}

void all_iterations(Bench& b) {
  using registration::MemoryMode;
  using registration::MetricKind;
  const struct {
    const char* name;
    MetricKind kind;
  } cases[] = {{"iteration_lncc_r2", MetricKind::lncc},
               {"iteration_mi_32", MetricKind::mi},
               {"iteration_mse", MetricKind::mse},
               {"iteration_gc", MetricKind::gc}};
  for (const auto& c : cases) {
    b.group(c.name,
            [&](Bench& bench) { iterations<float>(bench, c.kind, MemoryMode::standard, c.name); });
    if (b.ctx.backend != Backend::cuda) continue;
    const std::string compact = std::string(c.name) + "_compact";
    b.group(compact.c_str(),
            [&](Bench& bench) { iterations<Half>(bench, c.kind, MemoryMode::compact, compact); });
  }
}

struct Size {
  Int3 zyx;
  std::string name;
};
Size parse_size(const std::string& text) {
  Size size{{}, text};
  char rest = 0;
  require(std::sscanf(text.c_str(), "%dx%dx%d%c", &size.zyx[0], &size.zyx[1], &size.zyx[2],
                      &rest) == 3 &&
              !box_of(size.zyx).empty(),
          "--size: got \"" + text + "\", ZxYxX is wanted");
  // The brain of 100 um is known by its axes in the order of its file.
  if (text == "1278x1760x1760") size.name = "1760x1760x1278";
  return size;
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

void run(BenchOptions o) {
  require_one_process("bench");
  const struct {
    const char* name;
    bool op;
    std::function<void(Bench&)> body;
  } groups[] = {{"metrics", true, metrics},          {"sampler", true, samplers},
                {"compose", true, composition},      {"smooth", true, smoothing},
                {"adam", true, adam_step},           {"descent", true, all_descents},
                {"iteration", false, all_iterations}};
  DeviceStart device(o.device);
  Context ctx = start(o.common);
  ctx.backend = device.wait();
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();
  if (o.machine.empty())
    o.machine = ctx.backend == Backend::cuda ? device_info().name : processor();
  std::replace(o.machine.begin(), o.machine.end(), ',', ' ');
  if (!o.append.empty() && !std::ifstream(o.append)) std::ofstream(o.append) << header << '\n';
  std::printf("%s\n", header);
  for (const std::string& text : o.sizes) {
    const Size size = parse_size(text);
    Bench bench(ctx, o, box_of(size.zyx), size.name);
    for (const auto& group : groups)
      if (o.what == "all" || (o.what == "op") == group.op) bench.group(group.name, group.body);
  }
}

}  // namespace

void add_bench(CLI::App& app) {
  const auto o = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Time the ops and whole iterations");
  command->add_option("what", o->what, "op, iteration or all")
      ->check(CLI::IsMember({"op", "iteration", "all"}))
      ->capture_default_str();
  command->add_option("--size", o->sizes, "ZxYxX, one or more")->capture_default_str();
  command->add_option("--repeats", o->repeats, "of each case; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--append", o->append, "CSV file to append the rows to");
  command->add_option("--commit", o->commit, "names the rows")->capture_default_str();
  command->add_option("--machine", o->machine, "names the rows; the device or processor");
  add_device(*command, o->device);
  add_common(*command, o->common);
  command->footer(
      "Rows as in benchmarks/results. Examples:\n"
      "  ffdp bench op --size 160x192x224\n"
      "  ffdp bench --device cuda --append h200.csv --commit $(git rev-parse --short HEAD)\n"
      "  ffdp bench iteration --size 1278x1760x1760");
  command->callback([o] { run(*o); });
}

}  // namespace ffdp::cli
