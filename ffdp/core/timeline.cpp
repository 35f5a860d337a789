// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/timeline.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/device.hpp"

namespace ffdp {

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Timeline::State {
  struct Part {
    const char* name;
    Mark begin;
    std::optional<Mark> end;
  };
  Mark origin;
  double origin_seconds;
  std::vector<Part> parts;
  State* outer;
};

namespace {
thread_local Timeline::State* current = nullptr;
}

Timeline::Timeline(const Context& ctx) {
  synchronize(ctx);
  Mark origin(ctx);
  synchronize(ctx);
  state_.reset(new State{std::move(origin), now(), {}, std::exchange(current, nullptr)});
  current = state_.get();
}

Timeline::~Timeline() { current = state_->outer; }

std::vector<Timeline::Entry> Timeline::entries(const Context& ctx) const {
  synchronize(ctx);
  std::vector<Entry> all;
  const State& s = *state_;
  for (const State::Part& part : s.parts)
    if (part.end)
      all.push_back({part.name, s.origin_seconds + part.begin.seconds_since(s.origin),
                     s.origin_seconds + part.end->seconds_since(s.origin)});
  return all;
}

Span::Span(const Context& ctx, const char* name) : ctx_(ctx), timeline_(current) {
  if (!timeline_) return;
  entry_ = timeline_->parts.size();
  timeline_->parts.push_back({name, Mark(ctx), {}});
}

Span::~Span() {
  if (timeline_) timeline_->parts[entry_].end.emplace(ctx_);
}

}  // namespace ffdp
