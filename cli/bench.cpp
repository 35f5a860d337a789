// SPDX-License-Identifier: Apache-2.0
// Times the ops and whole iterations; rows as in benchmarks/results.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_rows.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"
#include "cli/sizes.hpp"

#include "ffdp/core/copy.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/gc/gc.hpp"
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
  descent::Params p;
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
  } groups[] = {{"metrics", true, metrics},      {"sampler", true, samplers},
                {"compose", true, composition},  {"smooth", true, smoothing},
                {"descent", true, all_descents}, {"iteration", false, all_iterations}};
  DeviceStart device(o.device);
  Context ctx = start(o.common);
  ctx.backend = device.wait();
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();
  if (o.machine.empty())
    o.machine = ctx.backend == Backend::cuda ? device_info().name : processor();
  std::replace(o.machine.begin(), o.machine.end(), ',', ' ');
  if (!o.append.empty() && !std::ifstream(o.append))
    std::ofstream(o.append) << bench_header << '\n';
  std::printf("%s\n", bench_header);
  for (const std::string& size : o.sizes) {
    Bench bench(ctx, o, centred_grid(size, "1").domain(), size);
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
  command->add_option("--size", o->sizes, "XxYxZ, one or more")->capture_default_str();
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
      "  ffdp bench iteration --size 1760x1760x1278");
  command->callback([o] { run(*o); });
}

}  // namespace ffdp::cli
