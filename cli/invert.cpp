// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>

#include "cli/commands.hpp"
#include "cli/common.hpp"

namespace ffdp::cli {
namespace {

struct InvertOptions {
  Common common;
  std::string transform, reference, output;
  int compression = 1;
};

/// The grid of the first displacement in the chain, if there is one.
std::optional<Grid> grid_of(const transforms::CompositeTransform& chain) {
  for (const auto& step : chain.steps())
    if (const auto* field = std::get_if<std::shared_ptr<const DisplacementImage>>(&step))
      return (*field)->grid;
  return std::nullopt;
}

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
  add_common(*command, o->common);
  command->footer(
      "A warp is inverted to 0.01 voxel on its own grid; voxels without an inverse are reported.\n"
      "Examples:\n"
      "  ffdp invert -t 0GenericAffine.mat -o inverse.mat\n"
      "  ffdp invert -t 1Warp.nii.gz -o 1InverseWarp.nii.gz");
  command->callback([o] {
    Context ctx = start(o->common);
    const auto inverse = read_chain(ctx, {"[" + o->transform + ",1]"});
    std::optional<Grid> grid = grid_of(inverse);
    if (!o->reference.empty()) grid = io::read_info(o->reference).grid;
    write_chain(ctx, o->output, inverse, grid ? &*grid : nullptr, o->compression);
  });
}

}  // namespace ffdp::cli
