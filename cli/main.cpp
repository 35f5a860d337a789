// SPDX-License-Identifier: Apache-2.0
// Exit codes: 0 done, 1 error, 2 wrong usage, 130 interrupted.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "cli/ants/programs.hpp"
#include "cli/checkpoint.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/ranks.hpp"
#include <CLI/CLI.hpp>
#include <malloc.h>

namespace {

constexpr int exit_error = 1, exit_usage = 2;

void add_commands(CLI::App& app, const std::vector<std::string>& words) {
  ffdp::cli::add_register(app, words);
  ffdp::cli::add_plan(app);
  ffdp::cli::add_apply(app);
  ffdp::cli::add_compose(app);
  ffdp::cli::add_invert(app);
  ffdp::cli::add_info(app);
  ffdp::cli::add_jacobian(app);
  ffdp::cli::add_evaluate(app);
  ffdp::cli::add_report(app);
  ffdp::cli::add_phantom(app);
  ffdp::cli::add_bench(app);
  ffdp::cli::add_completion(app);
}

int fail(const char* message) {
  std::fprintf(stderr, "ffdp: %s\n", message);
  return exit_error;
}

int run(int argc, char** argv) {
  CLI::App app("Registers images of any size, and applies, inverts and judges the result.", "ffdp");
  app.set_version_flag("--version", "ffdp " FFDP_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "ffdp COMMAND --help shows the options of a command, with examples.\n"
      "Exit codes: 0 done, 1 error, 2 wrong usage, 130 interrupted.");
  std::vector<std::string> words =
      ffdp::cli::resumed_command(std::vector<std::string>(argv + 1, argv + argc));
  std::vector<std::string> line = words;
  line.insert(line.begin(), argv[0]);
  add_commands(app, line);
  std::ranges::reverse(words);  // as CLI11 takes them
  try {
    app.parse(words);  // runs the callback of the subcommand
  } catch (const CLI::Success& asked_for_help) {
    return app.exit(asked_for_help);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "ffdp: %s (try --help)\n", error.what());
    return exit_usage;
  }
  return 0;
}

/// Makes the allocator return the memory of freed images to the system. In a heap, it would remain
/// as holes; and by default the threshold for this rises when a large block is freed.
void keep_heap_small() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 4 << 20U);
  mallopt(M_TRIM_THRESHOLD, 8 << 20U);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  keep_heap_small();
  ffdp::cli::catch_signals();
  try {
    // Called by the name of one of ANTs' programs, this is that program (docs/ants.md).
    if (const auto program = ffdp::cli::ants::program_of(argc > 0 ? argv[0] : "")) {
      ffdp::cli::require_one_process(argv[0]);
      return program(std::vector<std::string>(argv + 1, argv + argc));
    }
    return run(argc, argv);
  } catch (const ffdp::cli::Interrupted& end) {
    if (ffdp::cli::speaks()) static_cast<void>(fail(end.what()));
    return 128 + end.signal;
  } catch (const std::bad_alloc&) {
    return fail("out of memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
