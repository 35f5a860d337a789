// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/byte_sink.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include <libdeflate.h>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"

namespace ffdp::io {
namespace {
constexpr std::size_t member_bytes = std::size_t{1} << 20;
constexpr std::size_t members_per_thread = 2;  // evens out members that compress slower than others
}  // namespace

struct ByteSink::Compressors {
  struct Free {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
  };
  std::vector<std::unique_ptr<libdeflate_compressor, Free>> workers;
  std::vector<std::vector<std::byte>> members;
  std::vector<std::size_t> sizes;
};

ByteSink::ByteSink(const std::string& path, int level, int threads)
    : file_(path), level_(level), threads_(std::max(threads, 1)) {
  if (level == 0) return;
  require(level >= 1 && level <= 12,
          path + ": compression level " + std::to_string(level) + ", 0 to 12 are supported");
  const std::size_t members = members_per_thread * static_cast<std::size_t>(threads_);
  raw_.resize(members * member_bytes);
  compressors_ = std::make_unique<Compressors>();
  for (int i = 0; i < threads_; ++i)
    compressors_->workers.emplace_back(libdeflate_alloc_compressor(level));
  const std::size_t bound =
      libdeflate_gzip_compress_bound(compressors_->workers[0].get(), member_bytes);
  compressors_->members.assign(members, std::vector<std::byte>(bound));
  compressors_->sizes.resize(members);
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
  const std::int64_t members =
      static_cast<std::int64_t>((filled_ + member_bytes - 1) / member_bytes);
  Context ctx;
  ctx.threads = threads_;
  auto& c = *compressors_;
  parallel_for(ctx, members, [&](std::int64_t i, int worker) {
    const std::size_t m = static_cast<std::size_t>(i), begin = m * member_bytes;
    c.sizes[m] = libdeflate_gzip_compress(
        c.workers[static_cast<std::size_t>(worker)].get(), raw_.data() + begin,
        std::min(member_bytes, filled_ - begin), c.members[m].data(), c.members[m].size());
  });
  for (std::size_t m = 0; m < static_cast<std::size_t>(members); ++m) {
    if (c.sizes[m] == 0) throw IoError(file_.path() + ": a gzip member could not be compressed");
    file_.write(c.members[m].data(), c.sizes[m]);
  }
  filled_ = 0;
}

void ByteSink::commit() {
  if (level_ > 0) flush();
  file_.commit();
}

}  // namespace ffdp::io
