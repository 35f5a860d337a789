// SPDX-License-Identifier: Apache-2.0
#include "ffdp/phantom/phantom.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/sizes.hpp"
#include <CLI/CLI.hpp>

#include "ffdp/core/error.hpp"
#include "ffdp/core/field.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::cli {
namespace {

using phantom::Phantom;

struct PhantomCommand {
  std::string output;
  std::string size = "160x192x160";
  std::string spacing = "1";
  std::string contrast = "t1";
  std::string moving_contrast;
  std::string type = "float32";
  std::uint32_t seed = 1;
  double noise = 0.02, bias = 0.2, warp_mm = 6;
  std::vector<double> rotate{0, 0, 0}, translate{0, 0, 0};
  double zoom = 1;
  bool pair = false;
  Common common;
};

/// "160x192x224" or "1.5": three numbers in file order, one number thrice.
/// Rotation about x, then y, then z [degrees], zoom and shift [mm], about the world's origin.
Affine pose_of(const PhantomCommand& command) {
  Mat3 linear = Affine{}.linear;
  for (int axis = 0; axis < 3; ++axis) {
    const double angle = command.rotate[axis] * std::numbers::pi / 180;
    const int a = (axis + 1) % 3, b = (axis + 2) % 3;
    Mat3 turn = Affine{}.linear;
    turn[a][a] = turn[b][b] = std::cos(angle);
    turn[a][b] = -std::sin(angle);
    turn[b][a] = std::sin(angle);
    linear = turn * linear;
  }
  for (Vec3& row : linear)
    for (double& value : row) value *= command.zoom;
  return {linear, {command.translate[0], command.translate[1], command.translate[2]}};
}

/// Calls body(slab) for slabs of whole planes of about 64 MiB, in file order.
template <class Body>
void for_each_slab(const Grid& grid, Body&& body) {
  const std::int64_t plane = std::int64_t{grid.size[1]} * grid.size[2];
  const int planes = static_cast<int>(std::max<std::int64_t>(1, (std::int64_t{16} << 20) / plane));
  for (int z = 0; z < grid.size[0]; z += planes) {
    Box slab = grid.domain();
    slab.lo[0] = z;
    slab.hi[0] = std::min(grid.size[0], z + planes);
    body(slab);
  }
}

void say_written(const PhantomCommand& command, const std::string& path) {
  if (!command.common.quiet) std::printf("wrote %s\n", path.c_str());
}

void write_brain(const PhantomCommand& command, const Grid& grid, const Phantom& phantom,
                 const std::string& image_path, const std::string& labels_path) {
  Context ctx = start(command.common);
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.description = "ffdp phantom";
  options.type = io::data_type_from_string(command.type);
  io::NiftiWriter image(image_path, grid, {}, options);
  options.type = io::DataType::uint8;
  io::NiftiWriter labels(labels_path, grid, {}, options);
  for_each_slab(grid, [&](const Box& slab) {
    Field<float> values(Backend::cpu, slab);
    Field<std::uint8_t> numbers(Backend::cpu, slab);
    make_phantom(ctx, phantom, grid, slab, values, numbers);
    image.write(values.data(), values.size());
    labels.write(numbers.data(), numbers.size());
  });
  image.commit();
  labels.commit();
  say_written(command, image_path);
  say_written(command, labels_path);
}

void write_true_warp(const PhantomCommand& command, const Grid& grid, const Phantom& fixed,
                     const Phantom& moving) {
  Context ctx = start(command.common);
  io::WriteOptions options;
  options.threads = ctx.threads;
  const std::string path = command.output + "_true_warp.nii.gz";
  io::NiftiWriter writer = io::NiftiWriter::displacement(path, grid, options);
  for (int c = 0; c < writer.components(); ++c)  // the file holds all x, then all y, then all z
    for_each_slab(grid, [&](const Box& slab) {
      VectorField<float> warp(Backend::cpu, slab);
      make_true_warp(ctx, fixed, moving, grid, slab, warp);
      writer.write(warp.view()[c].data, slab.volume());
    });
  writer.commit();
  say_written(command, path);
}

void run(const PhantomCommand& command) {
  const Grid grid = centred_grid(command.size, command.spacing);
  Phantom phantom;
  phantom.contrast = phantom::contrast_from(command.contrast);
  phantom.subject = phantom.warp = command.seed;
  phantom.scan = 2 * command.seed;
  phantom.noise = command.noise;
  phantom.bias = command.bias;
  phantom = fitted_to(grid, phantom);
  Phantom moving = phantom;
  moving.scan = phantom.scan + 1;
  moving.pose = pose_of(command);
  if (!command.moving_contrast.empty())
    moving.contrast = phantom::contrast_from(command.moving_contrast);
  if (!command.pair) {
    phantom.pose = moving.pose;
    write_brain(command, grid, phantom, command.output + ".nii.gz",
                command.output + "_labels.nii.gz");
    return;
  }
  phantom.warp_mm = command.warp_mm;
  write_brain(command, grid, phantom, command.output + "_fixed.nii.gz",
              command.output + "_fixed_labels.nii.gz");
  write_brain(command, grid, moving, command.output + "_moving.nii.gz",
              command.output + "_moving_labels.nii.gz");
  write_true_warp(command, grid, phantom, moving);
}

}  // namespace

void add_phantom(CLI::App& app) {
  auto command = std::make_shared<PhantomCommand>();
  CLI::App* sub = app.add_subcommand("phantom",
                                     "Make a procedural brain, or a pair of them with "
                                     "a known warp");
  sub->footer(
      "Examples:\n"
      "  ffdp phantom -o brain                        brain.nii.gz, brain_labels.nii.gz\n"
      "  ffdp phantom -o p --pair --warp-mm 6         p_fixed, p_moving, their labels and\n"
      "                                               p_true_warp (fixed -> moving, as ANTs' "
      "1Warp)\n"
      "  ffdp phantom -o big --size 1760x1760x1278 --spacing 0.1 --contrast flash --type uint16");
  sub->add_option("-o,--output", command->output, "Prefix of the files")->required();
  sub->add_option("--size", command->size, "Voxels along x, y, z")->capture_default_str();
  sub->add_option("--spacing", command->spacing,
                  "Voxel size along x, y, z [mm]; the brain always "
                  "fills the image")
      ->capture_default_str();
  sub->add_option("--contrast", command->contrast, "t1, t2 or flash")->capture_default_str();
  sub->add_option("--moving-contrast", command->moving_contrast, "Of the moving image, if another");
  sub->add_option("--seed", command->seed, "Which subject, scan and warp")->capture_default_str();
  sub->add_option("--noise", command->noise, "Standard deviation, share of white matter")
      ->capture_default_str();
  sub->add_option("--bias", command->bias, "Amplitude of the bias field")->capture_default_str();
  sub->add_flag("--pair", command->pair, "Make a fixed and a moving image and the true warp");
  sub->add_option("--warp-mm", command->warp_mm, "Strength of the warp between the pair [mm]")
      ->capture_default_str();
  sub->add_option("--rotate", command->rotate, "Turn the (moving) head about x y z [degrees]")
      ->expected(3);
  sub->add_option("--translate", command->translate, "Shift the (moving) head by x y z [mm]")
      ->expected(3);
  sub->add_option("--zoom", command->zoom, "Enlarge the (moving) head by this factor")
      ->check(CLI::PositiveNumber);
  sub->add_option("--type", command->type,
                  "Voxel type of the images: float32, uint16, int16, uint8")
      ->capture_default_str();
  add_common(*sub, command->common);
  sub->callback([command] { run(*command); });
}

}  // namespace ffdp::cli
