// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ffdp {

/// Whether a result is added to the old values or replaces them.
enum class Into { add, overwrite };

}  // namespace ffdp
