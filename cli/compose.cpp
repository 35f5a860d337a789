// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>

#include "cli/chain_files.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"

namespace ffdp::cli {
namespace {

struct ComposeOptions {
  Common common;
  std::string reference, output;
  std::vector<std::string> transforms;
  int compression = 1, ranks = 1;
};

}  // namespace

void add_compose(CLI::App& app) {
  const auto o = std::make_shared<ComposeOptions>();
  CLI::App* command = app.add_subcommand("compose", "Make one transform of a chain");
  add_transforms(*command, o->transforms)->required();
  command->add_option("-r,--reference", o->reference,
                      "image whose grid the warp gets; needed for .nii.gz");
  command
      ->add_option("-o,--output", o->output,
                   "warp (.nii, .nii.gz), affine (.mat, .txt, .tfm) or composite (.h5)")
      ->required();
  add_compression(*command, o->compression);
  add_ranks(*command, o->ranks);
  add_common(*command, o->common);
  command->footer(
      "Examples:\n"
      "  ffdp compose -r fixed.nii.gz -t 1Warp.nii.gz -t 0GenericAffine.mat -o total.nii.gz\n"
      "  ffdp compose -t second.mat -t [first.txt,1] -o both.mat");
  command->callback([o] {
    std::optional<Grid> grid;
    if (!o->reference.empty()) grid = io::read_info(o->reference).grid;
    on_ranks(o->common, o->ranks, [&](Context& ctx, dist::Comm& comm) {
      write_chain(ctx, comm, o->output, open_chain(ctx, comm, o->transforms),
                  grid ? &*grid : nullptr, o->compression);
    });
  });
}

}  // namespace ffdp::cli
