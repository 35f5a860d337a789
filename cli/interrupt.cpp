// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.hpp"

#include <atomic>

#include <signal.h>
#include <unistd.h>

#include "ffdp/io/atomic_file.hpp"

namespace ffdp::cli {
namespace {

std::atomic<int> noted = 0;
std::atomic<bool> notes = false;
static_assert(std::atomic<int>::is_always_lock_free);

// Only async-signal-safe calls here.
void on_signal(int number) {
  int none = 0;
  if (notes && noted.compare_exchange_strong(none, number)) return;
  io::remove_unfinished_files();
  _exit(128 + number);
}

void handle(int number) {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(number, &action, nullptr);
}

}  // namespace

void catch_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) handle(number);
}

void note_signals() {
  notes = true;
  handle(SIGUSR1);
}

int noted_signal() { return noted; }

}  // namespace ffdp::cli
