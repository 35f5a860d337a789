// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/io/transform_file.hpp"

namespace ffdp::io {

/// Reads an ITK composite. Internal to read_transform and the writers. Throws NotBuilt without
/// HDF5.
TransformFile read_hdf5_transform(const std::string& path);
void write_hdf5_transforms(const std::string& path, const std::vector<Transform>& transforms,
                           int dimension);

}  // namespace ffdp::io
