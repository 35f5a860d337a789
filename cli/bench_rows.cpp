// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <limits>
#include <numbers>

#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/noise.hpp"
#include "ffdp/core/parallel.hpp"

namespace ffdp::cli {
namespace {

constexpr int period = 64;  // of the images, in planes
constexpr float turn = 2 * std::numbers::pi_v<float> / period;

std::string name_of(const Context& ctx) {
  return ctx.backend == Backend::cuda ? "cuda" : "cpu" + std::to_string(ctx.threads);
}

}  // namespace

/// Peak memory between calls of begin and bytes: of buffers on the device, or of the process.
class Bench::PeakMemory {
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

Bench::Bench(Context& context, dist::Comm& ranks, const BenchOptions& options, const Box& whole,
             std::string size)
    : ctx(context),
      comm(ranks),
      domain(whole),
      cut(ranks, whole),
      box(cut.own(ranks)),
      options_(options),
      size_(std::move(size)),
      memory_(std::make_shared<PeakMemory>(ctx.backend)) {}

Field<float> Bench::image(std::uint32_t seed, int rim, Rims rims) const {
  Field<float> field(ctx.backend, around(rim));
  fill(field.data(), field.stored(), rims, [=](int z, int y, int x) {
    const float wave = std::sin(turn * static_cast<float>(z) + 0.3F * static_cast<float>(seed)) *
                       std::sin(0.13F * static_cast<float>(y)) *
                       std::sin(0.09F * static_cast<float>(x + z));
    return 0.5F + 0.5F * wave + 0.1F * noise(z, y, x, seed);
  });
  return field;
}

VectorField<float> Bench::warp(float amplitude, int rim, Rims rims) const {
  VectorField<float> field(ctx.backend, around(rim));
  for (int c = 0; c < 3; ++c)
    fill(field.data() + c * field.stored().volume(), field.stored(), rims,
         [=](int z, int y, int x) {
           const auto phase = static_cast<float>(c);
           return amplitude * std::sin(turn * static_cast<float>(z) + phase) *
                  std::sin(0.06F * static_cast<float>(y)) *
                  std::sin(0.07F * static_cast<float>(x) + phase);
         });
  return field;
}

void Bench::row(const std::string& name, double bytes_per_voxel,
                const std::function<void()>& body) {
  body();
  body();
  Stopwatch watch;
  std::vector<double> times;
  std::int64_t sent = 0;
  for (int i = 0; i < options_.repeats; ++i) {
    comm.barrier();
    const std::int64_t before = comm.bytes_sent();
    watch.start(ctx);
    body();
    times.push_back(watch.seconds(ctx));
    sent += comm.bytes_sent() - before;
  }
  comm.all_max(times);
  add_row(name, bytes_per_voxel, times, sent / options_.repeats);
  ctx.release_scratch();
}

/// @param times  of the slowest rank
/// @param sent   by this rank, each time [bytes]
void Bench::add_row(const std::string& name, double bytes_per_voxel, std::vector<double> times,
                    std::int64_t sent) {
  const auto most = [&](auto value) { return std::ranges::max(comm.all_gather(value)); };
  const std::size_t peak = most(memory_->bytes());
  sent = most(sent);
  std::sort(times.begin(), times.end());
  const double seconds = times[times.size() / 2], voxels = static_cast<double>(domain.volume());
  const double bandwidth = bytes_per_voxel * voxels / seconds;
  if (copy_bandwidth_ == 0) copy_bandwidth_ = bandwidth;
  if (comm.rank() != 0) return;
  char date[16];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  std::strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&now, &utc));
  char line[512];
  std::snprintf(line, sizeof(line), "%s,%s,%s,%s,%d,%s,%s,%.6g,%zu,%.4g,%g,%.3f,%zu,%lld", date,
                options_.commit.c_str(), options_.machine.c_str(), name_of(ctx).c_str(),
                comm.size(), name.c_str(), size_.c_str(), seconds, times.size(), voxels / seconds,
                bytes_per_voxel, bandwidth / copy_bandwidth_, peak, static_cast<long long>(sent));
  std::printf("%s\n", line);
  std::fflush(stdout);
  if (!options_.append.empty()) std::ofstream(options_.append, std::ios::app) << line << '\n';
}

void Bench::group(const char* name, const std::function<void(Bench&)>& body) {
  memory_ = std::make_shared<PeakMemory>(ctx.backend);
  try {
    if (copy_bandwidth_ == 0) copy_row();
    body(*this);
  } catch (const OutOfMemory& error) {
    if (comm.size() > 1) throw;  // the others wait for this rank's messages
    std::fprintf(stderr, "ffdp bench: %s at %s: %s\n", name, size_.c_str(), error.what());
  }
  ctx.release_scratch();
}

/// Measures the bandwidth with which the other rows are compared.
void Bench::copy_row() {
  const Field<float> from = image(1);
  Field<float> to = room();
  row("copy", 8, [&] { copy(ctx, to, from); });
  show("copy", to.view());
  memory_ = std::make_shared<PeakMemory>(ctx.backend);
}

void Bench::fill(float* to, const Box& stored, Rims rims,
                 const std::function<float(int z, int y, int x)>& value) const {
  const Box slab{{0, domain.lo[1], domain.lo[2]},
                 {std::min(period, domain.hi[0]), domain.hi[1], domain.hi[2]}};
  Field<float> made(Backend::cpu, slab);
  const View<float> view = made.view();
  parallel_for(ctx, slab.size(0), [&](std::int64_t z, int) {
    for (int y = 0; y < slab.hi[1]; ++y)
      for (int x = 0; x < slab.hi[2]; ++x)
        view(static_cast<int>(z), y, x) = value(static_cast<int>(z), y, x);
  });
  const std::int64_t plane = std::int64_t{slab.size(1)} * slab.size(2);
  const std::vector<float> unknown(rims == Rims::fetched ? static_cast<std::size_t>(plane) : 0,
                                   std::numeric_limits<float>::quiet_NaN());
  const auto set = [&](int z, const float* planes, int count) {
    copy_bytes(ctx, ctx.backend, to + (z - stored.lo[0]) * plane, Backend::cpu, planes,
               static_cast<std::size_t>(count * plane) * sizeof(float));
  };
  for (int z = stored.lo[0], count = 0; z < stored.hi[0]; z += count) {
    count = std::min(slab.size(0) - z % period, stored.hi[0] - z);
    set(z, made.data() + (z % period) * plane, count);
  }
  if (rims == Rims::made) return;
  for (const Box& rim : dist::rims(stored, box))
    for (int z = rim.lo[0]; z < rim.hi[0]; ++z) set(z, unknown.data(), 1);
}

}  // namespace ffdp::cli
