// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ffdp::io {

class GzipReader;

/// Reads up to `bytes` of an open file from byte `at` on, fewer only at its end. Throws IoError.
std::size_t read_at(const std::string& path, int descriptor, std::int64_t at, void* to,
                    std::size_t bytes);

/// The bytes of a file, from a raw or a gzip file (of any number of members).
class ByteSource {
 public:
  /// Throws IoError naming path and reason.
  explicit ByteSource(const std::string& path);
  /// Of bytes that `path` held in another form.
  ByteSource(const std::string& path, std::string content);
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ByteSource(ByteSource&&) = delete;
  ByteSource& operator=(ByteSource&&) = delete;
  ~ByteSource();

  const std::string& path() const { return path_; }
  bool compressed() const { return gzip_ != nullptr; }
  std::int64_t file_size() const { return file_size_; }
  /// The file cannot hold more than this [bytes]: its size or, compressed, 1032 times that,
  /// the most that deflate can do.
  std::int64_t most_bytes() const;
  /// Reads up to `bytes`, fewer only at the end of the file. Throws IoError on a broken stream.
  std::size_t read_some(void* to, std::size_t bytes);
  /// Reads exactly `bytes`; IoError where the file ends before.
  void read(void* to, std::size_t bytes);
  /// Goes to byte `position` of the uncompressed content; backwards is slow in a gzip file.
  void seek(std::int64_t position);

 private:
  std::string path_;
  int descriptor_ = -1;
  std::unique_ptr<GzipReader> gzip_;  ///< null for a raw file
  std::string content_;               ///< instead of a file, where descriptor_ is -1
  std::int64_t file_size_ = 0;
  std::int64_t position_ = 0;
};

/// The whole file as text or bytes; IoError where it is larger than `most` bytes.
std::string read_file(const std::string& path, std::size_t most);

}  // namespace ffdp::io
