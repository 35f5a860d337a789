// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/gzip_members.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "ffdp/core/error.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/io/upper_halves.hpp"

namespace ffdp::io {

/// Makes one gzip member at a time: level 1 by ISA-L, which is several times as fast there; the
/// others by libdeflate. ISA-L runs at its own level 0. At its level 1 (2.30) some processes pack
/// the same bytes differently from others (docs/testing.md), and ranks would not write equal files.
///
/// At level 1, data that hardly shrink are stored as they are, which is several times as fast. The
/// floats of a warp are such data.
class GzipMembers::Compressor {
 public:
  explicit Compressor(int level)
      : isal_(level == 1), libdeflate_(libdeflate_alloc_compressor(isal_ ? 0 : level)) {}

  std::size_t bound() const {
    // ISA-L has no such function; it stores what does not shrink, in blocks of 64 KiB.
    return isal_ ? member_bytes + member_bytes / 1024 + 1024
                 : libdeflate_gzip_compress_bound(libdeflate_.get(), member_bytes);
  }

  /// Returns the size of the member; 0 where there is no room.
  std::size_t operator()(const std::byte* from, std::size_t bytes, std::vector<std::byte>& to) {
    constexpr std::size_t sample = std::size_t{1} << 16U;
    const auto worth_it = [&] {
      if (bytes < 2 * sample) return true;
      return fast(from + (bytes - sample) / 2, sample, to) < sample / 8 * 7;
    };
    if (isal_ && worth_it()) return fast(from, bytes, to);
    return libdeflate_gzip_compress(libdeflate_.get(), from, bytes, to.data(), to.size());
  }

 private:
  /// By ISA-L.
  static std::size_t fast(const std::byte* from, std::size_t bytes, std::vector<std::byte>& to) {
    isal_zstream stream{};  // holds the table in which it looks for matches
    isal_deflate_stateless_init(&stream);
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

  struct Free {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
  };
  bool isal_;
  std::unique_ptr<libdeflate_compressor, Free> libdeflate_;
};

GzipMembers::GzipMembers(std::string path, int level, int threads) : path_(std::move(path)) {
  require(level >= 0 && level <= 12,
          path_ + ": compression level " + std::to_string(level) + ", 0 to 12 are supported");
  for (int i = 0; level > 0 && i < std::max(threads, 1); ++i) compressors_.emplace_back(level);
}
GzipMembers::GzipMembers(GzipMembers&&) noexcept = default;
GzipMembers& GzipMembers::operator=(GzipMembers&&) noexcept = default;
GzipMembers::~GzipMembers() = default;

Packed GzipMembers::pack(std::span<const std::byte> data) {
  if (data.empty()) return {};
  if (compressors_.empty()) return {{data.begin(), data.end()}};
  std::vector<std::span<const std::byte>> parts;
  for (std::size_t at = 0; at < data.size(); at += parts.back().size())
    parts.push_back(data.subspan(at, std::min(member_bytes, data.size() - at)));
  Packed members(parts.size());
  Context ctx;
  ctx.threads = static_cast<int>(compressors_.size());
  parallel_for(ctx, static_cast<std::int64_t>(members.size()), [&](std::int64_t i, int worker) {
    const auto& part = parts[static_cast<std::size_t>(i)];
    auto& member = members[static_cast<std::size_t>(i)];
    auto& compressor = compressors_[static_cast<std::size_t>(worker)];
    member.resize(compressor.bound());
    member.resize(compressor(part.data(), part.size(), member));
  });
  for (const auto& member : members)
    if (member.empty()) throw IoError(path_ + ": a gzip member could not be compressed");
  return members;
}

}  // namespace ffdp::io
