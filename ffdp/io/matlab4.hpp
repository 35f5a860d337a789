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

/// The matrices of a MATLAB v4 file (double or float, either byte order), or nothing where
/// `content` is not one. `path` is for messages: a truncated file is an IoError.
std::optional<std::vector<MatlabMatrix>> parse_matlab4(const std::string& path,
                                                       const std::string& content);

/// Little-endian doubles.
std::string make_matlab4(const std::vector<MatlabMatrix>& matrices);

}  // namespace ffdp::io
