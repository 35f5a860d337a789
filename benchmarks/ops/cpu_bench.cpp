// SPDX-License-Identifier: Apache-2.0
// Times every op on the CPU and prints rows for benchmarks/results.
// Usage: cpu_bench SIZE_XxYxZ THREADS REPEATS DATE COMMIT MACHINE
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "ffdp/core/field.hpp"
#include "ffdp/core/noise.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/gc/gc.hpp"
#include "ffdp/ops/invert/invert.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/ops/lncc/lncc.hpp"
#include "ffdp/ops/mi/mi.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/resize/resize.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/smooth/smooth.hpp"

namespace ffdp {
namespace {

struct Settings {
  Int3 size;
  Context ctx;
  int repeats;
  std::string date, commit, machine;
};

double seconds(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Everything an iteration works on. Smooth images and a smooth displacement of up to 2 voxels.
struct Data {
  Box domain;
  Field<float> fixed, moving, warped, grad;
  VectorField<float> u, g, s, m;
  Field<float> v;

  explicit Data(Int3 size) : domain(box_of(size)) {
    for (Field<float>* f : {&fixed, &moving, &warped, &grad, &v})
      *f = Field<float>(Backend::cpu, domain);
    for (VectorField<float>* f : {&u, &g, &s, &m}) *f = VectorField<float>(Backend::cpu, domain);
    const auto wave = [](int z, int y, int x, float k) {
      return 0.5F + 0.3F * std::sin(k * static_cast<float>(x + 2 * y)) +
             0.1F * std::cos(3 * k * static_cast<float>(z));
    };
    for (int z = 0; z < size[0]; ++z)
      for (int y = 0; y < size[1]; ++y)
        for (int x = 0; x < size[2]; ++x) {
          fixed.view()(z, y, x) = wave(z, y, x, 0.11F) + 0.05F * noise(z, y, x, 1);
          moving.view()(z, y, x) = wave(z, y, x, 0.1F) + 0.05F * noise(z, y, x, 2);
          for (int c = 0; c < 3; ++c) {
            u.view()[c](z, y, x) =
                2 * std::sin(0.05F * static_cast<float>(x + y + z) + static_cast<float>(c));
            s.view()[c](z, y, x) = 0.25F * u.view()[c](z, y, x);
          }
        }
    for (auto* f : {&g, &m}) std::copy(u.begin(), u.end(), f->begin());
    std::copy(moving.begin(), moving.end(), warped.begin());
    std::fill(v.begin(), v.end(), 0.1F);
  }
  descent::Moments<float> moments() {
    const View<float> second = v;
    return {m, {second.data, domain, 0, second.stride_z, second.stride_y}};
  }
};

void row(Settings& set, const char* name, double bytes_per_voxel, double copy_rate,
         const std::function<void()>& body) {
  body();
  std::vector<double> times;
  for (int i = 0; i < set.repeats; ++i) times.push_back(seconds(body));
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  const double voxels = static_cast<double>(box_of(set.size).volume());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%s,%s,%s,cpu%d,1,%s,%dx%dx%d,%.6f,%d,%.4g,%g,%.3f,%ld\n", set.date.c_str(),
              set.commit.c_str(), set.machine.c_str(), set.ctx.threads, name, set.size[2],
              set.size[1], set.size[0], median, set.repeats, voxels / median, bytes_per_voxel,
              copy_rate > 0 ? voxels * bytes_per_voxel / median / copy_rate : 1.0,
              usage.ru_maxrss * 1024L);
}

/// Bytes of a plain copy, read and written [1/s].
double measure_copy(Settings& set, Data& d) {
  Context& ctx = set.ctx;
  const std::int64_t plane = std::int64_t{set.size[1]} * set.size[2];
  const auto copy = [&] {
    parallel_for(ctx, 3 * std::int64_t{set.size[0]}, [&](std::int64_t i, int) {
      std::copy_n(d.u.data() + i * plane, plane, d.g.data() + i * plane);
    });
  };
  copy();
  double best = 1e9;
  for (int i = 0; i < 10; ++i) best = std::min(best, seconds(copy));
  const double copy_rate = 24.0 * static_cast<double>(d.domain.volume()) / best;
  row(set, "copy", 24, copy_rate, copy);
  return copy_rate;
}

sampler::Params sampling_of(const Data& d) {
  sampler::Params sampling;
  sampling.displacement_map = sampling.map.linear;
  sampling.moving_domain = d.domain;
  sampling.outside = 0;
  return sampling;
}

void run_sampler(Settings& set, Data& d, double copy_rate) {
  Context& ctx = set.ctx;
  const Box box = d.domain;
  const sampler::Params sampling = sampling_of(d);
  row(set, "sampler_forward", 20, copy_rate,
      [&] { sampler::forward(ctx, sampling, box, box, d.moving, d.u, {}, d.warped); });
  row(set, "sampler_backward", 44, copy_rate, [&] {
    sampler::backward_displacement(ctx, sampling, box, box, d.moving, d.u, d.fixed, {d.g, 1});
  });
  row(set, "sampler_backward_affine", 8, copy_rate,
      [&] { sampler::backward_affine(ctx, sampling, box, box, d.moving, {}, d.fixed); });
}

void run_metrics(Settings& set, Data& d, double copy_rate) {
  Context& ctx = set.ctx;
  const Box box = d.domain;
  for (int radius : {1, 2, 3, 4, 5, 6, 7, 8})
    row(set, ("lncc_r" + std::to_string(radius)).c_str(), 12, copy_rate, [&] {
      lncc::Params p;
      p.radius = radius;
      lncc::forward_backward(ctx, p, box, box, {d.fixed, d.warped}, d.grad);
    });
  mi::Params mutual;
  row(set, "mi_32", 20, copy_rate, [&] {
    mi::Histogram histogram;
    mi::accumulate(ctx, mutual, box, box, {d.fixed, d.warped}, histogram);
    mi::backward(ctx, mutual, box, box, 1, mi::evaluate(mutual, histogram), {d.fixed, d.warped},
                 d.grad);
  });
  const gc::Params centred{.fixed_centre = 0.5F, .moving_centre = 0.5F};
  row(set, "gc", 20, copy_rate, [&] {
    gc::Sums sums{};
    gc::accumulate(ctx, centred, box, box, {d.fixed, d.warped}, sums);
    gc::backward(ctx, centred, box, box, 1, gc::evaluate(centred, sums).slope, {d.fixed, d.warped},
                 d.grad);
  });
  row(set, "mse", 12, copy_rate,
      [&] { mse::forward_backward(ctx, {}, box, box, {d.fixed, d.warped}, d.grad); });
}

void run_fields(Settings& set, Data& d, double copy_rate) {
  Context& ctx = set.ctx;
  const Box box = d.domain;
  row(set, "compose", 36, copy_rate, [&] { compose::forward(ctx, {}, box, box, d.s, d.u, d.g); });
  row(set, "smooth_displacement_s1", 24, copy_rate,
      [&] { smooth::forward(ctx, {{1, 1, 1}}, box, box, d.u, d.g); });
  const descent::Params adam{.iteration = 2};
  descent::Sums sums;
  row(set, "descent_update", 44, copy_rate,
      [&] { descent::update(ctx, adam, {{0.8, 0.8, 0.8}}, box, box, d.g, d.moments(), &sums); });
  row(set, "descent_compose", 40, copy_rate,
      [&] { descent::compose(ctx, adam, {.sums = &sums}, box, box, d.moments(), d.u, d.s); });
  row(set, "invert", 24, copy_rate,
      [&] { invert::forward(ctx, {.tolerance = 0.02, .reach = 2}, box, box, d.u, d.g); });
  row(set, "jacobian_statistics", 12, copy_rate,
      [&] { jacobian::statistics(ctx, box, box, d.u, {}); });
  const Box half = box_of({set.size[0] / 2, set.size[1] / 2, set.size[2] / 2});
  Field<float> small(Backend::cpu, half);
  row(set, "shrink_2", 4.5, copy_rate,
      [&] { resize::shrink(ctx, {}, {box, half}, half, d.fixed, small); });
}

void run_iteration(Settings& set, Data& d, double copy_rate) {
  Context& ctx = set.ctx;
  const Box box = d.domain;
  const sampler::Params sampling = sampling_of(d);
  const descent::Params adam{.epsilon = 1, .iteration = 2};
  row(set, "iteration_lncc_r3", 80, copy_rate, [&] {
    sampler::forward(ctx, sampling, box, box, d.moving, d.u, {}, d.warped);
    lncc::Params p;
    p.radius = 3;
    lncc::forward_backward(ctx, p, box, box, {d.fixed, d.warped}, d.grad, d.g);
    std::fill(d.g.begin(), d.g.end(), 0.0F);
    sampler::backward_displacement(ctx, sampling, box, box, d.moving, d.u, d.grad, {d.g, -1});
    descent::Sums sums;
    descent::update(ctx, adam, {{0.8, 0.8, 0.8}}, box, box, d.g, d.moments(), &sums);
    descent::compose(ctx, adam, {.sums = &sums}, box, box, d.moments(), d.u, d.s);
    smooth::forward(ctx, {{0.7071, 0.7071, 0.7071}}, box, box, d.s, d.u);
  });
}

void run(Settings set) {
  Data d(set.size);
  std::printf(
      "date,commit,machine,backend,ranks,case,size,seconds_median,repeats,voxels_per_s,"
      "bytes_per_voxel_min,fraction_of_peak_bw,peak_bytes\n");
  const double copy_rate = measure_copy(set, d);
  run_sampler(set, d, copy_rate);
  run_metrics(set, d, copy_rate);
  run_fields(set, d, copy_rate);
  run_iteration(set, d, copy_rate);
}

}  // namespace
}  // namespace ffdp

int main(int argc, char** argv) {
  ffdp::Settings set{};
  if (argc != 7 ||
      std::sscanf(argv[1], "%dx%dx%d", &set.size[2], &set.size[1], &set.size[0]) != 3) {
    std::fprintf(stderr, "usage: cpu_bench SIZE_XxYxZ THREADS REPEATS DATE COMMIT MACHINE\n");
    return 2;
  }
  set.ctx.threads = std::atoi(argv[2]);
  set.repeats = std::atoi(argv[3]);
  set.date = argv[4];
  set.commit = argv[5];
  set.machine = argv[6];
  ffdp::run(std::move(set));
  return 0;
}
