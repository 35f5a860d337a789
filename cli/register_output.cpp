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
#include "ffdp/registration/apply.hpp"

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

/// Writes `count` values that lie on `backend`, in stretches: the host never holds them all.
void write_values(const Context& ctx, Backend backend, const float* values, std::int64_t count,
                  io::NiftiWriter& writer) {
  if (backend == Backend::cpu) return writer.write(values, count);
  const std::int64_t stretch = std::min<std::int64_t>(count, 1 << 23);
  std::vector<float> on_host(static_cast<std::size_t>(stretch));
  for (std::int64_t first = 0; first < count; first += stretch) {
    const std::int64_t n = std::min(stretch, count - first);
    copy_bytes(ctx, Backend::cpu, on_host.data(), backend, values + first,
               static_cast<std::size_t>(n) * sizeof(float));
    writer.write(on_host.data(), n);
  }
}

/// What a job needs of a context: scratch memory stays with its owner.
Context for_job(const Context& ctx) {
  Context own;
  own.backend = ctx.backend;
  own.threads = ctx.threads;
  own.stream = ctx.stream;
  return own;
}

void write_warp(const Context& ctx, const OutputOptions& o, const std::string& name,
                const DisplacementImage& warp) {
  auto writer = io::NiftiWriter::displacement(o.prefix + name, warp.grid, write_options(ctx, o));
  write_values(ctx, warp.data.backend(), warp.data.data(),
               writer.components() * warp.grid.domain().volume(), writer);
  writer.commit();
}

void write_image(const Context& ctx, const OutputOptions& o, const std::string& name,
                 const Image<float>& image) {
  io::NiftiWriter writer(o.prefix + name, image.grid, 1, 1, write_options(ctx, o));
  write_values(ctx, image.data.backend(), image.data.data(), image.data.size(), writer);
  writer.commit();
}

/// The image as it was read, on the backend of the context.
Image<float> original(const Context& ctx, Image<float>&& kept, const std::string& path) {
  Image<float> image = kept.data.empty() ? io::read_image<float>(path) : std::move(kept);
  if (ctx.backend != image.data.backend()) image.data = copy_to(ctx, ctx.backend, image.data);
  return image;
}

/// `image` at linear(x) + displacement(x) for the voxels x of `grid`, 0 outside.
/// @param linear  index of `grid` to index of the image
/// @param scale   displacement to voxels of the image
Image<float> resample(Context& ctx, const Image<float>& image, const Grid& grid,
                      const Affine& linear, const Mat3& scale,
                      VectorView<const float> displacement) {
  sampler::Params p;
  p.map = linear;
  p.displacement_map = scale;
  p.moving_domain = image.grid.domain();
  p.outside = 0;
  const Box domain = grid.domain();
  Image<float> result{grid, Field<float>(ctx.backend, domain)};
  sampler::forward(ctx, p, domain, domain, image.data, displacement, {}, result.data);
  return result;
}

Image<float> warped_image(Context& ctx, const registration::Result& result, Image<float> moving) {
  const Affine map = moving.grid.to_index() * result.affine * result.fixed_grid.to_world();
  const VectorView<const float> u =
      result.displacement.empty() ? VectorView<const float>{} : result.displacement.view();
  return resample(ctx, moving, result.fixed_grid, map, map.linear, u);
}

/// The fixed image on the moving grid: through the inverse affine, then the inverse displacement
/// `inverse` [voxels of the fixed grid], which is first brought to the moving grid.
Image<float> inverse_warped_image(Context& ctx, const registration::Result& result,
                                  const Grid& moving_grid, Image<float> fixed) {
  const Affine map = fixed.grid.to_index() * inverse(result.affine) * moving_grid.to_world();
  const Box domain = moving_grid.domain();
  if (result.inverse.empty()) return resample(ctx, fixed, moving_grid, map, {}, {});
  sampler::Params p;
  p.map = map;
  p.displacement_map = {};
  p.moving_domain = fixed.grid.domain();
  p.outside = 0;
  VectorField<float> displacement(ctx.backend, domain);
  for (int c = 0; c < 3; ++c)
    sampler::forward(ctx, p, domain, domain, result.inverse.view()[c], {}, {},
                     displacement.view()[c]);
  return resample(ctx, fixed, moving_grid, map, Affine{}.linear, displacement);
}

/// The same piece by piece, for a host that is short of memory.
void write_inverse_warped(Context& ctx, const OutputOptions& o, const Grid& moving_grid,
                          const registration::CompositeTransform& chain,
                          const Image<float>& fixed) {
  io::NiftiWriter writer(o.prefix + "InverseWarped.nii.gz", moving_grid, 1, 1,
                         write_options(ctx, o));
  registration::apply<float>(
      ctx, {}, moving_grid, chain, fixed,
      [&](std::span<const double> values) { writer.write(values.data(), std::ssize(values)); });
  writer.commit();
}

void write_labels(Context& ctx, const OutputOptions& o, const Grid& grid,
                  const registration::CompositeTransform& chain) {
  const io::NiftiInfo info = io::read_info(o.moving_labels);
  io::WriteOptions options = write_options(ctx, o);
  options.type = info.value_type();
  io::NiftiWriter writer(o.prefix + "WarpedLabels.nii.gz", grid, 1, 1, options);
  io::visit(info.value_type(), [&](auto zero) {
    using T = decltype(zero);
    const Image<T> labels = io::read_volume<T>(info, 0);
    registration::apply_label<T>(
        ctx, {.interpolation = registration::Interpolation::label}, grid, chain, labels,
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

void write_result(Context& ctx, const OutputOptions& o, Originals originals,
                  registration::Result& result) {
  const Grid grid = result.fixed_grid;
  const bool on_device = ctx.backend == Backend::cuda, deformable = !result.displacement.empty();
  const Grid moving_grid = o.images ? io::read_info(o.moving).grid : Grid{};
  Image<float> warped, inverse_warped;
  DisplacementImage warp, inverse_warp;
  Jobs jobs(on_device);
  const auto add = [&](auto&& write, const char* name, const auto& what) {
    jobs.add([&ctx, &o, name, &what, write] { write(for_job(ctx), o, name, what); });
  };
  io::write_affine(o.prefix + "0GenericAffine.mat", result.affine, grid.centre());
  if (o.images) {
    warped = warped_image(ctx, result, original(ctx, std::move(originals.moving), o.moving));
    add(write_image, "Warped.nii.gz", warped);
    if (!on_device) warped = {};
  }
  if (deformable) warp = registration::to_world(ctx, grid, std::move(result.displacement));
  if (deformable && o.warps) add(write_warp, "1Warp.nii.gz", warp);
  if (o.images && on_device) {
    inverse_warped = inverse_warped_image(ctx, result, moving_grid,
                                          original(ctx, std::move(originals.fixed), o.fixed));
    add(write_image, "InverseWarped.nii.gz", inverse_warped);
  }
  if (deformable) inverse_warp = registration::to_world(ctx, grid, std::move(result.inverse));
  if (deformable && o.warps) add(write_warp, "1InverseWarp.nii.gz", inverse_warp);
  jobs.finish();

  Context host;
  host.threads = ctx.threads;
  const auto chain_with = [&](DisplacementImage& field) {
    if (on_device) field.data = copy_to(ctx, Backend::cpu, field.data);
    return std::make_shared<const DisplacementImage>(std::move(field));
  };
  if (!o.moving_labels.empty()) {
    registration::CompositeTransform chain;
    if (deformable) chain.append(chain_with(warp));
    chain.append(result.affine);
    write_labels(host, o, grid, chain);
  }
  warp = {};
  if (!o.images || on_device) return;
  registration::CompositeTransform chain;
  chain.append(inverse(result.affine));
  if (deformable) chain.append(chain_with(inverse_warp));
  write_inverse_warped(host, o, moving_grid, chain,
                       original(host, std::move(originals.fixed), o.fixed));
}

}  // namespace ffdp::cli
