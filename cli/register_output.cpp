// SPDX-License-Identifier: Apache-2.0
#include "cli/register_output.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "cli/common.hpp"
#include "cli/shard_files.hpp"

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/dist/window.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/itk_parameters.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"
#include "ffdp/ops/intensity/intensity.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/vectors/vectors.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::cli {
namespace {

/// The name of an optional file after the prefix.
const char* file_of(const std::string& name) {
  return name == "warp"           ? "1Warp.nii.gz"
         : name == "inverse-warp" ? "1InverseWarp.nii.gz"
         : name == "warped"       ? "Warped.nii.gz"
                                  : "InverseWarped.nii.gz";
}

io::WriteOptions write_options(const Context& ctx, const OutputOptions& o) {
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.compression_level = o.compression;
  return options;
}

/// Runs jobs that write files, one after another or each on a thread of its own.
class Jobs {
 public:
  explicit Jobs(bool at_once) : at_once_(at_once) {}
  void add(std::function<void()> job) {
    if (!at_once_) return job();
    running_.push_back(
        std::async(std::launch::async, [job = std::move(job), device = selected_device()] {
          select_device(device);
          job();
        }));
  }
  /// Waits for all; throws the first error.
  void finish() {
    for (auto& job : running_) job.wait();
    for (auto& job : running_) job.get();
    running_.clear();
  }

 private:
  bool at_once_;
  std::vector<std::future<void>> running_;
};

/// A context for a job, with its own scratch memory.
Context for_job(const Context& ctx) {
  Context own;
  own.backend = ctx.backend;
  own.threads = ctx.threads;
  own.stream = ctx.stream;
  return own;
}

/// Writes a displacement in voxels as LPS mm.
void write_warp(Context& ctx, dist::Comm& comm, const OutputOptions& o, const std::string& name,
                const Grid& grid, const VectorField<float>& displacement) {
  auto writer = ShardWriter::displacement(comm, o.prefix + name, grid, write_options(ctx, o));
  const Mat3 to_world = grid.to_world().linear;
  for (int c = 0; c < writer.components(); ++c)
    write_planes(ctx, writer, [&](View<float> out) {
      vectors::component(ctx, out.stored, to_world[c], displacement, out);
    });
  writer.commit();
}

/// What this rank owns of the image as it was read, on the backend of the context.
Image<float> bring(const Context& ctx, Image<float>&& image) {
  if (ctx.backend == image.data.backend()) return std::move(image);
  return {image.grid, copy_to(ctx, ctx.backend, image.data)};
}

/// Sampling of an image over `moving_domain` at map(x) + scale * displacement(x).
sampler::Params sampling(const Affine& map, const Mat3& scale, const Box& moving_domain,
                         float outside) {
  sampler::Params p;
  p.map = map;
  p.displacement_map = scale;
  p.moving_domain = moving_domain;
  p.outside = outside;
  return p;
}

/// The value of --default-value for an image.
float outside_of(Context& ctx, dist::Comm& comm, const OutputOptions& o,
                 const Image<float>& image) {
  if (const auto value = parse_outside(o.outside)) return static_cast<float>(*value);
  const dist::Cut cut(comm, image.grid.domain());
  return dist::ordered_sum(comm, cut, intensity::statistics(ctx, cut.own(comm), image.data, {})).lo;
}

VectorView<const float> view_of(const VectorField<float>& field) {
  return field.empty() ? VectorView<const float>{} : field.view();
}

/// The voxels of the moving image that the map reaches from `box`. Vectors interpolated in u, or
/// outside it, lie between 0 and the largest that it holds.
Box reach(Context& ctx, const sampler::Params& p, const Box& box, VectorView<const float> u) {
  Vec3 least{}, most{};
  if (u) {
    const vectors::Extent extent = vectors::extent(ctx, u.stored, u);
    for (int c = 0; c < 3; ++c) {
      least[c] = std::min(0.0, static_cast<double>(extent.lo[c]));
      most[c] = std::max(0.0, static_cast<double>(extent.hi[c]));
    }
  }
  return sampler::reach(p, box, least, most);
}

void write_warped(Context& ctx, dist::Comm& comm, const OutputOptions& o, const char* name,
                  const registration::Result& result, const Image<float>& moving) {
  const Grid& grid = result.fixed_grid;
  const Affine map = moving.grid.to_index() * result.affine * grid.to_world();
  const auto p = sampling(map, map.linear, moving.grid.domain(), outside_of(ctx, comm, o, moving));
  const auto u = view_of(result.displacement);
  const Box own = dist::Cut(comm, grid.domain()).own(comm);
  const dist::Window window(ctx, comm, moving, reach(ctx, p, own, u));
  ShardWriter writer(comm, o.prefix + name, grid, io::Series{}, write_options(ctx, o));
  write_planes(ctx, writer, [&](View<float> out) {
    sampler::forward_uncounted(ctx, p, grid.domain(), out.stored, window.view(), u, {}, out);
  });
  writer.commit();
}

/// The fixed image on the moving grid, through the inverse affine and then the inverse
/// displacement, which is brought to the moving grid first.
void write_inverse_warped(Context& ctx, dist::Comm& comm, const OutputOptions& o, const char* name,
                          const registration::Result& result, const Grid& grid,
                          const Image<float>& fixed) {
  const Affine map = fixed.grid.to_index() * inverse(result.affine) * grid.to_world();
  const Box fixed_domain = fixed.grid.domain();
  const auto at_map = sampling(map, {}, fixed_domain, 0);
  const auto at_both =
      sampling(map, Affine{}.linear, fixed_domain, outside_of(ctx, comm, o, fixed));
  const Box own = dist::Cut(comm, grid.domain()).own(comm);
  std::optional<dist::VectorWindow> inverse_window;
  VectorView<const float> v;
  if (!result.inverse.empty()) {
    inverse_window.emplace(ctx, comm, dist::Cut(comm, fixed_domain), result.inverse,
                           reach(ctx, at_map, own, {}));
    v = inverse_window->view();
  }
  const dist::Window window(ctx, comm, fixed, reach(ctx, at_both, own, v));
  ShardWriter writer(comm, o.prefix + name, grid, io::Series{}, write_options(ctx, o));
  write_planes(ctx, writer, [&](View<float> out) {
    const Box slab = out.stored;
    VectorField<float> displacement;
    if (v) {
      displacement = VectorField<float>(ctx.backend, slab);
      for (int c = 0; c < 3; ++c)
        sampler::forward_uncounted(ctx, at_map, grid.domain(), slab, v[c], {}, {},
                                   displacement.view()[c]);
    }
    sampler::forward_uncounted(ctx, at_both, grid.domain(), slab, window.view(),
                               view_of(displacement), {}, out);
    synchronize(ctx);  // before the displacement goes
  });
  writer.commit();
}

template <class T>
LabelWriter read_labels_as(dist::Comm& of_reader, ShardReader& reader) {
  const io::NiftiInfo& info = reader.info();
  const dist::Cut cut(of_reader, info.grid.domain());
  const auto volumes = std::make_shared<std::vector<Image<T>>>();
  for (std::int64_t v = 0; v < info.volumes() * info.components(); ++v)
    volumes->push_back({info.grid, reader.read<T>(cut.own(of_reader), v)});
  return [volumes, cut, series = info.series(), type = info.value_type()](
             Context& ctx, dist::Comm& comm, const OutputOptions& o, const Grid& grid,
             const transforms::ChainSource& chain) {
    io::WriteOptions options = write_options(ctx, o);
    options.type = type;
    ShardWriter writer(comm, o.prefix + "WarpedLabels.nii.gz", grid, series, options);
    const transforms::ApplyParams params{.interpolation = transforms::Interpolation::label};
    const auto reaching = chain.reaching(ctx, grid, writer.own());
    const Grid& moving_grid = volumes->front().grid;
    const Box reach = reaching.bounds.voxels(moving_grid, transforms::halo(params));
    for (const Image<T>& labels : *volumes) {
      Image<T> window;
      if (!cut.whole()) window = {moving_grid, dist::fetched(ctx, comm, cut, labels.data, reach)};
      transforms::apply_label<T>(
          ctx, params, grid, writer.own(), reaching.chain, cut.whole() ? labels : window,
          [&](std::span<const T> values) { writer.write(values.data(), std::ssize(values)); });
      writer.end_volume();
    }
    writer.commit();
  };
}

/// Each rank warps the labels of its planes. Takes the displacement.
void write_labels(const Context& ctx, dist::Comm& comm, const OutputOptions& o,
                  const LabelWriter& labels, registration::Result& result) {
  const Grid& grid = result.fixed_grid;
  Context host;
  host.threads = ctx.threads;
  transforms::ChainSource chain;
  if (!result.displacement.empty()) {
    if (ctx.backend == Backend::cuda)
      result.displacement = copy_to(ctx, Backend::cpu, result.displacement);
    chain.append(transforms::source_of_shards(
        comm, std::make_shared<const DisplacementImage>(
                  transforms::to_world(host, grid, std::move(result.displacement)))));
  }
  chain.append(result.affine);
  labels(host, comm, o, grid, chain);
}

}  // namespace

LabelWriter read_labels(dist::Comm& comm, const std::string& path) {
  ShardReader reader(comm, path);
  return io::visit(reader.info().value_type(),
                   [&](auto zero) { return read_labels_as<decltype(zero)>(comm, reader); });
}

registration::CallerNeeds output_memory(const OutputOptions& o) {
  return [o](const registration::Config& config, Backend backend, std::int64_t fixed,
             std::int64_t moving) -> registration::CallerMemory {
    const bool warped = o.writes("warped"), inverse_warped = o.writes("inverse-warped");
    const std::int64_t images = 4 * ((warped ? moving : 0) + (inverse_warped ? fixed : 0));
    if (backend == Backend::cpu) return {.kept = images};
    const bool warp = !config.deformable.empty();
    // The inverse warped image also needs a slab of the warp on its grid.
    const int slabs = (warp && o.writes("warp")) + (warp && o.writes("inverse-warp")) + warped +
                      (inverse_warped ? (warp ? 4 : 1) : 0);
    const std::int64_t slab = 4 * std::min(std::max(fixed, moving), values_at_once(backend));
    return {.after = images + (warp ? 24 * fixed : 0) + slabs * slab};
  };
}

void prepare_output(const std::string& prefix) {
  const std::filesystem::path folder = std::filesystem::path(prefix).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) throw IoError(folder.string() + ": the folder cannot be made: " + error.message());
  // Fails now, not after the work.
  for (const std::string& name : optional_files) io::check_writable(prefix + file_of(name));
  io::check_writable(prefix + "0GenericAffine.mat");
  io::check_writable(record_name(prefix));
}

std::string record_name(const std::string& prefix) {
  return prefix.ends_with('/') ? prefix + "ffdp.json" : prefix + ".json";
}

std::vector<std::string> write_result(Context& ctx, dist::Comm& comm, const OutputOptions& o,
                                      Originals originals, registration::Result& result) {
  const Grid grid = result.fixed_grid;
  const bool on_device = ctx.backend == Backend::cuda, deformable = !result.displacement.empty();
  Image<float> moving, fixed;
  Jobs jobs(on_device && comm.size() == 1);  // messages of several jobs would mix
  std::vector<std::string> written = {"0GenericAffine.mat"};
  const auto add = [&](const char* name, auto&& write) {
    written.emplace_back(name);
    jobs.add([&ctx, name, write] {
      Context own = for_job(ctx);
      write(own, name);
    });
  };
  const bool flat = io::file_dimension(grid) == 2 &&
                    io::file_dimension(originals.moving_grid) == 2 && io::is_planar(result.affine);
  if (comm.rank() == 0)
    io::write_affine(o.prefix + written[0], result.affine, grid.centre(), flat ? 2 : 3);
  const auto warp = [&](const VectorField<float>& field) {
    return [&](Context& own, const char* name) { write_warp(own, comm, o, name, grid, field); };
  };
  if (deformable && o.writes("warp")) add(file_of("warp"), warp(result.displacement));
  if (deformable && o.writes("inverse-warp")) add(file_of("inverse-warp"), warp(result.inverse));
  if (o.writes("warped")) {
    moving = bring(ctx, std::move(originals.moving));
    add(file_of("warped"),
        [&](Context& own, const char* name) { write_warped(own, comm, o, name, result, moving); });
    if (!on_device) moving = {};
  }
  if (o.writes("inverse-warped")) {
    fixed = bring(ctx, std::move(originals.fixed));
    add(file_of("inverse-warped"), [&](Context& own, const char* name) {
      write_inverse_warped(own, comm, o, name, result, originals.moving_grid, fixed);
    });
  }
  jobs.finish();
  if (o.moving_labels.empty()) return written;
  written.emplace_back("WarpedLabels.nii.gz");
  result.inverse = VectorField<float>();
  write_labels(ctx, comm, o, originals.labels, result);
  return written;
}

}  // namespace ffdp::cli
