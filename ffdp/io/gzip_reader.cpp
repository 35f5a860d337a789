// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/gzip_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <isa-l/igzip_lib.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/upper_halves.hpp"

namespace ffdp::io {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 18;
constexpr std::size_t most_at_once = std::size_t{1} << 30;

const char* isal_reason(int code) {
  return code == ISAL_INCORRECT_CHECKSUM   ? "wrong checksum"
         : code == ISAL_INVALID_WRAPPER    ? "invalid header"
         : code == ISAL_UNSUPPORTED_METHOD ? "unknown compression method"
                                           : "invalid data";
}

}  // namespace

struct GzipReader::State : inflate_state {};

GzipReader::GzipReader(std::string path, int descriptor)
    : path_(std::move(path)),
      descriptor_(descriptor),
      packed_(piece_bytes),
      state_(std::make_unique<State>()) {
  rewind();
}

GzipReader::~GzipReader() = default;

void GzipReader::rewind() {
  read_ = 0;
  isal_inflate_init(state_.get());
  state_->next_in = packed_.data();
  state_->block_state = ISAL_BLOCK_FINISH;  // of what is before the first member
}

// Reads on behind the bytes that are left.
void GzipReader::refill() {
  std::memmove(packed_.data(), state_->next_in, state_->avail_in);
  state_->next_in = packed_.data();
  const std::size_t got = read_at(path_, descriptor_, read_, packed_.data() + state_->avail_in,
                                  packed_.size() - state_->avail_in);
  read_ += static_cast<std::int64_t>(got);
  state_->avail_in += static_cast<std::uint32_t>(got);
}

void GzipReader::refuse(const std::string& why) const {
  throw IoError(path_ + ": broken gzip stream: " + why);
}

// Reads the header of the next member. What follows the last member is no content.
bool GzipReader::next_member() {
  if (state_->avail_in < 2) refill();
  if (state_->avail_in < 2 || state_->next_in[0] != 0x1f || state_->next_in[1] != 0x8b)
    return false;
  isal_inflate_reset(state_.get());
  state_->crc_flag = ISAL_GZIP_NO_HDR_VER;
  // isal_inflate would forget, where a piece ends within the header, what is still to come of it.
  isal_gzip_header header{};
  isal_gzip_header_init(&header);
  int code = ISAL_END_INPUT;
  while (code == ISAL_END_INPUT) {
    if (state_->avail_in == 0) refill();
    if (state_->avail_in == 0) refuse("the file ends within it");
    code = isal_read_gzip_header(state_.get(), &header);
  }
  if (code != ISAL_DECOMP_OK) refuse(isal_reason(code));
  return true;
}

std::size_t GzipReader::read_some(char* to, std::size_t bytes) {
  std::size_t got = 0;
  for (;;) {
    if (state_->block_state == ISAL_BLOCK_FINISH && (got == bytes || !next_member())) break;
    if (state_->avail_in == 0) refill();
    const bool no_more = state_->avail_in == 0;
    const std::size_t room = std::min(bytes - got, most_at_once);
    state_->next_out = reinterpret_cast<std::uint8_t*>(to + got);
    state_->avail_out = static_cast<std::uint32_t>(room);
    const int code = isal_inflate(state_.get());
    clear_upper_halves();
    if (code < 0) refuse(isal_reason(code));
    const std::size_t made = room - state_->avail_out;
    got += made;
    if (state_->block_state == ISAL_BLOCK_FINISH) continue;
    const bool holds_some = state_->tmp_out_valid > state_->tmp_out_processed;
    if (no_more && made == 0 && !holds_some) refuse("the file ends within it");
    // Without room it has come to the end and the checksum of the member, or the member goes on.
    if (room == 0 && (holds_some || state_->avail_in > 0)) break;
  }
  return got;
}

}  // namespace ffdp::io
