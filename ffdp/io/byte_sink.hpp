// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/gzip_members.hpp"

namespace ffdp::io {

/// Writes bytes to a file, raw or as gzip members of 1 MiB each. All threads compress members while
/// the ones before are written. Holds a few members at a time, never the whole content.
class ByteSink {
 public:
  /// @param level    0 stores raw bytes without gzip; 1 (fast) to 12 (small) compresses
  /// @param threads  for compression
  ByteSink(const std::string& path, int level, int threads);
  ByteSink(const ByteSink&) = delete;
  ByteSink& operator=(const ByteSink&) = delete;
  ByteSink(ByteSink&&) = delete;
  ByteSink& operator=(ByteSink&&) = delete;
  ~ByteSink() = default;

  /// How much `threads` threads compress at a time [bytes].
  static std::size_t batch_bytes(int threads);
  void write(const void* data, std::size_t bytes);
  /// Appends what a GzipMembers has packed, on this or another rank. Ends the current member first.
  void append(Packed packed);
  /// Leaves room for what others have packed (see AtomicFile::skip). Ends the current member first.
  std::int64_t skip(std::int64_t bytes);
  const std::string& temporary() const { return file_.temporary(); }
  void commit();

 private:
  void flush();

  AtomicFile file_;
  int level_;
  std::size_t filled_ = 0;
  std::vector<std::byte> raw_;
  GzipMembers members_;
  std::future<void> written_;  ///< the write of what was appended last
};

}  // namespace ffdp::io
