// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>

#include "cli/chain_files.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"

namespace ffdp::cli {
namespace {

struct InvertOptions {
  Common common;
  std::string transform, reference, output;
  int compression = 1, ranks = 1;
};

}  // namespace

void add_invert(CLI::App& app) {
  const auto o = std::make_shared<InvertOptions>();
  CLI::App* command = app.add_subcommand("invert", "Invert an affine, a warp or a composite");
  command->add_option("-t,--transform", o->transform, "transform to invert")->required();
  command->add_option("-r,--reference", o->reference,
                      "image whose grid an inverse warp gets; default: the warp's own");
  command
      ->add_option("-o,--output", o->output,
                   "warp (.nii, .nii.gz), affine (.mat, .txt, .tfm) or composite (.h5)")
      ->required();
  add_compression(*command, o->compression);
  add_ranks(*command, o->ranks);
  add_common(*command, o->common);
  command->footer(
      "A warp is inverted to 0.01 voxel on its own grid; voxels without an inverse are reported.\n"
      "Examples:\n"
      "  ffdp invert -t 0GenericAffine.mat -o inverse.mat\n"
      "  ffdp invert -t 1Warp.nii.gz -o 1InverseWarp.nii.gz");
  command->callback([o] {
    on_ranks(o->common, o->ranks, [&](Context& ctx, dist::Comm& comm) {
      const ChainFiles inverse = open_chain(ctx, comm, {"[" + o->transform + ",1]"});
      std::optional<Grid> grid;
      if (const auto* field = inverse.first_field()) grid = field->grid;
      if (!o->reference.empty()) grid = io::read_info(o->reference).grid;
      write_chain(ctx, comm, o->output, inverse, grid ? &*grid : nullptr, o->compression);
    });
  });
}

}  // namespace ffdp::cli
