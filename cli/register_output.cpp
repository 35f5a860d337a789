// SPDX-License-Identifier: Apache-2.0
#include "cli/register_output.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <utility>
#include <vector>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/ops/vectors/vectors.hpp"
#include "ffdp/transforms/apply.hpp"

namespace ffdp::cli {
namespace {

io::WriteOptions write_options(const Context& ctx, const OutputOptions& o) {
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.compression_level = o.compression;
  return options;
}

/// Runs jobs that write files: one after the other, or each on a thread of its own.
class Jobs {
 public:
  explicit Jobs(bool at_once) : at_once_(at_once) {}
  void add(std::function<void()> job) {
    if (!at_once_) return job();
    running_.push_back(std::async(std::launch::async, [job = std::move(job)] {
      adopt_device();
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

/// What a job needs of a context: scratch memory is its own.
Context for_job(const Context& ctx) {
  Context own;
  own.backend = ctx.backend;
  own.threads = ctx.threads;
  own.stream = ctx.stream;
  return own;
}

/// Writes what make(slab, out) makes, slab by slab of some planes of `grid`: neither host nor
/// device ever holds the whole.
template <class Make>
void write_planes(Context& ctx, const Grid& grid, io::NiftiWriter& writer, Make&& make) {
  constexpr std::int64_t wanted = std::int64_t{1} << 23U;  // [voxels]
  const Box domain = grid.domain();
  const std::int64_t plane = std::int64_t{domain.size(1)} * domain.size(2);
  const int planes = static_cast<int>(std::clamp<std::int64_t>(wanted / plane, 1, domain.size(0)));
  std::vector<float> on_host;
  for (int z = domain.lo[0]; z < domain.hi[0]; z += planes) {
    Box slab = domain;
    slab.lo[0] = z;
    slab.hi[0] = std::min(z + planes, domain.hi[0]);
    Field<float> values(ctx.backend, slab);
    make(slab, values.view());
    if (ctx.backend == Backend::cpu) {
      writer.write(static_cast<const float*>(values.data()), values.size());
      continue;
    }
    on_host.resize(static_cast<std::size_t>(values.size()));
    copy_bytes(ctx, Backend::cpu, on_host.data(), ctx.backend, values.data(),
               on_host.size() * sizeof(float));
    writer.write(static_cast<const float*>(on_host.data()), values.size());
  }
}

/// Writes a displacement in voxels as LPS mm.
void write_warp(Context& ctx, const OutputOptions& o, const std::string& name, const Grid& grid,
                const VectorField<float>& displacement) {
  auto writer = io::NiftiWriter::displacement(o.prefix + name, grid, write_options(ctx, o));
  const Mat3 to_world = grid.to_world().linear;
  for (int c = 0; c < writer.components(); ++c)
    write_planes(ctx, grid, writer, [&](const Box& slab, View<float> out) {
      vectors::component(ctx, slab, to_world[c], displacement, out);
    });
  writer.commit();
}

/// The image as it was read, on the backend of the context.
Image<float> original(const Context& ctx, Image<float>&& kept, const std::string& path) {
  Image<float> image = kept.data.empty() ? io::read_image<float>(path) : std::move(kept);
  if (ctx.backend != image.data.backend()) image.data = copy_to(ctx, ctx.backend, image.data);
  return image;
}

/// Sampling of an image over `moving_domain` at map(x) + scale * displacement(x), 0 outside.
sampler::Params sampling(const Affine& map, const Mat3& scale, const Box& moving_domain) {
  sampler::Params p;
  p.map = map;
  p.displacement_map = scale;
  p.moving_domain = moving_domain;
  p.outside = 0;
  return p;
}

VectorView<const float> view_of(const VectorField<float>& field) {
  return field.empty() ? VectorView<const float>{} : field.view();
}

void write_warped(Context& ctx, const OutputOptions& o, const char* name,
                  const registration::Result& result, const Image<float>& moving) {
  const Grid& grid = result.fixed_grid;
  const Affine map = moving.grid.to_index() * result.affine * grid.to_world();
  const auto p = sampling(map, map.linear, moving.grid.domain());
  io::NiftiWriter writer(o.prefix + name, grid, 1, 1, write_options(ctx, o));
  write_planes(ctx, grid, writer, [&](const Box& slab, View<float> out) {
    sampler::forward_uncounted(ctx, p, grid.domain(), slab, moving.data,
                               view_of(result.displacement), {}, out);
  });
  writer.commit();
}

/// The fixed image on the moving grid, through the inverse affine and then the inverse
/// displacement, which is brought to the moving grid first.
void write_inverse_warped(Context& ctx, const OutputOptions& o, const char* name,
                          const registration::Result& result, const Grid& grid,
                          const Image<float>& fixed) {
  const Affine map = fixed.grid.to_index() * inverse(result.affine) * grid.to_world();
  const auto at_map = sampling(map, {}, fixed.grid.domain());
  const auto at_both = sampling(map, Affine{}.linear, fixed.grid.domain());
  io::NiftiWriter writer(o.prefix + name, grid, 1, 1, write_options(ctx, o));
  write_planes(ctx, grid, writer, [&](const Box& slab, View<float> out) {
    VectorField<float> displacement;
    if (!result.inverse.empty()) {
      displacement = VectorField<float>(ctx.backend, slab);
      for (int c = 0; c < 3; ++c)
        sampler::forward_uncounted(ctx, at_map, grid.domain(), slab, result.inverse.view()[c], {},
                                   {}, displacement.view()[c]);
    }
    sampler::forward_uncounted(ctx, at_both, grid.domain(), slab, fixed.data, view_of(displacement),
                               {}, out);
    synchronize(ctx);  // before the displacement goes
  });
  writer.commit();
}

void write_labels(Context& ctx, const OutputOptions& o, const Grid& grid,
                  const transforms::CompositeTransform& chain) {
  const io::NiftiInfo info = io::read_info(o.moving_labels);
  io::WriteOptions options = write_options(ctx, o);
  options.type = info.value_type();
  io::NiftiWriter writer(o.prefix + "WarpedLabels.nii.gz", grid, 1, 1, options);
  io::visit(info.value_type(), [&](auto zero) {
    using T = decltype(zero);
    const Image<T> labels = io::read_volume<T>(info, 0);
    transforms::apply_label<T>(
        ctx, {.interpolation = transforms::Interpolation::label}, grid, chain, labels,
        [&](std::span<const T> values) { writer.write(values.data(), std::ssize(values)); });
  });
  writer.commit();
}

}  // namespace

void prepare_output(const std::string& prefix) {
  const std::filesystem::path folder = std::filesystem::path(prefix).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) throw IoError(folder.string() + ": the folder cannot be made: " + error.message());
  io::write_file(prefix + ".json", "{}\n");  // fails now rather than after the work
  std::filesystem::remove(prefix + ".json", error);
}

std::vector<std::string> write_result(Context& ctx, const OutputOptions& o, Originals originals,
                                      registration::Result& result) {
  const Grid grid = result.fixed_grid;
  const bool on_device = ctx.backend == Backend::cuda, deformable = !result.displacement.empty();
  const Grid moving_grid =
      originals.moving.data.empty() ? io::read_info(o.moving).grid : originals.moving.grid;
  Image<float> moving, fixed;
  Jobs jobs(on_device);
  std::vector<std::string> written = {"0GenericAffine.mat"};
  const auto add = [&](const char* name, auto&& write) {
    written.emplace_back(name);
    jobs.add([&ctx, name, write] {
      Context own = for_job(ctx);
      write(own, name);
    });
  };
  io::write_affine(o.prefix + written[0], result.affine, grid.centre());
  const auto warp = [&](const VectorField<float>& field) {
    return [&](Context& own, const char* name) { write_warp(own, o, name, grid, field); };
  };
  if (deformable && o.writes("warp")) add("1Warp.nii.gz", warp(result.displacement));
  if (deformable && o.writes("inverse-warp")) add("1InverseWarp.nii.gz", warp(result.inverse));
  if (o.writes("warped")) {
    moving = original(ctx, std::move(originals.moving), o.moving);
    add("Warped.nii.gz",
        [&](Context& own, const char* name) { write_warped(own, o, name, result, moving); });
    if (!on_device) moving = {};
  }
  if (o.writes("inverse-warped")) {
    fixed = original(ctx, std::move(originals.fixed), o.fixed);
    add("InverseWarped.nii.gz", [&](Context& own, const char* name) {
      write_inverse_warped(own, o, name, result, moving_grid, fixed);
    });
  }
  jobs.finish();
  if (o.moving_labels.empty()) return written;
  result.inverse = VectorField<float>();
  Context host;
  host.threads = ctx.threads;
  transforms::CompositeTransform chain;
  if (deformable) {
    if (on_device) result.displacement = copy_to(ctx, Backend::cpu, result.displacement);
    chain.append(std::make_shared<const DisplacementImage>(
        transforms::to_world(host, grid, std::move(result.displacement))));
  }
  chain.append(result.affine);
  write_labels(host, o, grid, chain);
  written.emplace_back("WarpedLabels.nii.gz");
  return written;
}

}  // namespace ffdp::cli
