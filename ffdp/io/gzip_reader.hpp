// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ffdp::io {

/// Reads a gzip file of any number of members from front to back. ISA-L unpacks it.
class GzipReader {
 public:
  /// @param descriptor  of the open file; the caller closes it
  GzipReader(std::string path, int descriptor);
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  GzipReader(GzipReader&&) = delete;
  GzipReader& operator=(GzipReader&&) = delete;
  ~GzipReader();

  /// Reads `bytes`, or fewer at the end. Throws IoError if the stream is broken.
  std::size_t read_some(char* to, std::size_t bytes);
  /// Moves back to the front.
  void rewind();

 private:
  void refill();
  bool next_member();
  [[noreturn]] void refuse(const std::string& why) const;

  std::string path_;
  int descriptor_;
  std::int64_t read_ = 0;             ///< of the file so far [bytes]
  std::vector<std::uint8_t> packed_;  ///< the piece of the file that is being unpacked
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ffdp::io
