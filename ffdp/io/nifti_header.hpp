// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::io {

/// Reads the header at the start of `source` and checks sizes. Internal to the NIfTI reader.
NiftiInfo parse_header(ByteSource& source);

/// What a writer says in a header.
struct HeaderContent {
  Grid grid;
  DataType type = DataType::float32;
  double slope = 1, intercept = 0;
  int volumes = 1;
  double time_step = 1;
  int components = 1;
  int intent = 0;
  std::string description;
};

/// The bytes before the voxels: NIfTI-1, or NIfTI-2 where an axis is longer than 32767.
std::string make_header(const HeaderContent& content);

/// Whether the grid lies in the x, y plane as 2-D files say it: one slice, at z = 0, along z.
bool is_plain_2d(const Grid& grid);

}  // namespace ffdp::io
