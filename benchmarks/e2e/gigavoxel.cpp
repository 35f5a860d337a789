// SPDX-License-Identifier: Apache-2.0
// gigavoxel XxYxZ cpu|cuda|gpusN [NAME=VALUE…], NAME one of iterations, shrink, memory,
// moving_access, metric, radius, sigma_update, sigma_warp, step, transport (peer, nccl, staged);
// "and" between settings: registers once more. gpusN: N ranks, each on a GPU of its own.
//
// A T1-like phantom filling a grid of XxYxZ voxels is registered with a FLASH-like one, warped and
// turned by a known map: affine by mutual information, then the warp. Prints times, memory, a
// digest of the map's bits, and its error at every eighth plane, inside the head, in voxels,
// against the truth.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/dist/threads.hpp"
#include "ffdp/phantom/phantom.hpp"
#include "ffdp/registration/plan.hpp"
#include "ffdp/registration/register.hpp"

namespace {

using namespace ffdp;
using namespace ffdp::registration;
using phantom::Contrast;
using phantom::fitted_to;
using phantom::make_phantom;
using phantom::make_true_warp;
using phantom::Phantom;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<int> numbers(const std::string& text) {
  std::vector<int> values;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, 'x');) values.push_back(std::stoi(word));
  return values;
}

/// What a rank owns of an image.
Image<float> make_image(Context& ctx, const dist::Comm& comm, const Phantom& phantom,
                        const Grid& grid) {
  const Box own = dist::Cut(comm, grid.domain()).own(comm);
  Image<float> image{grid, Field<float>(Backend::cpu, own)};
  make_phantom(ctx, phantom, grid, own, image.data, {});
  return image;
}

struct Error {
  double sum = 0, count = 0, largest = 0;
  Error& operator+=(const Error& other) {
    sum += other.sum;
    count += other.count;
    largest = std::max(largest, other.largest);
    return *this;
  }
};

/// |A(p + d(p)) - (p + t(p))| over the voxels of one plane inside the head [voxels].
Error plane_error(Context& host, const Context& ctx, const Result& result, const Phantom& fixed,
                  const Phantom& moving, int z) {
  const Grid& grid = result.fixed_grid;
  Box plane = grid.domain();
  plane.lo[0] = z;
  plane.hi[0] = z + 1;
  VectorField<float> truth(Backend::cpu, plane), u(Backend::cpu, plane);
  Field<std::uint8_t> labels(Backend::cpu, plane);
  make_true_warp(host, fixed, moving, grid, plane, truth);
  make_phantom(host, fixed, grid, plane, {}, labels);
  const auto from = result.displacement.view();
  for (int c = 0; c < 3; ++c)
    copy_bytes(ctx, Backend::cpu, u.view()[c].data, result.displacement.backend(),
               from[c].row(z, 0), plane.volume() * sizeof(float));
  const Affine to_world = grid.to_world(), found = result.affine * to_world;
  const double voxel = grid.spacing[0];
  return parallel_sum<Error>(host, plane.size(1), [&](std::int64_t y, int) {
    Error e;
    for (int x = 0; x < plane.size(2); ++x) {
      const int row = static_cast<int>(y);
      if (labels.view()(z, row, x) == 0) continue;
      Vec3 at{double(z), double(row), double(x)};
      Vec3 want = to_world(at);
      for (int c = 0; c < 3; ++c) {
        want[c] += truth.view()[c](z, row, x);
        at[c] += u.view()[c](z, row, x);
      }
      const Vec3 got = found(at);
      const double error = std::hypot(got[0] - want[0], got[1] - want[1], got[2] - want[2]) / voxel;
      e += Error{error, 1, error};
    }
    return e;
  });
}

/// Of the bits of some values (FNV-1a, word by word).
std::uint64_t digest_of(std::span<const float> values) {
  std::uint64_t hash = 14695981039346656037U;
  for (const float value : values)
    hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 1099511628211U;
  return hash;
}

/// Of a warp and the affine, plane by plane: the same on any number of ranks.
std::uint64_t digest(Context& host, const Context& ctx, dist::Comm& comm, const Result& result) {
  const Box domain = result.fixed_grid.domain();
  const dist::Cut cut(comm, domain);
  const Box own = cut.own(comm);
  const auto plane = static_cast<std::size_t>(domain.size(1)) * domain.size(2);
  std::vector<std::uint64_t> mine(static_cast<std::size_t>(own.size(0)));
  std::vector<float> some(64 * plane);
  for (int c = 0; c < 3; ++c)
    for (int z = own.lo[0]; z < own.hi[0]; z += 64) {
      const int planes = std::min(64, own.hi[0] - z);
      copy_bytes(ctx, Backend::cpu, some.data(), ctx.backend,
                 result.displacement.view()[c].row(z, 0), planes * plane * sizeof(float));
      parallel_for(host, planes, [&](std::int64_t i, int) {
        auto& sum = mine[static_cast<std::size_t>(z - own.lo[0] + i)];
        sum = 31 * sum + digest_of({some.data() + i * plane, plane});
      });
    }
  std::uint64_t all = 0;
  const auto of_planes =
      cut.whole() ? mine : comm.all_gather_lists(std::span<const std::uint64_t>(mine));
  for (const std::uint64_t of_plane : of_planes) all = 1000003 * all + of_plane;
  for (const Vec3& row : result.affine.linear)
    for (const double value : row) all = 1000003 * all + std::bit_cast<std::uint64_t>(value);
  return all;
}

/// An affine by mutual information, and the deformable stage as it is without a preset, changed by
/// NAME=VALUE.
Config configure(const std::vector<std::string>& settings) {
  Config config = preset("default");
  DeformableStage& stage = config.deformable[0];
  config.linear.resize(1);
  stage = {};
  stage.iterations = {100, 50, 10};
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
    if (name == "iterations")
      stage.iterations = numbers(value);
    else if (name == "shrink")
      stage.shrink = numbers(value);
    else if (name == "memory")
      config.memory = value == "compact" ? MemoryMode::compact : MemoryMode::standard;
    else if (name == "moving_access")
      config.moving_access = value == "replicate" ? MovingAccess::replicate
                             : value == "ring"    ? MovingAccess::ring
                                                  : MovingAccess::fetch;
    else if (name == "metric")
      stage.metrics[0].kind = value == "mi"    ? MetricKind::mi
                              : value == "mse" ? MetricKind::mse
                              : value == "gc"  ? MetricKind::gc
                                               : MetricKind::lncc;
    else if (name == "radius")
      stage.metrics[0].radius = std::stoi(value);
    else if (name == "sigma_update")
      stage.sigma_update = std::stod(value);
    else if (name == "sigma_warp")
      stage.sigma_warp = std::stod(value);
    else if (name == "damping")
      stage.damping = std::stod(value);
    else if (name == "transport")
      continue;  // see transport_of
    else if (name == "step")
      stage.step = std::stod(value);
    else
      throw InvalidArgument("gigavoxel: got \"" + setting + "\", a setting is wanted");
  }
  return config;
}

Inputs copy(const Context& host, const Inputs& inputs) {
  Inputs result;
  result.fixed_names = inputs.fixed_names;
  result.moving_names = inputs.moving_names;
  result.fixed.push_back({inputs.fixed[0].grid, copy_to(host, Backend::cpu, inputs.fixed[0].data)});
  result.moving.push_back(
      {inputs.moving[0].grid, copy_to(host, Backend::cpu, inputs.moving[0].data)});
  return result;
}

/// Registers, and prints how it went.
void once(Context& host, Context& ctx, dist::Comm& comm, const Config& config, Inputs inputs,
          const Phantom& fixed, const Phantom& moving) {
  const Grid grid = inputs.fixed[0].grid;
  const double spacing = grid.spacing[0];
  const bool speaks = comm.rank() == 0;
  reset_peak_device_bytes();
  const std::int64_t sent = comm.bytes_sent();
  comm.barrier();
  const double begin = now();
  const Result result = register_images(ctx, comm, config, std::move(inputs), nullptr);
  const double whole = now() - begin;
  const auto peaks = comm.all_gather(static_cast<double>(peak_device_bytes()) / (1U << 30U));
  const std::uint64_t bits = digest(host, ctx, comm, result);
  Error error;
  const Box own = dist::Cut(comm, grid.domain()).own(comm);
  for (int z = 4; z < grid.size[0]; z += 8)
    if (z >= own.lo[0] && z < own.hi[0]) error += plane_error(host, ctx, result, fixed, moving, z);
  Error all;
  for (const Error& of_rank : comm.all_gather(error)) all += of_rank;
  if (!speaks) return;
  const auto voxels = static_cast<double>(grid.domain().volume());
  for (const StageTime& time : result.times)
    std::printf("%s: %.3f s\n", time.name.c_str(), time.seconds);
  for (const LevelTrace& level : result.levels)
    std::printf("level %dx%dx%d: %zu iterations, %.3f s, cost %.5f -> %.5f\n", level.grid.size[2],
                level.grid.size[1], level.grid.size[0], level.costs.size(), level.seconds,
                level.costs.front(), level.costs.back());
  std::printf("registration: %.2f s; planned %.2f GiB; device memory at most", whole,
              static_cast<double>(result.plan.peak) / (1U << 30U));
  for (const double peak : peaks) std::printf(" %.2f", peak);
  std::printf(" GiB, %.1f B/voxel\n",
              std::accumulate(peaks.begin(), peaks.end(), 0.0) * (1U << 30U) / voxels);
  if (comm.size() > 1)
    std::printf("ranks: %d, %s; rank 0 sent %.2f GiB\n", comm.size(), comm.transport().c_str(),
                static_cast<double>(comm.bytes_sent() - sent) / (1U << 30U));
  std::printf("Jacobian %.3f to %.3f, %lld folds; inverse residual mean %.4f max %.4f voxels\n",
              result.jacobian.min, result.jacobian.max,
              static_cast<long long>(result.jacobian.folded), result.inverse_residual.sum / voxels,
              result.inverse_residual.max);
  std::printf("error of the map inside the head: mean %.4f voxels (%.4f mm), largest %.3f\n",
              all.sum / all.count, all.sum / all.count * spacing, all.largest);
  std::printf("digest of the map: %016llx\n", static_cast<unsigned long long>(bits));
  std::fflush(stdout);
}

dist::Transport transport_of(const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) {
    if (setting == "transport=peer") return dist::Transport::peer;
    if (setting == "transport=nccl") return dist::Transport::nccl;
    if (setting == "transport=staged") return dist::Transport::staged;
  }
  return dist::Transport::automatic;
}

/// One rank of all registrations.
void run_rank(dist::Comm& comm, const std::vector<std::string>& arguments) {
  const std::vector<int> size = numbers(arguments[0]);
  require(size.size() == 3, "gigavoxel: three sizes are wanted, as 1760x1760x1278");
  Context host, ctx;
  host.threads = ctx.threads =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / comm.size());
  if (arguments[1] != "cpu") {
    select_device(comm.rank());
    ctx.backend = Backend::cuda;
    comm.set_uncut(dist::small_on_gpus);
  }
  const Stream stream(ctx.backend);
  ctx.stream = stream.get();

  Grid grid;
  grid.size = {size[2], size[1], size[0]};
  const double spacing = 176.0 / std::max({size[0], size[1], size[2]});
  grid.spacing = {spacing, spacing, spacing};
  Phantom moving = fitted_to(grid, {});
  moving.contrast = Contrast::flash;
  moving.scan = 2;
  Phantom fixed = moving;
  fixed.contrast = Contrast::t1;
  fixed.scan = 1;
  fixed.warp_mm = 4;
  const double angle = 0.05;
  moving.pose.linear = {{{std::cos(angle), -std::sin(angle), 0},
                         {std::sin(angle), std::cos(angle), 0},
                         {0, 0, 1.03}}};
  moving.pose.translation = {2, -1.5, 1};

  const double begin = now();
  Inputs inputs;
  inputs.fixed.push_back(make_image(host, comm, fixed, grid));
  inputs.moving.push_back(make_image(host, comm, moving, grid));
  inputs.fixed_names = {"fixed"};
  inputs.moving_names = {"moving"};
  const bool speaks = comm.rank() == 0;
  if (speaks) std::printf("phantoms: %.1f s\n", now() - begin);

  for (auto first = arguments.begin() + 2;;) {
    const auto last = std::find(first, arguments.end(), "and");
    const bool more = last != arguments.end();
    const std::vector<std::string> settings(first, last);
    for (const std::string& setting : settings)
      if (speaks) std::printf("%s ", setting.c_str());
    if (speaks) std::printf("\n");
    if (comm.size() > 1) comm.use_device(transport_of(settings));
    const Config config = configure(settings);
    if (!more) return once(host, ctx, comm, config, std::move(inputs), fixed, moving);
    once(host, ctx, comm, config, copy(host, inputs), fixed, moving);
    first = last + 1;
  }
}

void run(const std::vector<std::string>& arguments) {
  const std::string& device = arguments[1];
  if (device.starts_with("gpus"))
    return dist::run_threads(std::stoi(device.substr(4)),
                             [&](dist::Comm& comm) { run_rank(comm, arguments); });
  dist::SoloComm solo;
  run_rank(solo, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: gigavoxel XxYxZ cpu|cuda|gpusN [NAME=VALUE…]\n");
    return 2;
  }
  try {
    run({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gigavoxel: %s\n", e.what());
    return 1;
  }
  return 0;
}
