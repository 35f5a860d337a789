// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <span>

#include "cli/bench_rows.hpp"

#include "ffdp/core/timeline.hpp"

namespace ffdp::cli {
namespace {

/// One event of Chrome's trace format [microseconds]. A case is a process, a rank is a thread.
std::string event(const std::string& name, const char* kind, const char* what, int rank,
                  double begin, double seconds) {
  char text[512];
  std::snprintf(text, sizeof(text),
                R"({"name":"%s","cat":"%s","ph":"X","pid":"%s","tid":%d,"ts":%.3f,"dur":%.3f},)"
                "\n",
                what, kind, name.c_str(), rank, 1e6 * begin, 1e6 * seconds);
  return text;
}

}  // namespace

void Bench::trace(const std::string& name, const std::function<void()>& body) {
  if (options_.timeline.empty()) return;
  const Timeline timeline(ctx);
  comm.barrier();
  body();
  const std::vector<Timeline::Entry> entries = timeline.entries(ctx);
  const double first =
      std::ranges::min(comm.all_gather(entries.empty() ? 0.0 : entries.front().begin));
  std::string mine;
  for (const Timeline::Entry& entry : entries)
    mine += event(name + " " + size_, entry.name == Span::under_way ? "message" : "work",
                  entry.name, comm.rank(), entry.begin - first, entry.end - entry.begin);
  const std::vector<char> all = comm.all_gather_lists(std::span<const char>(mine));
  traced_.append(all.begin(), all.end());
}

}  // namespace ffdp::cli
