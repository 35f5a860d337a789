// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ffdp::cli::report {

/// The content of cli/report/page.html, which CMake puts into the program. The data replace @DATA@.
extern const char* const page_template;

}  // namespace ffdp::cli::report
