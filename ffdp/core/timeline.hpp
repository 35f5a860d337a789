// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ffdp/core/context.hpp"

namespace ffdp {

/// While it exists, records what the calling thread does and when: on CUDA by events on the stream
/// of the context, on the CPU by the clock.
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

  /// All entries that have ended. Waits for the stream.
  std::vector<Entry> entries(const Context& ctx) const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

/// One piece of work, from the construction to the destruction of this object. Adds an entry to the
/// thread's Timeline, if it has one.
class Span {
 public:
  /// The name for spans of messages, which may overlap with other work.
  static constexpr const char* under_way = "messages under way";
  /// @param name  must stay valid: a string literal
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
