// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ffdp/core/error.hpp"

namespace ffdp::fuzz {

/// A file in memory with these bytes, under a name that readers can open.
class File {
 public:
  File(const std::uint8_t* data, std::size_t size) : descriptor_(memfd_create("fuzz", 0)) {
    if (descriptor_ < 0 || ::write(descriptor_, data, size) != static_cast<ssize_t>(size))
      std::abort();
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  File(File&&) = delete;
  File& operator=(File&&) = delete;
  ~File() { ::close(descriptor_); }
  const std::string& path() const { return path_; }

 private:
  int descriptor_;
  std::string path_;
};

/// Calls `read`; only our own errors may come out of it.
template <class Read>
void read_or_refuse(Read&& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

}  // namespace ffdp::fuzz
