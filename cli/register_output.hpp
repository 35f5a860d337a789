// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "ffdp/registration/register.hpp"
#include "ffdp/transforms/chain_source.hpp"

namespace ffdp::cli {

/// Files that a registration may leave out.
inline const std::vector<std::string> optional_files = {"warp", "inverse-warp", "warped",
                                                        "inverse-warped"};

/// Which files a registration leaves.
struct OutputOptions {
  std::string prefix;
  std::string fixed, moving;  ///< image files, for messages
  std::string moving_labels;  ///< empty: none
  int compression = 1;
  std::string outside = "0";  ///< value outside the images: a number, or "min" of the image
  std::vector<std::string> files = optional_files;

  bool writes(const std::string& file) const { return std::ranges::count(files, file) > 0; }
};

/// The same, for the memory plan.
inline registration::Written written(const OutputOptions& o) {
  return {o.writes("warp"), o.writes("inverse-warp"), o.writes("warped"),
          o.writes("inverse-warped")};
}

/// Creates the folder of the prefix and checks that files with the longest names can be written
/// there.
void prepare_output(const std::string& prefix);
/// The record of a registration: PREFIX.json, or ffdp.json where the prefix is a folder.
std::string record_name(const std::string& prefix);

/// Warps what it holds to a grid and writes it as WarpedLabels. Collective.
using LabelWriter = std::function<void(Context&, dist::Comm&, const OutputOptions&, const Grid&,
                                       const transforms::ChainSource&)>;

/// Reads what this rank owns of all volumes and components of a label map. Collective.
LabelWriter read_labels(dist::Comm& comm, const std::string& path);

/// What the warped images and labels are made from, what this rank owns of them, as it was read:
/// files may change during the work, and may bear the names of outputs. Empty where nothing is made
/// from it.
struct Originals {
  Image<float> fixed, moving;
  Grid moving_grid;
  LabelWriter labels;
};

/// Writes P0GenericAffine.mat, of P1Warp.nii.gz, P1InverseWarp.nii.gz, PWarped.nii.gz and
/// PInverseWarped.nii.gz what is wanted and, with moving labels, PWarpedLabels.nii.gz. Returns what
/// comes after the prefix in their names. Takes the result apart to save memory. On a device the
/// files are written at the same time, straight from there. Collective: each rank makes and
/// compresses the planes that it owns.
std::vector<std::string> write_result(Context& ctx, dist::Comm& comm, const OutputOptions& options,
                                      Originals originals, registration::Result& result);

}  // namespace ffdp::cli
