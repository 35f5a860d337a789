// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ffdp::io {

class GzipReader;

/// Reads `bytes` of an open file from byte `at` on, or fewer at its end. Throws IoError.
std::size_t read_at(const std::string& path, int descriptor, std::int64_t at, void* to,
                    std::size_t bytes);

/// The content of a raw or a gzip file (of any number of members).
class ByteSource {
 public:
  /// Throws IoError with path and reason.
  explicit ByteSource(const std::string& path);
  /// A source of `content`, which was decoded from `path`.
  ByteSource(const std::string& path, std::string content);
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ByteSource(ByteSource&&) = delete;
  ByteSource& operator=(ByteSource&&) = delete;
  ~ByteSource();

  const std::string& path() const { return path_; }
  bool compressed() const { return gzip_ != nullptr; }
  std::int64_t file_size() const { return file_size_; }
  /// An upper bound of the content [bytes]: the size of the file or, if compressed, 1032 times
  /// that, the largest ratio of deflate.
  std::int64_t most_bytes() const;
  /// Reads `bytes`, or fewer at the end of the file. Throws IoError if the stream is broken.
  std::size_t read_some(void* to, std::size_t bytes);
  /// Reads exactly `bytes`; throws IoError if the file ends before.
  void read(void* to, std::size_t bytes);
  /// Moves to byte `position` of the uncompressed content. Moving backwards in a gzip file is slow.
  void seek(std::int64_t position);

 private:
  std::string path_;
  int descriptor_ = -1;
  std::unique_ptr<GzipReader> gzip_;  ///< null for a raw file
  std::string content_;               ///< used instead of a file if descriptor_ is -1
  std::int64_t file_size_ = 0;
  std::int64_t position_ = 0;
};

/// The whole file as text or bytes; throws IoError if it is larger than `most` bytes.
std::string read_file(const std::string& path, std::size_t most);

}  // namespace ffdp::io
