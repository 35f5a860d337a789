// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace ffdp::io {

/// Compressed bytes, in pieces that follow each other in the file.
using Packed = std::vector<std::vector<std::byte>>;

/// Compresses bytes into gzip members of 1 MiB each, on all threads. The result is the same at any
/// number of threads. Members one after another are a gzip file.
class GzipMembers {
 public:
  static constexpr std::size_t member_bytes = std::size_t{1} << 20U;

  /// @param path     for messages
  /// @param level    0 passes bytes on as they are; 1 (fast) to 12 (small) compresses
  GzipMembers(std::string path, int level, int threads);
  GzipMembers(GzipMembers&&) noexcept;
  GzipMembers& operator=(GzipMembers&&) noexcept;
  GzipMembers(const GzipMembers&) = delete;
  GzipMembers& operator=(const GzipMembers&) = delete;
  ~GzipMembers();

  /// Members of 1 MiB, and a shorter one at the end of `data`.
  Packed pack(std::span<const std::byte> data);

 private:
  class Compressor;
  std::string path_;
  std::vector<Compressor> compressors_;  ///< one per thread; none at level 0
};

}  // namespace ffdp::io
