// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "ffdp/registration/linear/linear.hpp"

namespace ffdp::cli {

enum class Verbosity { quiet, normal, diagnostic };

/// Shows the progress of a registration: on a terminal one live line with an estimate of the time
/// left, elsewhere one line per level, or one line per iteration as ANTs prints them.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(Verbosity verbosity);
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;
  ProgressPrinter(ProgressPrinter&&) = delete;
  ProgressPrinter& operator=(ProgressPrinter&&) = delete;

  registration::ProgressSink sink();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ffdp::cli
