// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ffdp::cli::report {

/// cli/report/page.html, made part of the program by CMake; @DATA@ is where the data go.
extern const char* const page_template;

}  // namespace ffdp::cli::report
