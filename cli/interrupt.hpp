// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/error.hpp"

namespace ffdp::cli {

/// The program ends as a signal asked it to, with exit code 128 + signal.
struct Interrupted : Error {
  Interrupted(int number, const std::string& message) : Error(message), signal(number) {}
  int signal;
};

/// From now on SIGINT, SIGTERM and SIGHUP end the program, and its unfinished files are removed.
void catch_signals();

/// From now on the first of them, or SIGUSR1, is only noted, so that a checkpoint can be written.
/// The second ends the program.
void note_signals();

/// The signal that was noted, or 0.
int noted_signal();

}  // namespace ffdp::cli
