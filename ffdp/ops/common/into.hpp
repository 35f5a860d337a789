// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ffdp {

/// Whether a gradient is added to what is there or takes its place.
enum class Into { add, overwrite };

}  // namespace ffdp
