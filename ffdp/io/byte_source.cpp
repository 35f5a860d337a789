// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/byte_source.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/gzip_reader.hpp"
#include "ffdp/io/text.hpp"

namespace ffdp::io {
namespace {

constexpr std::int64_t most_skipped = std::int64_t{1} << 20;  // at once [bytes]

}  // namespace

std::size_t read_at(const std::string& path, int descriptor, std::int64_t at, void* to,
                    std::size_t bytes) {
  std::size_t got = 0;
  while (got < bytes) {
    const ssize_t n =
        ::pread(descriptor, static_cast<char*>(to) + got,
                std::min(bytes - got, std::size_t{1} << 30), at + static_cast<std::int64_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw IoError(path + ": cannot be read: " + reason(errno));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

ByteSource::ByteSource(const std::string& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw IoError(path + ": cannot be read: " + reason(errno));
  struct stat status;
  const bool regular = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) {
    ::close(descriptor_);
    throw IoError(path + ": is no regular file");
  }
  file_size_ = status.st_size;
  unsigned char magic[2] = {};
  if (::pread(descriptor_, magic, 2, 0) != 2 || magic[0] != 0x1f || magic[1] != 0x8b) return;
  try {
    gzip_ = std::make_unique<GzipReader>(path, descriptor_);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

ByteSource::ByteSource(const std::string& path, std::string content)
    : path_(path), content_(std::move(content)) {
  file_size_ = static_cast<std::int64_t>(content_.size());
}

ByteSource::~ByteSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::int64_t ByteSource::most_bytes() const {
  return compressed() ? 1032 * file_size_ : file_size_;
}

std::size_t ByteSource::read_some(void* to, std::size_t bytes) {
  if (descriptor_ < 0) {
    const auto at = static_cast<std::size_t>(std::min(position_, file_size_));
    const std::size_t n = std::min(bytes, content_.size() - at);
    std::copy_n(content_.data() + at, n, static_cast<char*>(to));
    position_ += static_cast<std::int64_t>(n);
    return n;
  }
  const std::size_t got = gzip_ ? gzip_->read_some(static_cast<char*>(to), bytes)
                                : read_at(path_, descriptor_, position_, to, bytes);
  position_ += static_cast<std::int64_t>(got);
  return got;
}

void ByteSource::read(void* to, std::size_t bytes) {
  const std::int64_t begin = position_;
  const std::size_t got = read_some(to, bytes);
  if (got != bytes)
    throw IoError(path_ + ": truncated: ends after " +
                  std::to_string(begin + static_cast<std::int64_t>(got)) + " bytes, " +
                  std::to_string(begin + static_cast<std::int64_t>(bytes)) + " are needed");
}

void ByteSource::seek(std::int64_t position) {
  if (!gzip_) {
    position_ = position;
    return;
  }
  if (position < position_) {
    gzip_->rewind();
    position_ = 0;
  }
  std::vector<char> skipped(static_cast<std::size_t>(std::min(position - position_, most_skipped)));
  while (position_ < position)
    read(skipped.data(), static_cast<std::size_t>(std::min(position - position_, most_skipped)));
}

std::string read_file(const std::string& path, std::size_t most) {
  ByteSource source(path);
  const std::size_t size = static_cast<std::size_t>(source.file_size());
  std::string content((source.compressed() ? most : std::min(most, size)) + 1, '\0');
  content.resize(source.read_some(content.data(), content.size()));
  if (content.size() > most)
    throw IoError(path + ": is larger than " + std::to_string(most) +
                  " bytes, which no file of its kind is");
  return content;
}

}  // namespace ffdp::io
