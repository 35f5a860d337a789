// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ffdp::cli::report {

/// One PNG of images: a row for each, with its middle planes side by side, in proportion and with
/// the names of their edges; of a series its first, middle and last volume.
struct Mosaic {
  std::string png;
  std::vector<std::string> words;  ///< a line an image: planes from left to right, and the greys
};

/// Reads some planes of a file at a time.
Mosaic make_mosaic(const std::vector<std::string>& images);

}  // namespace ffdp::cli::report
