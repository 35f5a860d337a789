// SPDX-License-Identifier: Apache-2.0
#include "cli/register_output.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

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

void write_warp(Context& ctx, const OutputOptions& o, const std::string& path, const Grid& grid,
                const VectorField<float>& displacement) {
  auto writer = io::NiftiWriter::displacement(path, grid, write_options(ctx, o));
  const std::int64_t volume = grid.domain().volume(), stretch = 1 << 18;
  std::vector<float> values(stretch);
  for (int c = 0; c < writer.components(); ++c)
    for (std::int64_t first = 0; first < volume; first += stretch) {
      const std::int64_t n = std::min(stretch, volume - first);
      registration::to_world_component(grid, displacement, c, first, n, values.data());
      writer.write(values.data(), n);
    }
  writer.commit();
}

void write_warped(Context& ctx, const OutputOptions& o, const registration::Result& result) {
  const Image<float> moving = io::read_image<float>(o.moving);
  const Box domain = result.fixed_grid.domain();
  sampler::Params p;
  p.map = moving.grid.to_index() * result.affine * result.fixed_grid.to_world();
  p.displacement_map = p.map.linear;
  p.moving_domain = moving.grid.domain();
  p.outside = 0;
  const VectorView<const float> u =
      result.displacement.empty() ? VectorView<const float>{} : result.displacement.view();
  Image<float> warped{result.fixed_grid, Field<float>(ctx.backend, domain)};
  sampler::forward(ctx, p, domain, domain, moving.data, u, {}, warped.data);
  io::write_image(o.prefix + "Warped.nii.gz", warped, write_options(ctx, o));
}

void write_inverse_warped(Context& ctx, const OutputOptions& o,
                          const registration::CompositeTransform& chain) {
  const Image<float> fixed = io::read_image<float>(o.fixed);
  io::NiftiWriter writer(o.prefix + "InverseWarped.nii.gz", io::read_info(o.moving).grid, 1, 1,
                         write_options(ctx, o));
  registration::apply<float>(
      ctx, {}, io::read_info(o.moving).grid, chain, fixed,
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

void write_result(Context& ctx, const OutputOptions& o, registration::Result& result) {
  const Grid& grid = result.fixed_grid;
  io::write_affine(o.prefix + "0GenericAffine.mat", result.affine, grid.centre());
  if (o.images) write_warped(ctx, o, result);
  const bool deformable = !result.displacement.empty();
  if (deformable && o.warps) {
    write_warp(ctx, o, o.prefix + "1Warp.nii.gz", grid, result.displacement);
    write_warp(ctx, o, o.prefix + "1InverseWarp.nii.gz", grid, result.inverse);
  }
  if (!o.moving_labels.empty()) {
    registration::CompositeTransform chain;
    if (deformable)
      chain.append(std::make_shared<const DisplacementImage>(
          registration::to_world(ctx, grid, result.displacement)));
    chain.append(result.affine);
    write_labels(ctx, o, grid, chain);
  }
  result.displacement = VectorField<float>();
  if (!o.images) return;
  registration::CompositeTransform chain;
  chain.append(inverse(result.affine));
  if (deformable) {
    auto field = registration::to_world(ctx, grid, result.inverse);
    result.inverse = VectorField<float>();
    chain.append(std::make_shared<const DisplacementImage>(std::move(field)));
  }
  write_inverse_warped(ctx, o, chain);
}

}  // namespace ffdp::cli
