// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/jacobian/jacobian.hpp"

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "cli/commands.hpp"
#include "cli/common.hpp"

#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli {
namespace {

struct JacobianCommand {
  std::string warp, output;
  bool log = false;
  int compression = 1;
  Common common;
};

void run(const JacobianCommand& command) {
  Context ctx = start(command.common);
  DisplacementImage displacement = read_warp(ctx, command.warp);
  const Grid grid = displacement.grid;
  const VectorField<float> u = transforms::to_voxels(ctx, std::move(displacement));
  const Box domain = grid.domain();
  const jacobian::Statistics s = jacobian::statistics(ctx, domain, domain, u, {}).total();
  Image<float> determinant{grid, Field<float>(Backend::cpu, domain)};
  jacobian::forward(ctx, domain, domain, u, determinant.data);
  if (command.log)
    for (float& value : determinant.data)
      value = value > 0 ? std::log(value) : std::numeric_limits<float>::quiet_NaN();
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.compression_level = command.compression;
  options.description = command.log ? "ffdp jacobian: log of the determinant" : "ffdp jacobian";
  io::write_image(command.output, determinant, options);
  if (command.common.quiet) return;
  std::printf("determinant %.6g to %.6g, SDlogJ %.6g, %lld of %lld voxels folded%s\nwrote %s\n",
              s.min, s.max, s.sd_log(), static_cast<long long>(s.folded),
              static_cast<long long>(s.count), left_out(s.missing).c_str(), command.output.c_str());
}

}  // namespace

void add_jacobian(CLI::App& app) {
  auto command = std::make_shared<JacobianCommand>();
  CLI::App* sub = app.add_subcommand("jacobian", "Make the determinant of the Jacobian of a warp");
  sub->footer(
      "Central differences of p + d(p), one-sided at the edge; 1 keeps volumes, 0 or less folds.\n"
      "Example:\n  ffdp jacobian out/1Warp.nii.gz -o out/logj.nii.gz --log");
  sub->add_option("warp", command->warp, "Displacement field (NIfTI) or composite (.h5)")
      ->required();
  sub->add_option("-o,--output", command->output, "Image to write")->required();
  sub->add_flag("--log", command->log, "Write its logarithm, NaN where it is not positive");
  add_compression(*sub, command->compression);
  add_common(*sub, command->common);
  sub->callback([command] { run(*command); });
}

}  // namespace ffdp::cli
