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

/// A device of --device that is being made ready while the caller does something else, for a CUDA
/// context takes some tenths of a second.
class DeviceStart {
 public:
  /// @param device  auto, cpu, cuda or cuda:N
  explicit DeviceStart(const std::string& device);
  /// Waits, and makes it the device of the calling thread. Throws where a device was asked for that
  /// cannot be used; `auto` falls back to the CPU.
  Backend wait() const;

 private:
  int index_ = 0;
  std::shared_future<Backend> ready_;
};

/// Threads where nobody says: as many as ITK's or OpenMP's variable says, as in ANTs; else all
/// processors that this process may use.
int default_threads();

/// CPU context; sends the library's warnings to stderr unless quiet.
Context start(const Common& common);

/// A --default-value: nothing for "min", the least of an image. Throws for what is no number.
std::optional<double> parse_outside(const std::string& text);

/// ", N left out", or nothing for 0.
std::string left_out(std::int64_t count);

/// Adds --compression.
void add_compression(CLI::App& command, int& level);

}  // namespace ffdp::cli
