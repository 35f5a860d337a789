// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ffdp::io {

/// What a caller is going to read: a few bytes at the front, or most of the file.
enum class Expect { little, all };

/// The content of a gzip file of any number of members, front to back. Members that fit in memory
/// (all that ffdp writes) are unpacked whole by libdeflate, the rest is streamed by zlib.
class GzipReader {
 public:
  /// @param descriptor  of the open file; stays the caller's
  GzipReader(const std::string& path, int descriptor, std::int64_t file_size, Expect expect);
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  GzipReader(GzipReader&&) = delete;
  GzipReader& operator=(GzipReader&&) = delete;
  ~GzipReader();

  /// Reads up to `bytes`, fewer only at the end. Throws IoError on a broken stream.
  std::size_t read_some(char* to, std::size_t bytes);
  /// Starts again at the front.
  void rewind();

 private:
  bool next_member();
  void start_stream();
  std::size_t read_stream(char* to, std::size_t bytes);

  struct Libraries;
  std::string path_;
  int descriptor_;
  std::int64_t file_size_;
  std::int64_t member_at_ = 0;  ///< where the next member starts in the file [bytes]
  std::int64_t packed_at_ = 0;  ///< where `packed_` starts in the file [bytes]
  std::vector<char> packed_;    ///< a piece of the file
  std::vector<char> raw_;       ///< the current member, unpacked
  std::size_t raw_used_ = 0, raw_size_ = 0;
  std::unique_ptr<Libraries> libraries_;
};

}  // namespace ffdp::io
