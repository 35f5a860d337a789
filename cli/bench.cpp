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
#include "ffdp/core/timeline.hpp"
#include "ffdp/dist/reduction.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/lncc/lncc.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/spline/spline.hpp"
#include "ffdp/registration/deformable/level.hpp"
#include "ffdp/registration/deformable/slab_planes.hpp"
#include "ffdp/registration/metrics/two_pass.hpp"
#include "ffdp/registration/plan.hpp"

namespace ffdp::cli {
namespace {

/// Metrics whose gradient needs sums of the whole image first (registration/metrics/two_pass.hpp).
void two_pass_metric(Bench& b, const std::string& name, const registration::MetricConfig& config,
                     View<const float> fixed, View<const float> warped) {
  namespace two_pass = registration::two_pass;
  const registration::Metric metric{config, {.mean = 0.5F}, {.mean = 0.5F}};
  const Box box = b.box;
  auto grad = b.room();
  const Buffer<std::int64_t> sums(b.ctx.backend, two_pass::sum_count(config));
  const Buffer<float> slope(b.ctx.backend, two_pass::slope_count(config));
  const Buffer<MetricSum> value(b.ctx.backend, 1);
  const std::size_t bytes = sums.size() * sizeof(std::int64_t);
  dist::Reduction all(b.ctx, b.comm, bytes);
  b.row(name, 20, [&] {
    zero_bytes(b.ctx, sums.data(), bytes);
    two_pass::accumulate(b.ctx, metric, b.domain, box, {fixed, warped}, sums.data());
    if (!b.cut.whole()) all.sum(b.ctx, b.comm, sums.data());
    two_pass::evaluate(b.ctx, metric, sums.data(), slope.data(), value.data());
    two_pass::backward(b.ctx, metric, b.domain, box, static_cast<float>(b.domain.volume()),
                       slope.data(), {fixed, warped}, grad);
  });
  b.show(name, grad.view());
}

void metrics(Bench& b) {
  constexpr int largest = 8;
  lncc::Params p;
  p.radius = largest;
  p.fixed_centre = p.moving_centre = 0.5F;
  const Box box = b.box;
  const auto fixed = b.image(1, lncc::halo(p));
  auto warped = b.image(2, lncc::halo(p), Rims::fetched);
  auto grad = b.room();
  for (p.radius = 1; p.radius <= largest; ++p.radius) {
    const dist::Fetch rims = b.rims(lncc::halo(p));
    for (const bool missing : {false, true}) {
      p.missing_values = missing;
      const std::string name = "lncc_r" + std::to_string(p.radius) + (missing ? "_missing" : "");
      b.row(name, 12, [&] {
        rims(b.ctx, warped.view(), warped.view());
        lncc::forward_backward(b.ctx, p, b.domain, box, {fixed, warped}, grad);
      });
      b.show(name, grad.view());
    }
  }
  two_pass_metric(b, "mi_32", {.kind = registration::MetricKind::mi, .bins = 32}, fixed, warped);
  b.row("mse", 12, [&] { mse::forward_backward(b.ctx, {}, b.domain, box, {fixed, warped}, grad); });
  b.show("mse", grad.view());
  two_pass_metric(b, "gc", {.kind = registration::MetricKind::gc}, fixed, warped);
}

void samplers(Bench& b) {
  constexpr int most = 3;
  const Box box = b.box;
  const auto moving = b.image(4, most + 1);
  const auto u = b.warp(most);
  auto warped = b.room();
  sampler::Params p;
  p.moving_domain = b.domain;
  p.displacement_map = p.map.linear;
  b.row("sampler_forward", 20,
        [&] { sampler::forward(b.ctx, p, b.domain, box, moving, u, {}, warped); });
  b.show("sampler_forward", warped.view());
  const auto grad_warped = b.image(5);
  auto grad_u = b.vector_room();
  b.row("sampler_forward_backward", 52, [&] {
    sampler::forward(b.ctx, p, b.domain, box, moving, u, {}, warped);
    sampler::backward_displacement(b.ctx, p, b.domain, box, moving, u, grad_warped,
                                   {grad_u, 1, sampler::Into::overwrite});
  });
  b.show("sampler_forward_backward", grad_u.view());
}

/// Times `op`, which makes a field from u, including the fetch of the rims of u.
void of_displacement(Bench& b, const std::string& name, double bytes_per_voxel, int rim,
                     const std::function<void(VectorView<const float>, VectorView<float>)>& op) {
  auto u = b.warp(3, rim, Rims::fetched);
  auto out = b.vector_room();
  const dist::Fetch rims = b.rims(rim);
  b.row(name, bytes_per_voxel, [&] {
    rims(b.ctx, u.view(), u.view());
    op(u, out);
  });
  b.show(name, out.view());
}

void composition(Bench& b) {
  const auto step = b.warp(0.9F);
  of_displacement(b, "compose", 36, compose::halo({}), [&](auto u, auto out) {
    compose::forward(b.ctx, {}, b.domain, b.box, step, u, out);
  });
}

void smoothing(Bench& b) {
  of_displacement(b, "smooth_displacement_s1", 24, smooth::halo({})[0],
                  [&](auto u, auto out) { smooth::forward(b.ctx, {}, b.domain, b.box, u, out); });
  const smooth::Params damped{.damping = 0.1};
  of_displacement(
      b, "smooth_displacement_damped", 24, smooth::halo(damped)[0],
      [&](auto u, auto out) { smooth::forward(b.ctx, damped, b.domain, b.box, u, out); });
  of_displacement(b, "spline_displacement_k4", 24, spline::halo({})[0],
                  [&](auto u, auto out) { spline::forward(b.ctx, {}, b.domain, b.box, u, out); });
}

/// One update and one step of descent, moments stored as T.
template <class T>
void descents(Bench& b, const std::string& suffix) {
  const Box box = b.box;
  const smooth::Params smoothing{{0.8, 0.8, 0.8}};
  const int rim = smooth::halo(smoothing)[0];
  auto grad = b.warp(0.1F, rim, Rims::fetched);
  VectorField<T> first(b.ctx.backend, box);
  Field<T> second(b.ctx.backend, box);
  const View<T> v = second.view();
  const descent::Moments<T> moments{first.view(), {v.data, box, 0, v.stride_z, v.stride_y}};
  const Buffer<descent::Sums> sums(b.ctx.backend, 1);
  dist::Reduction longest(b.ctx, b.comm, sizeof(descent::Sums));
  zero_bytes(b.ctx, sums.data(), sizeof(descent::Sums));
  descent::Params p;
  const dist::Fetch rims = b.rims(rim);
  const auto update = [&] {
    rims(b.ctx, grad.view(), grad.view());
    descent::update(b.ctx, p, smoothing, b.domain, box, grad, moments, sums.data());
    if (!b.cut.whole()) longest.max(b.ctx, b.comm, &sums.data()->longest);
  };
  update();
  p.iteration = 5;
  const double each = 4 * sizeof(T);
  b.row("descent_update" + suffix, 12 + 2 * each, update);
  b.show("descent_update" + suffix, first.view());
  of_displacement(
      b, "descent_compose" + suffix, 24 + each, descent::halo({}), [&](auto u, auto out) {
        descent::compose(b.ctx, p, {.sums = sums.data()}, b.domain, box, moments, u, out);
      });
}

void all_descents(Bench& b) {
  descents<float>(b, "");
  if (b.ctx.backend == Backend::cuda) descents<Half>(b, "_half");
}

/// Iterations of a deformable stage with one metric: LNCC of radius 2, MI of 32 bins, MSE or GC.
/// All other settings are the defaults of DeformableStage, as in all rows of benchmarks/results.
template <class T>
void iterations(Bench& b, registration::MetricKind kind, registration::MemoryMode mode,
                const std::string& name) {
  constexpr int traced = 2;
  const int calls = b.repeats() + 2 + traced;
  registration::Config config = registration::preset("default");
  config.memory = mode;
  registration::DeformableStage& stage = config.deformable[0];
  stage = {};
  stage.metrics[0].kind = kind;
  stage.shrink = {1};
  stage.iterations = {calls};
  Grid grid;
  grid.size = {b.domain.size(0), b.domain.size(1), b.domain.size(2)};
  const Image<float> fixed{grid, b.stored_image<float>(1)};
  const Image<T> moving{grid, b.stored_image<T>(2)};
  const registration::Pair pair{fixed, moving};
  const registration::Plan plan = registration::make_plan(
      config, {.fixed = grid, .moving = grid, .ranks = b.comm.size(), .uncut = b.comm.uncut()},
      b.ctx.backend, dist::available_to_each(b.comm, b.ctx.backend));
  std::vector<registration::LevelPair> pairs;
  pairs.emplace_back(b.ctx, b.comm, pair, grid, 1, Affine{},
                     b.around(registration::Halo(stage).warped),
                     registration::MovingLimit{.bytes = plan.moving_room,
                                               .backend = b.ctx.backend,
                                               .motion = registration::most_step(stage) * calls});
  const int planes = registration::slab_planes(
      stage, b.box,
      registration::slab_budget(mode, b.ctx.backend, b.box.volume(), b.domain.volume()));
  VectorField<float> u = b.vector_room();
  zero_bytes(b.ctx, u.data(), 3 * static_cast<std::size_t>(b.box.volume()) * sizeof(float));
  registration::GreedyLevel<T> level(b.ctx, b.comm, stage, b.cut, pairs, std::move(u), planes,
                                     calls);
  b.row(name, 80, [&] { level.iterate(); });
  b.trace(name, [&] {
    for (int i = 0; i < traced; ++i) {
      const Span span(b.ctx, "iteration");
      level.iterate();
    }
  });
  const VectorField<float> made = level.take();
  b.show(name, made.view());
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

/// One rank.
void run_rank(dist::Comm& comm, BenchOptions o) {
  const std::string where = device_of_rank(comm, o.device);
  const DeviceStart device(where);
  const bool gpus = comm.size() > 1 && where != "cpu";
  if (gpus) comm.set_uncut(dist::small_on_gpus);
  Context ctx;
  ctx.threads = o.common.threads > 0 ? o.common.threads : threads_of(comm);
  ctx.backend = device.wait();
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();
  if (gpus) use_gpus(comm, o.transport);
  if (o.machine.empty())
    o.machine = ctx.backend == Backend::cuda ? device_info().name : processor();
  std::replace(o.machine.begin(), o.machine.end(), ',', ' ');
  if (comm.rank() == 0) {
    if (!o.append.empty() && !std::ifstream(o.append))
      std::ofstream(o.append) << bench_header << '\n';
    std::printf("%s\n", bench_header);
  }
  run_bench(ctx, comm, o);
}

void run(BenchOptions o) {
  require(o.timeline.empty() || o.what != "op", "bench: --timeline shows iterations, op has none");
  take_gpus(o.gpus, o.ranks, o.device);
  require_gpus(o.gpus);
  start(o.common);
  run_ranks(o.ranks, [&](dist::Comm& comm) { run_rank(comm, o); });
}

}  // namespace

void run_bench(Context& ctx, dist::Comm& comm, const BenchOptions& options) {
  const struct {
    const char* name;
    bool op;
    std::function<void(Bench&)> body;
  } groups[] = {{"metrics", true, metrics},      {"sampler", true, samplers},
                {"compose", true, composition},  {"smooth", true, smoothing},
                {"descent", true, all_descents}, {"iteration", false, all_iterations}};
  std::string events;
  for (const std::string& size : options.sizes) {
    Bench bench(ctx, comm, options, centred_grid(size, "1").domain(), size);
    for (const auto& group : groups)
      if (options.what == "all" || (options.what == "op") == group.op)
        bench.group(group.name, group.body);
    events += bench.traced();
  }
  if (options.timeline.empty() || comm.rank() != 0) return;
  if (const auto last = events.rfind(','); last != std::string::npos) events.resize(last);
  io::write_file(options.timeline, "{\"traceEvents\":[\n" + events + "\n]}\n");
}

void add_bench(CLI::App& app) {
  const auto o = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Time the ops and whole iterations");
  command->add_option("what", o->what, "op, iteration or all")
      ->check(CLI::IsMember({"op", "iteration", "all"}))
      ->capture_default_str();
  command->add_option("--size", o->sizes, "XxYxZ, one or more")->capture_default_str();
  command->add_option("--repeats", o->repeats, "repetitions of each case; rows hold the median")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--append", o->append, "CSV file to append the rows to");
  command->add_option("--timeline", o->timeline,
                      "JSON file for what each rank does in two iterations of each case, as "
                      "chrome://tracing and benchmarks/e2e/timeline.py read it");
  command->add_option("--commit", o->commit, "commit of the rows")->capture_default_str();
  command->add_option("--machine", o->machine,
                      "machine of the rows; default: the device or processor");
  add_device(*command, o->device);
  add_ranks(*command, o->ranks);
  add_gpus(*command, o->gpus, o->transport);
  add_common(*command, o->common);
  command->footer(
      "Prints rows as in benchmarks/results. With ranks, --size is the whole image, and each rank\n"
      "works on its planes. The time of an op includes fetching the rims that it needs. The "
      "seconds\n"
      "are those of the slowest rank, bytes_sent is that of the rank that sends most. Examples:\n"
      "  ffdp bench op --size 160x192x224\n"
      "  ffdp bench --device cuda --append h200.csv --commit $(git rev-parse --short HEAD)\n"
      "  ffdp bench iteration --size 1760x1760x1278\n"
      "  ffdp bench iteration --ranks 2 --size 256x256x512   twice the work of 256x256x256 on one\n"
      "  mpirun -n 2 ffdp bench iteration --size 256x256x256");
  command->callback([o] { run(*o); });
}

}  // namespace ffdp::cli
