// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/byte_sink.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/io/upper_halves.hpp"

namespace ffdp::io {
namespace {
constexpr std::size_t member_bytes = std::size_t{1} << 20;
constexpr std::size_t members_per_thread = 2;  // evens out members that compress slower than others
}  // namespace

/// Makes one gzip member at a time: at level 1 by ISA-L, three to nine times as fast as libdeflate
/// there (warps, images) at its size; else by libdeflate.
class ByteSink::Compressor {
 public:
  explicit Compressor(int level) {
    if (level == 1)
      memory_.resize(ISAL_DEF_LVL1_DEFAULT);
    else
      libdeflate_.reset(libdeflate_alloc_compressor(level));
  }

  std::size_t bound() const {
    // ISA-L has no such function; it stores what does not shrink, in blocks of 64 KiB.
    return libdeflate_ ? libdeflate_gzip_compress_bound(libdeflate_.get(), member_bytes)
                       : member_bytes + member_bytes / 1024 + 1024;
  }

  /// Returns the size of the member; 0 where there is no room.
  std::size_t operator()(const std::byte* from, std::size_t bytes, std::vector<std::byte>& to) {
    if (libdeflate_)
      return libdeflate_gzip_compress(libdeflate_.get(), from, bytes, to.data(), to.size());
    isal_zstream stream;
    isal_deflate_stateless_init(&stream);
    stream.level = 1;
    stream.level_buf = memory_.data();
    stream.level_buf_size = static_cast<std::uint32_t>(memory_.size());
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(from));
    stream.avail_in = static_cast<std::uint32_t>(bytes);
    stream.next_out = reinterpret_cast<std::uint8_t*>(to.data());
    stream.avail_out = static_cast<std::uint32_t>(to.size());
    const int code = isal_deflate_stateless(&stream);
    clear_upper_halves();
    return code == COMP_OK ? stream.total_out : 0;
  }

 private:
  struct Free {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
  };
  std::unique_ptr<libdeflate_compressor, Free> libdeflate_;
  std::vector<std::uint8_t> memory_;
};

struct ByteSink::Members {
  std::vector<std::vector<std::byte>> bytes;
  std::vector<std::size_t> sizes;  ///< of those in use

  Members(std::size_t count, std::size_t bound) : bytes(count, std::vector<std::byte>(bound)) {}
};

ByteSink::ByteSink(const std::string& path, int level, int threads)
    : file_(path), level_(level), threads_(std::max(threads, 1)) {
  if (level == 0) return;
  require(level >= 1 && level <= 12,
          path + ": compression level " + std::to_string(level) + ", 0 to 12 are supported");
  const std::size_t members = members_per_thread * static_cast<std::size_t>(threads_);
  raw_.resize(members * member_bytes);
  for (int i = 0; i < threads_; ++i) compressors_.emplace_back(level);
  members_ = std::make_unique<Members>(members, compressors_[0].bound());
  writing_ = std::make_unique<Members>(members, compressors_[0].bound());
}

ByteSink::~ByteSink() = default;

void ByteSink::write(const void* data, std::size_t bytes) {
  if (level_ == 0) return file_.write(data, bytes);
  const std::byte* next = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const std::size_t n = std::min(bytes, raw_.size() - filled_);
    std::memcpy(raw_.data() + filled_, next, n);
    filled_ += n;
    next += n;
    bytes -= n;
    if (filled_ == raw_.size()) flush();
  }
}

void ByteSink::flush() {
  if (filled_ == 0) return;
  const std::size_t count = (filled_ + member_bytes - 1) / member_bytes;
  Context ctx;
  ctx.threads = threads_;
  members_->sizes.assign(count, 0);
  parallel_for(ctx, static_cast<std::int64_t>(count), [&](std::int64_t i, int worker) {
    const std::size_t m = static_cast<std::size_t>(i), begin = m * member_bytes;
    members_->sizes[m] = compressors_[static_cast<std::size_t>(worker)](
        raw_.data() + begin, std::min(member_bytes, filled_ - begin), members_->bytes[m]);
  });
  filled_ = 0;
  for (const std::size_t size : members_->sizes)
    if (size == 0) throw IoError(file_.path() + ": a gzip member could not be compressed");
  if (written_.valid()) written_.get();
  std::swap(members_, writing_);
  written_ = std::async(std::launch::async, [this] {
    for (std::size_t m = 0; m < writing_->sizes.size(); ++m)
      file_.write(writing_->bytes[m].data(), writing_->sizes[m]);
  });
}

void ByteSink::commit() {
  if (level_ > 0) flush();
  if (written_.valid()) written_.get();
  file_.commit();
}

}  // namespace ffdp::io
