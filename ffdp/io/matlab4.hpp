// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ffdp::io {

/// One real matrix of a MATLAB version 4 file, values column by column.
struct MatlabMatrix {
  std::string name;
  int rows = 0, columns = 0;
  std::vector<double> values;
};

/// The matrices of a MATLAB v4 file (double or float, either byte order); none if `content` is not
/// one. Throws IoError, which names `path`, for a truncated file.
std::optional<std::vector<MatlabMatrix>> parse_matlab4(const std::string& path,
                                                       const std::string& content);

/// The content of a MATLAB v4 file of little-endian doubles.
std::string make_matlab4(const std::vector<MatlabMatrix>& matrices);

}  // namespace ffdp::io
