// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <future>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "ffdp/core/context.hpp"

namespace ffdp::cli {

/// Options that every command has.
struct Common {
  int threads = 0;  ///< 0: as many as the process may use
  bool quiet = false;
};
/// Adds --threads and --quiet.
void add_common(CLI::App& command, Common& common);
/// Adds --device to a command that can use it.
void add_device(CLI::App& command, std::string& device);

/// Prepares the device of --device while the caller does something else: creating a CUDA context
/// takes some tenths of a second.
class DeviceStart {
 public:
  /// @param device  auto, cpu, cuda or cuda:N
  explicit DeviceStart(const std::string& device);
  /// Waits, and makes it the device of the calling thread. Throws if the named device cannot be
  /// used; `auto` falls back to the CPU.
  Backend wait() const;

 private:
  int index_ = 0;
  std::shared_future<Backend> ready_;
};

/// The default number of threads: that of ITK's or OpenMP's environment variable, as in ANTs; else
/// all processors that this process may use.
int default_threads();

/// CPU context; sends the library's warnings to stderr unless quiet.
Context start(const Common& common);

/// Parses a --default-value. Returns nothing for "min" (the smallest value of an image); throws if
/// it is not a number.
std::optional<double> parse_outside(const std::string& text);

/// ", N left out", or an empty text for 0.
std::string left_out(std::int64_t count);

/// Adds --compression.
void add_compression(CLI::App& command, int& level);

}  // namespace ffdp::cli
