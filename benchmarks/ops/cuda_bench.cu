// SPDX-License-Identifier: Apache-2.0
// cuda_bench [ZxYxX…]: each op on the GPU, a CSV row of benchmarks/results a case (STYLE 3.10).
// FFDP_COMMIT and FFDP_MACHINE name the row.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/core/noise.hpp"
#include "ffdp/ops/adam/adam.hpp"
#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/compose/compose.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/lncc/lncc.hpp"
#include "ffdp/ops/mi/mi.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/smooth/smooth.hpp"

namespace {

using namespace ffdp;

constexpr int repeats = 11;

std::size_t free_bytes_now() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total));
  return free;
}

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

/// Waves plus a tenth of noise, within [0, 1.1).
void fill_image(const Context& ctx, View<float> to, std::uint32_t seed) {
  device::for_each_voxel(ctx, to.stored, [=] __device__(int z, int y, int x) {
    const float wave = sinf(0.11F * z + seed) * sinf(0.13F * y) * sinf(0.09F * x + 0.3F * seed);
    to(z, y, x) = 0.5F + 0.5F * wave + 0.1F * noise(z, y, x, seed);
  });
}
/// A smooth warp of up to `amplitude` voxels.
void fill_warp(const Context& ctx, VectorView<float> to, float amplitude) {
  for (int c = 0; c < 3; ++c) {
    const View<float> v = to[c];
    device::for_each_voxel(ctx, to.stored, [=] __device__(int z, int y, int x) {
      v(z, y, x) = amplitude * sinf(0.05F * z + c) * sinf(0.06F * y) * sinf(0.07F * x + c);
    });
  }
}

/// One size: holds the context and prints the rows.
class Bench {
 public:
  explicit Bench(const Box& box) : box_(box), free_(free_bytes_now()) {
    ctx.backend = Backend::cuda;
    cudaStream_t stream = nullptr;
    check(cudaStreamCreate(&stream));
    ctx.stream = stream;
    check(cudaEventCreate(&begin_));
    check(cudaEventCreate(&end_));
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
    cudaStreamDestroy(stream_of(ctx));
  }

  /// Times `body`; bytes_per_voxel is what the contract makes it move.
  void row(const char* name, double bytes_per_voxel, const std::function<void()>& body) {
    for (int i = 0; i < 2; ++i) body();
    const std::size_t used = free_ - std::min(free_, free_bytes_now());
    std::vector<float> times;
    for (int i = 0; i < repeats; ++i) {
      check(cudaEventRecord(begin_, stream_of(ctx)));
      body();
      check(cudaEventRecord(end_, stream_of(ctx)));
      check(cudaEventSynchronize(end_));
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, begin_, end_));
      times.push_back(milliseconds);
    }
    std::sort(times.begin(), times.end());
    const double seconds = 1e-3 * times[repeats / 2], voxels = static_cast<double>(box_.volume());
    const double bandwidth = bytes_per_voxel * voxels / seconds;
    if (copy_bandwidth_ == 0) copy_bandwidth_ = bandwidth;
    char date[16];
    const std::time_t now = std::time(nullptr);
    std::strftime(date, sizeof(date), "%Y-%m-%d", std::gmtime(&now));
    std::printf("%s,%s,%s,cuda,1,%s,%dx%dx%d,%.6g,%d,%.4g,%g,%.3f,%zu\n", date,
                environment("FFDP_COMMIT", "unknown").c_str(),
                environment("FFDP_MACHINE", "unknown").c_str(), name, box_.size(0), box_.size(1),
                box_.size(2), seconds, repeats, voxels / seconds, bytes_per_voxel,
                bandwidth / copy_bandwidth_, used);
    std::fflush(stdout);
    ctx.release_scratch();
  }
  Field<float> image(std::uint32_t seed) {
    Field<float> field(Backend::cuda, box_);
    fill_image(ctx, field, seed);
    return field;
  }
  VectorField<float> warp(float amplitude) {
    VectorField<float> field(Backend::cuda, box_);
    fill_warp(ctx, field, amplitude);
    return field;
  }
  Context ctx;

 private:
  Box box_;
  std::size_t free_;
  double copy_bandwidth_ = 0;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

void metrics(Bench& b, const Box& box) {
  const auto fixed = b.image(1), warped = b.image(2);
  auto grad = b.image(3);
  b.row("copy", 8, [&] {
    check(cudaMemcpyAsync(grad.data(), fixed.data(), grad.size() * sizeof(float),
                          cudaMemcpyDeviceToDevice, stream_of(b.ctx)));
  });
  b.row("mse", 12, [&] { mse::forward_backward(b.ctx, {}, box, box, fixed, warped, grad); });
  const auto lncc_row = [&](const char* name, int radius, bool missing) {
    lncc::Params p;
    p.radius = radius;
    p.fixed_centre = p.moving_centre = 0.5F;
    p.missing_values = missing;
    b.row(name, 12, [&] { lncc::forward_backward(b.ctx, p, box, box, fixed, warped, grad); });
  };
  lncc_row("lncc_r2", 2, false);
  lncc_row("lncc_r2_missing", 2, true);
  lncc_row("lncc_r4", 4, false);
  lncc_row("lncc_r5", 5, false);
  lncc_row("lncc_r5_missing", 5, true);
  lncc_row("lncc_r8", 8, false);
  mi::Params p;
  b.row("mi_32", 20, [&] {
    mi::Histogram histogram;
    mi::accumulate(b.ctx, p, box, box, fixed, warped, histogram);
    const auto table = mi::evaluate(p, histogram);
    mi::backward(b.ctx, p, box, box, static_cast<float>(box.volume()), table, fixed, warped, grad);
  });
}

template <class T>
void descents(Bench& b, const Box& box, const std::string& suffix) {
  const auto grad = b.warp(0.1F), u = b.warp(3);
  auto out = b.warp(0);
  VectorField<T> first(Backend::cuda, box);
  Field<T> second(Backend::cuda, box);
  const VectorView<T> second_view{second.data(), box, 0, second.view().stride_z,
                                  second.view().stride_y};
  const descent::Moments<T> moments{first.view(), second_view};
  const Buffer<descent::Sums> sums(Backend::cuda, 1);
  check(cudaMemset(sums.data(), 0, sizeof(descent::Sums)));
  const smooth::Params smoothing{{0.8, 0.8, 0.8}};
  adam::Params p;
  descent::update(b.ctx, p, smoothing, box, box, grad, moments, sums.data());
  p.iteration = 5;
  const double each = 4 * sizeof(T);
  b.row(("descent_update" + suffix).c_str(), 12 + 2 * each,
        [&] { descent::update(b.ctx, p, smoothing, box, box, grad, moments, sums.data()); });
  b.row(("descent_compose" + suffix).c_str(), 24 + each,
        [&] { descent::compose(b.ctx, p, {}, box, box, moments, sums.data(), u, out); });
}

void warps(Bench& b, const Box& box) {
  {
    const auto u = b.warp(3), step = b.warp(0.9F);
    auto out = b.warp(0);
    b.row("compose", 36, [&] { compose::forward(b.ctx, {}, box, box, step, u, out); });
    b.row("smooth_displacement_s1", 24, [&] { smooth::forward(b.ctx, {}, box, box, u, out); });
  }
  {
    const auto moving = b.image(4), grad_warped = b.image(5);
    const auto u = b.warp(3);
    auto warped = b.image(6);
    auto grad_u = b.warp(0);
    sampler::Params p;
    p.moving_domain = box;
    p.displacement_map = p.map.linear;
    b.row("sampler_forward", 20,
          [&] { sampler::forward(b.ctx, p, box, box, moving, u, {}, warped); });
    b.row("sampler_forward_backward", 52, [&] {
      sampler::forward(b.ctx, p, box, box, moving, u, {}, warped);
      sampler::backward_displacement(b.ctx, p, box, box, 1, moving, u, grad_warped, grad_u);
    });
  }
  descents<float>(b, box, "");
  descents<Half>(b, box, "_half");
  auto grad = b.warp(0.1F), first = b.warp(0.1F);
  auto second = b.image(7);
  const VectorView<float> second_view{second.data(), box, 0, second.view().stride_z,
                                      second.view().stride_y};
  adam::Params p;
  p.iteration = 5;
  b.row("adam_step", 56, [&] { adam::step(b.ctx, p, box, box, grad, first, second_view); });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (cuda_devices() == 0) {
      std::fprintf(stderr, "cuda_bench: no CUDA device\n");
      return 77;
    }
    std::vector<std::string> sizes(argv + 1, argv + argc);
    if (sizes.empty()) sizes = {"160x192x224", "512x512x512", "1024x1024x1024"};
    std::printf(
        "date,commit,machine,backend,ranks,case,size,seconds_median,repeats,voxels_per_s,"
        "bytes_per_voxel_min,fraction_of_peak_bw,peak_bytes\n");
    for (const std::string& text : sizes) {
      Int3 size{};
      if (std::sscanf(text.c_str(), "%dx%dx%d", &size[0], &size[1], &size[2]) != 3) {
        std::fprintf(stderr, "cuda_bench: size is %s, wanted ZxYxX\n", text.c_str());
        return 1;
      }
      const Box box = box_of(size);
      Bench bench(box);
      metrics(bench, box);
      warps(bench, box);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cuda_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
