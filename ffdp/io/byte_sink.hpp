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

/// Bytes to a file, raw or as concatenated gzip members of 1 MiB each, compressed on all threads
/// while those before are written. Holds a few members at a time, never the whole content.
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

  /// Compressed at once by so many threads [bytes].
  static std::size_t batch_bytes(int threads);
  void write(const void* data, std::size_t bytes);
  /// Puts what GzipMembers packed, here or elsewhere, into the file. What was written before ends
  /// its member.
  void append(Packed packed);
  /// Leaves room for what others packed (see AtomicFile::skip). What was written before ends its
  /// member.
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
  std::future<void> written_;  ///< of what was appended last
};

}  // namespace ffdp::io
