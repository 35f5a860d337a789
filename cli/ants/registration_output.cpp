// SPDX-License-Identifier: Apache-2.0
#include "cli/ants/registration_output.hpp"

#include <cstdio>
#include <utility>

#include "cli/ants/interpolator.hpp"
#include "cli/ants/state.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"

namespace ffdp::cli::ants {
namespace {

io::WriteOptions write_options(const Context& ctx, io::DataType type) {
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.type = type;
  return options;
}

void write_parts(Context& ctx, const RegistrationLine& line, const Grid& grid, Parts& parts) {
  const auto warp = [&](const std::string& path, const DisplacementImage& field) {
    io::write_displacement(path, field, write_options(ctx, io::DataType::float32));
  };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Part& part = parts[i];
    const std::string name = line.prefix + std::to_string(i);
    if (!part.written) continue;
    if (!part.warp) {
      io::write_affine(name + part.type + ".mat", part.affine, grid.centre(), line.dimension);
      continue;
    }
    warp(name + "Warp.nii.gz", *part.warp);
    if (!part.has_inverse) continue;
    need_inverse(ctx, part);
    warp(name + "InverseWarp.nii.gz", *part.inverse);
  }
}

void write_image(Context& ctx, const RegistrationLine& line, const std::string& path,
                 const Grid& grid, const transforms::CompositeTransform& chain,
                 const Image<float>& image) {
  const Interpolator interpolator(line.interpolation);
  const auto params = interpolator.params(image.grid, 0);
  io::NiftiWriter writer(
      path, grid, {},
      write_options(ctx, line.single_precision ? io::DataType::float32 : io::DataType::float64));
  const auto write = [&](auto values) { writer.write(values.data(), std::ssize(values)); };
  if (interpolator.keeps_labels())
    transforms::apply_label<float>(ctx, params, grid, chain, image, write);
  else
    transforms::apply<float>(ctx, params, grid, chain, image, write);
  writer.commit();
}

}  // namespace

void write_registration(Context& ctx, const RegistrationLine& line, Images& images, Parts parts) {
  const MetricLine& first = line.stages[0].metrics[0];
  const Image<float>&fixed = images.at(first.fixed), &moving = images.at(first.moving);
  if (line.collapse) parts = collapsed(ctx, fixed.grid, std::move(parts));
  const auto forward = chain_of(parts);
  if (line.composite) {
    io::write_composite(line.prefix + "Composite.h5", forward.steps(), line.dimension);
    io::write_composite(line.prefix + "InverseComposite.h5", inverse_chain_of(ctx, parts).steps(),
                        line.dimension);
  } else {
    write_parts(ctx, line, fixed.grid, parts);
  }
  if (!line.save_state.empty()) write_state(ctx, line.save_state, parts, line.dimension);
  if (!line.warped.empty()) write_image(ctx, line, line.warped, fixed.grid, forward, moving);
  if (!line.inverse_warped.empty())
    write_image(ctx, line, line.inverse_warped, moving.grid, inverse_chain_of(ctx, parts), fixed);
}

}  // namespace ffdp::cli::ants
