// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "ffdp/registration/linear/linear.hpp"

namespace ffdp::cli {

enum class Verbosity { quiet, normal, diagnostic };

/// What is shown of a registration while it runs: one live line with an estimate of the time left
/// on a terminal, a line a level elsewhere, or a line an iteration as ANTs prints them.
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
