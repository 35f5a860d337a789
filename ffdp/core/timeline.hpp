// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ffdp/core/context.hpp"

namespace ffdp {

/// Records what the calling thread does, and when, while it lives: on CUDA by events on the stream
/// of the context, else by the clock.
class Timeline {
 public:
  /// Begin and end [s], on the clock that all threads share.
  struct Entry {
    const char* name;
    double begin, end;
  };
  /// Waits for the stream.
  explicit Timeline(const Context& ctx);
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;
  Timeline(Timeline&&) = delete;
  Timeline& operator=(Timeline&&) = delete;
  ~Timeline();

  /// All that has ended; waits for the stream.
  std::vector<Entry> entries(const Context& ctx) const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

/// A stretch of work, from here to the end of its life: an entry of the thread's Timeline, if it
/// has one.
class Span {
 public:
  /// The name of those of messages, which other work may overlap.
  static constexpr const char* under_way = "messages under way";
  /// @param name  stays, as that of a literal
  Span(const Context& ctx, const char* name);
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  Span(Span&&) = delete;
  Span& operator=(Span&&) = delete;
  ~Span();

 private:
  const Context& ctx_;
  Timeline::State* timeline_;
  std::size_t entry_ = 0;
};

}  // namespace ffdp
