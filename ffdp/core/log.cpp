// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/log.hpp"

#include <utility>

namespace ffdp {
namespace {
LogSink& sink() {
  static LogSink instance;
  return instance;
}
}  // namespace

void set_log_sink(LogSink new_sink) { sink() = std::move(new_sink); }

void log(Level level, std::string_view message) {
  if (sink()) sink()(level, message);
}

}  // namespace ffdp
