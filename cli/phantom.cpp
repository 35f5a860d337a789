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
#include "cli/ranks.hpp"
#include "cli/shard_files.hpp"
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
  int ranks = 1;
  Common common;
};

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

constexpr std::int64_t at_once = std::int64_t{16} << 20U;  // voxels

/// One rank that makes phantoms.
struct Maker {
  const PhantomCommand& command;
  Grid grid;
  Context& ctx;
  dist::Comm& comm;

  io::WriteOptions options(const std::string& description) const {
    io::WriteOptions o;
    o.threads = ctx.threads;
    o.description = description;
    return o;
  }
  void say_written(const std::string& path) const {
    if (!command.common.quiet && speaks()) std::printf("wrote %s\n", path.c_str());
  }
};

void write_brain(const Maker& m, const Phantom& phantom, const std::string& image_path,
                 const std::string& labels_path) {
  io::WriteOptions options = m.options("ffdp phantom");
  options.type = io::data_type_from_string(m.command.type);
  ShardWriter image(m.comm, image_path, m.grid, io::Series{}, options);
  options.type = io::DataType::uint8;
  ShardWriter labels(m.comm, labels_path, m.grid, io::Series{}, options);
  for_each_slab(image.own(), at_once, [&](const Box& slab) {
    Field<float> values(Backend::cpu, slab);
    Field<std::uint8_t> numbers(Backend::cpu, slab);
    make_phantom(m.ctx, phantom, m.grid, slab, values, numbers);
    image.write(static_cast<const float*>(values.data()), values.size());
    labels.write(static_cast<const std::uint8_t*>(numbers.data()), numbers.size());
  });
  for (ShardWriter* writer : {&image, &labels}) {
    writer->end_volume();
    writer->commit();
  }
  m.say_written(image_path);
  m.say_written(labels_path);
}

void write_true_warp(const Maker& m, const Phantom& fixed, const Phantom& moving) {
  const std::string path = m.command.output + "_true_warp.nii.gz";
  auto writer = ShardWriter::displacement(m.comm, path, m.grid, m.options("ffdp"));
  for (int c = 0; c < writer.components(); ++c) {  // the file holds all x, then all y, then all z
    for_each_slab(writer.own(), at_once, [&](const Box& slab) {
      VectorField<float> warp(Backend::cpu, slab);
      make_true_warp(m.ctx, fixed, moving, m.grid, slab, warp);
      writer.write(static_cast<const float*>(warp.view()[c].data), slab.volume());
    });
    writer.end_volume();
  }
  writer.commit();
  m.say_written(path);
}

void run(const PhantomCommand& command, Context& ctx, dist::Comm& comm) {
  const Grid grid = centred_grid(command.size, command.spacing);
  const Maker maker{command, grid, ctx, comm};
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
    write_brain(maker, phantom, command.output + ".nii.gz", command.output + "_labels.nii.gz");
    return;
  }
  phantom.warp_mm = command.warp_mm;
  write_brain(maker, phantom, command.output + "_fixed.nii.gz",
              command.output + "_fixed_labels.nii.gz");
  write_brain(maker, moving, command.output + "_moving.nii.gz",
              command.output + "_moving_labels.nii.gz");
  write_true_warp(maker, phantom, moving);
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
  sub->add_option("--moving-contrast", command->moving_contrast,
                  "Contrast of the moving image, if different");
  sub->add_option("--seed", command->seed, "Seed of subject, scan and warp")->capture_default_str();
  sub->add_option("--noise", command->noise,
                  "Standard deviation, as a share of the white-matter intensity")
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
  add_ranks(*sub, command->ranks);
  add_common(*sub, command->common);
  sub->callback([command] {
    on_ranks(command->common, command->ranks,
             [&](Context& ctx, dist::Comm& comm) { run(*command, ctx, comm); });
  });
}

}  // namespace ffdp::cli
