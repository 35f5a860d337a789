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

/// What write_result needs: on the CPU, the images from which the warped ones are made, all along;
/// on a GPU, warp, inverse, those images and a slab of each file in the end.
registration::CallerNeeds output_memory(const OutputOptions& o);

/// Creates the folder of the prefix and checks that files with the longest names can be written
/// there.
void prepare_output(const std::string& prefix);
/// The record of a registration: PREFIX.json, or ffdp.json where the prefix is a folder.
std::string record_name(const std::string& prefix);

/// Warps a label map to a grid and writes it as WarpedLabels. Collective.
using LabelWriter = std::function<void(Context&, dist::Comm&, const OutputOptions&, const Grid&,
                                       const transforms::ChainSource&)>;

/// Reads what this rank owns of all volumes and components of a label map. Collective.
LabelWriter read_labels(dist::Comm& comm, const std::string& path);

/// The images and labels as they were read, from which the warped ones are made; of each, what this
/// rank owns. They are kept because a file may change meanwhile or may be replaced by an output.
/// Empty if they are not needed.
struct Originals {
  Image<float> fixed, moving;
  Grid moving_grid;
  LabelWriter labels;
};

/// Writes P0GenericAffine.mat; those of P1Warp.nii.gz, P1InverseWarp.nii.gz, PWarped.nii.gz and
/// PInverseWarped.nii.gz that are wanted; and, with moving labels, PWarpedLabels.nii.gz. Returns
/// the parts of their names after the prefix. Frees fields of the result as soon as they are
/// written. With a GPU, the files are written at the same time, from its memory. Collective: each
/// rank makes and compresses the planes that it owns.
std::vector<std::string> write_result(Context& ctx, dist::Comm& comm, const OutputOptions& options,
                                      Originals originals, registration::Result& result);

}  // namespace ffdp::cli
