// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ffdp/io/nifti_header.hpp"

namespace ffdp::io {

/// Opens an image with a text header: MetaImage (.mha, .mhd) or NRRD (.nrrd, .nhdr), raw or
/// compressed by zlib or gzip, scalars or vectors of 2 or 3 dimensions. The content decides the
/// format; returns nothing for any other file. Internal to the readers.
std::optional<OpenNifti> open_text_header(const std::string& path);

}  // namespace ffdp::io
