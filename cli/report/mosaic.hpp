// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ffdp::cli::report {

/// One PNG of several images: one row per image, with its middle planes side by side, in true
/// proportions and with the names of their edges. A series has rows for its first, middle and last
/// volume.
struct Mosaic {
  std::string png;
  std::vector<std::string>
      words;  ///< one line per image: its planes from left to right, and the grey window
};

/// Reads some planes of a file at a time.
Mosaic make_mosaic(const std::vector<std::string>& images);

}  // namespace ffdp::cli::report
