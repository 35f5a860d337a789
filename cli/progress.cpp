// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.hpp"

#include <chrono>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace ffdp::cli {

using Clock = std::chrono::steady_clock;

struct ProgressPrinter::State {
  Verbosity verbosity;
  bool terminal = isatty(STDERR_FILENO) != 0;
  Clock::time_point start = Clock::now(), last = start, shown = start;
  registration::Progress latest{};
  std::string key{};  // stage and level of the latest line

  double seconds(Clock::time_point since) const {
    return std::chrono::duration<double>(Clock::now() - since).count();
  }

  void diagnostic(const registration::Progress& p, bool new_level) {
    if (new_level) {
      std::printf("%s, level %d of %d\n", p.stage, p.level + 1, p.levels);
      std::printf(
          "XXDIAGNOSTIC,Iteration,metricValue,convergenceValue,ITERATION_TIME_INDEX,SINCE_LAST\n");
    }
    std::printf("1DIAGNOSTIC, %4d, %.9e, %.9e, %.4e, %.4e,\n", p.iteration, p.cost, p.convergence,
                seconds(start), seconds(last));
    std::fflush(stdout);
  }

  /// The time of a level ends when the next one begins, because a stage may work on after its last
  /// iteration.
  void end_level(Clock::time_point end) {
    if (key.empty() || verbosity != Verbosity::normal) return;
    std::fprintf(stderr, "%s%-14s level %d/%d  %4d iterations  cost %10.6f  %6.2f s\n",
                 terminal ? "\r\033[K" : "", latest.stage, latest.level + 1, latest.levels,
                 latest.iteration, latest.cost,
                 std::chrono::duration<double>(end - latest.begun).count());
  }

  void show(const registration::Progress& p) {
    const std::string now_key = std::string(p.stage) + "/" + std::to_string(p.level);
    const bool new_level = now_key != key || p.iteration <= latest.iteration;
    if (new_level) end_level(p.begun == latest.begun ? last : p.begun);
    if (verbosity == Verbosity::diagnostic) diagnostic(p, new_level);
    key = now_key;
    latest = p;
    last = Clock::now();
    if (verbosity != Verbosity::normal || !terminal || seconds(shown) < 0.1) return;
    shown = last;
    const double left = seconds(p.begun) / p.iteration * (p.iterations - p.iteration);
    std::fprintf(stderr,
                 "\r\033[K%-14s level %d/%d  iteration %d/%d  cost %.6f  at most %.0f s left",
                 p.stage, p.level + 1, p.levels, p.iteration, p.iterations, p.cost, left);
  }
};

ProgressPrinter::ProgressPrinter(Verbosity verbosity) : state_(new State{verbosity}) {}
ProgressPrinter::~ProgressPrinter() { state_->end_level(state_->last); }

registration::ProgressSink ProgressPrinter::sink() {
  if (state_->verbosity == Verbosity::quiet) return nullptr;
  return [state = state_.get()](const registration::Progress& p) { state->show(p); };
}

}  // namespace ffdp::cli
