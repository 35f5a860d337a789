// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/registration/register.hpp"

namespace ffdp::cli {

/// Which files a registration leaves (DESIGN.md 6).
struct OutputOptions {
  std::string prefix;
  std::string fixed, moving;  ///< image files
  std::string moving_labels;  ///< empty: none
  int compression = 1;
  bool images = true, warps = true;
};

/// Creates the folder of the prefix and checks that files can be written there.
void prepare_output(const std::string& prefix);

/// The images as they were read, for the warped images; where they are empty they are read again,
/// to save memory.
struct Originals {
  Image<float> fixed, moving;
};

/// Writes P0GenericAffine.mat, P1Warp.nii.gz, P1InverseWarp.nii.gz, PWarped.nii.gz,
/// PInverseWarped.nii.gz and, with moving labels, PWarpedLabels.nii.gz. Takes the result apart to
/// save memory. On a device the files are written at the same time, straight from there.
void write_result(Context& ctx, const OutputOptions& options, Originals originals,
                  registration::Result& result);

}  // namespace ffdp::cli
