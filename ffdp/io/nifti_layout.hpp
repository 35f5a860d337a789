// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/io/datatype.hpp"

/// Positions of the fields of a NIfTI header, for reading and writing.
namespace ffdp::io {

inline constexpr int header1_bytes = 348, header2_bytes = 540;
/// Position of a field in NIfTI-1 and in NIfTI-2 [bytes].
struct Offset {
  int v1, v2;
};
inline constexpr Offset magic_at{344, 4}, dim_at{40, 16}, datatype_at{70, 12}, bitpix_at{72, 14},
    pixdim_at{76, 104}, data_at{108, 168}, slope_at{112, 176}, inter_at{116, 184},
    units_at{123, 500}, description_at{148, 240}, qform_code_at{252, 344}, sform_code_at{254, 348},
    quatern_at{256, 352}, qoffset_at{268, 376}, srow_at{280, 400}, intent_at{68, 504},
    toffset_at{136, 216};

/// NIfTI's number for a type of voxels.
int code_of(DataType type);

}  // namespace ffdp::io
