// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::io {

/// A header and the open file with the voxels.
struct OpenNifti {
  NiftiInfo info;
  std::unique_ptr<ByteSource> source;
};
/// Reads a header and checks sizes. Internal to the NIfTI reader.
OpenNifti open_nifti(const std::string& path);

/// What a writer puts into a header.
struct HeaderContent {
  Grid grid;
  DataType type = DataType::float32;
  double slope = 1, intercept = 0;
  Series series;
  std::string description;
};

/// The bytes before the voxels: NIfTI-1, or NIfTI-2 if an axis is longer than 32767.
std::string make_header(const HeaderContent& content);

}  // namespace ffdp::io
