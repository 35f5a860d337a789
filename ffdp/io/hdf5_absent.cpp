// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/error.hpp"
#include "ffdp/io/hdf5_transforms.hpp"

namespace ffdp::io {

TransformFile read_hdf5_transform(const std::string& path) {
  throw NotBuilt(path + ": this build cannot read HDF5 (it was configured with FFDP_HDF5=OFF)");
}

void write_hdf5_transforms(const std::string& path, const std::vector<Transform>&, int) {
  throw NotBuilt(path + ": this build cannot write HDF5 (it was configured with FFDP_HDF5=OFF)");
}

}  // namespace ffdp::io
