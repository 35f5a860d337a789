// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Files that a registration may leave out.
inline const std::vector<std::string> optional_files = {"warp", "inverse-warp", "warped",
                                                        "inverse-warped"};

/// Which files a registration leaves (DESIGN.md 6).
struct OutputOptions {
  std::string prefix;
  std::string fixed, moving;  ///< image files
  std::string moving_labels;  ///< empty: none
  int compression = 1;
  std::vector<std::string> files = optional_files;

  bool writes(const std::string& file) const { return std::ranges::count(files, file) > 0; }
};

/// The same, for the memory plan.
inline registration::Written written(const OutputOptions& o) {
  return {o.writes("warp"), o.writes("inverse-warp"), o.writes("warped"),
          o.writes("inverse-warped")};
}

/// Creates the folder of the prefix and checks that files can be written there.
void prepare_output(const std::string& prefix);

/// What this rank owns of the images as they were read, for the warped images; where they are empty
/// they are read again, to save memory.
struct Originals {
  Image<float> fixed, moving;
};

/// Writes P0GenericAffine.mat, of P1Warp.nii.gz, P1InverseWarp.nii.gz, PWarped.nii.gz and
/// PInverseWarped.nii.gz what is wanted and, with moving labels, PWarpedLabels.nii.gz. Returns what
/// comes after the prefix in their names. Takes the result apart to save memory. On a device the
/// files are written at the same time, straight from there. Collective: each rank makes and
/// compresses the planes that it owns.
std::vector<std::string> write_result(Context& ctx, dist::Comm& comm, const OutputOptions& options,
                                      Originals originals, registration::Result& result);

}  // namespace ffdp::cli
