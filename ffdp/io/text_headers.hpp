// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ffdp/io/nifti_header.hpp"

namespace ffdp::io {

/// Images with a header of text, each recognised by its content; nothing where `path` is something
/// else: MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr), raw or packed by zlib or gzip, scalars or
/// vectors of 2 or 3 dimensions. They say what a NIfTI header says. Internal to the readers.
std::optional<OpenNifti> open_text_header(const std::string& path);

}  // namespace ffdp::io
