// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/error.hpp"

namespace ffdp::cli {

/// Ends the program after a signal, with exit code 128 + signal.
struct Interrupted : Error {
  Interrupted(int number, const std::string& message) : Error(message), signal(number) {}
  int signal;
};

/// From now on SIGINT, SIGTERM and SIGHUP remove unfinished files and end the program.
void catch_signals();

/// From now on the first of these signals, or of SIGUSR1, is only noted, so that a checkpoint can
/// be written. The second one ends the program.
void note_signals();

/// The signal that was noted, or 0.
int noted_signal();

}  // namespace ffdp::cli
