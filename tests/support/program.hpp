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

/// Runs the program ffdp with these arguments.
inline Outcome run_program(const std::string& arguments) {
  const std::string command = std::string(FFDP_PROGRAM) + " " + arguments + " 2>&1";
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof(buffer), pipe))
    outcome.text.append(buffer, n);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

}  // namespace ffdp::test
