// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/jacobian/jacobian.hpp"

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>
#include <string>

#include "cli/chain_files.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"
#include "cli/shard_files.hpp"

#include "ffdp/dist/ordered_sum.hpp"

namespace ffdp::cli {
namespace {

struct JacobianCommand {
  std::string warp, output;
  bool log = false;
  int compression = 1, ranks = 1;
  Common common;
};

void run(const JacobianCommand& command, Context& ctx, dist::Comm& comm) {
  const VoxelWarp warp = read_voxel_warp(ctx, comm, command.warp);
  const Box& domain = warp.cut.domain();
  const auto s = dist::ordered_sum(
      comm, warp.cut, jacobian::statistics(ctx, domain, warp.cut.own(comm), warp.u, {}));
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.compression_level = command.compression;
  options.description = command.log ? "ffdp jacobian: log of the determinant" : "ffdp jacobian";
  ShardWriter writer(comm, command.output, warp.grid, io::Series{}, options);
  write_planes(ctx, writer, [&](View<float> determinant) {
    jacobian::forward(ctx, domain, determinant.stored, warp.u, determinant);
    if (!command.log) return;
    for (float& value : std::span(determinant.data, determinant.stored.volume()))
      value = value > 0 ? std::log(value) : std::numeric_limits<float>::quiet_NaN();
  });
  writer.commit();
  if (command.common.quiet || !speaks()) return;
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
  add_ranks(*sub, command->ranks);
  add_common(*sub, command->common);
  sub->callback([command] {
    on_ranks(command->common, command->ranks,
             [&](Context& ctx, dist::Comm& comm) { run(*command, ctx, comm); });
  });
}

}  // namespace ffdp::cli
