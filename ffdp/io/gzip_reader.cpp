// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/gzip_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <libdeflate.h>
#include <unistd.h>
#include <zlib.h>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

// A member is unpacked whole where it and its content are no larger than these [bytes].
constexpr std::int64_t most_packed = std::int64_t{32} << 20;
constexpr std::int64_t most_raw = std::int64_t{64} << 20;
constexpr std::int64_t least_packed = std::int64_t{4} << 20;  // read from a larger file at once
constexpr std::int64_t least_raw = std::int64_t{1} << 20;     // the members that ffdp writes

std::size_t read_at(const std::string& path, int descriptor, std::int64_t at, char* to,
                    std::size_t bytes) {
  std::size_t got = 0;
  while (got < bytes) {
    const ssize_t n =
        ::pread(descriptor, to + got, bytes - got, at + static_cast<std::int64_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw IoError(path + ": cannot be read: " + std::generic_category().message(errno));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

}  // namespace

struct GzipReader::Libraries {
  libdeflate_decompressor* whole = libdeflate_alloc_decompressor();
  gzFile stream = nullptr;
  Libraries() = default;
  Libraries(const Libraries&) = delete;
  Libraries& operator=(const Libraries&) = delete;
  Libraries(Libraries&&) = delete;
  Libraries& operator=(Libraries&&) = delete;
  ~Libraries() {
    close_stream();
    libdeflate_free_decompressor(whole);
  }
  void close_stream() {
    if (stream != nullptr) gzclose_r(stream);
    stream = nullptr;
  }
};

GzipReader::GzipReader(const std::string& path, int descriptor, std::int64_t file_size,
                       Expect expect)
    : path_(path),
      descriptor_(descriptor),
      file_size_(file_size),
      libraries_(std::make_unique<Libraries>()) {
  if (expect == Expect::little) {
    start_stream();
    return;
  }
  // The last four bytes are the size of the last member: of all, where there is one member.
  unsigned char tail[4] = {};
  read_at(path_, descriptor_, std::max<std::int64_t>(file_size_ - 4, 0),
          reinterpret_cast<char*>(tail), 4);
  const std::int64_t last =
      tail[0] | (tail[1] << 8) | (tail[2] << 16) | (static_cast<std::int64_t>(tail[3]) << 24);
  const bool small = file_size_ <= most_packed;
  packed_.reserve(
      static_cast<std::size_t>(std::min(file_size_, small ? most_packed : least_packed)));
  raw_.resize(
      static_cast<std::size_t>(small && last <= most_raw ? std::max(last, least_raw) : least_raw));
}

GzipReader::~GzipReader() = default;

void GzipReader::rewind() {
  libraries_->close_stream();
  member_at_ = 0;
  raw_used_ = raw_size_ = 0;
}

void GzipReader::start_stream() {
  const int copy = ::dup(descriptor_);
  if (copy < 0 || ::lseek(copy, member_at_, SEEK_SET) < 0)
    throw IoError(path_ + ": cannot be read: " + std::generic_category().message(errno));
  libraries_->stream = gzdopen(copy, "rb");
  if (libraries_->stream == nullptr) {
    ::close(copy);
    throw OutOfMemory(path_ + ": out of memory for a gzip stream");
  }
  gzbuffer(libraries_->stream, 1U << 18);
}

// Unpacks the member at member_at_; false at the end of the file. Whatever libdeflate cannot do,
// for lack of room or because the file is broken, is left to zlib, which says what is wrong.
bool GzipReader::next_member() {
  raw_used_ = raw_size_ = 0;
  if (member_at_ >= file_size_) return false;
  const std::int64_t end = packed_at_ + static_cast<std::int64_t>(packed_.size());
  const bool has_all = member_at_ >= packed_at_ && end == file_size_ && !packed_.empty();
  const bool has_enough = member_at_ >= packed_at_ && end - member_at_ >= least_packed / 2;
  if (!has_all && !has_enough) {
    packed_.resize(packed_.capacity());
    packed_at_ = member_at_;
    packed_.resize(read_at(path_, descriptor_, packed_at_, packed_.data(), packed_.size()));
  }
  const char* from = packed_.data() + (member_at_ - packed_at_);
  const std::size_t available = packed_.size() - static_cast<std::size_t>(member_at_ - packed_at_);
  const bool is_member = available >= 2 && from[0] == '\x1f' && from[1] == '\x8b';
  if (!is_member && member_at_ > 0) return false;  // what follows the last member is no content
  std::size_t used = 0;
  const auto result = libdeflate_gzip_decompress_ex(libraries_->whole, from, available, raw_.data(),
                                                    raw_.size(), &used, &raw_size_);
  if (result == LIBDEFLATE_SUCCESS) {
    member_at_ += static_cast<std::int64_t>(used);
  } else {
    raw_size_ = 0;
    start_stream();
  }
  return true;
}

std::size_t GzipReader::read_stream(char* to, std::size_t bytes) {
  gzFile stream = libraries_->stream;
  const int n = gzread(stream, to, static_cast<unsigned>(std::min(bytes, std::size_t{1} << 30)));
  int code = Z_OK;
  const char* message = gzerror(stream, &code);
  if (n < 0 || (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR))
    throw IoError(path_ + ": broken gzip stream: " + message);
  return static_cast<std::size_t>(n);
}

std::size_t GzipReader::read_some(char* to, std::size_t bytes) {
  std::size_t got = 0;
  while (got < bytes) {
    if (libraries_->stream != nullptr) {
      const std::size_t n = read_stream(to + got, bytes - got);
      if (n == 0) break;
      got += n;
      continue;
    }
    if (raw_used_ == raw_size_ && !next_member()) break;
    const std::size_t n = std::min(bytes - got, raw_size_ - raw_used_);
    std::memcpy(to + got, raw_.data() + raw_used_, n);
    raw_used_ += n;
    got += n;
  }
  return got;
}

}  // namespace ffdp::io
