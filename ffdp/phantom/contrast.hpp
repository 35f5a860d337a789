// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace ffdp::phantom {

enum class Contrast { t1, t2, flash };

/// The contrast of "t1", "t2" or "flash"; throws InvalidArgument for another word.
Contrast contrast_from(std::string_view name);

}  // namespace ffdp::phantom
