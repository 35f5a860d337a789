// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <string>

#include <sys/wait.h>

namespace ffdp::test {

struct Outcome {
  int code = -1;
  std::string text;  ///< stdout and stderr
};

/// Runs a command of the shell.
inline Outcome run_command(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof(buffer), pipe))
    outcome.text.append(buffer, n);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

/// Runs the program ffdp with these arguments.
inline Outcome run_program(const std::string& arguments) {
  return run_command(std::string(FFDP_PROGRAM) + " " + arguments);
}

}  // namespace ffdp::test
