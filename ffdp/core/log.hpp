// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

namespace ffdp {

enum class Level { debug, info, warning };

using LogSink = std::function<void(Level, std::string_view)>;

/// Sets the one sink of the library; the default discards everything.
void set_log_sink(LogSink sink);
void log(Level level, std::string_view message);

}  // namespace ffdp
