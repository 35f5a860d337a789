// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/byte_sink.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace ffdp::io {
namespace {
constexpr std::size_t members_per_thread = 2;  // evens out members that compress slower than others
}

ByteSink::ByteSink(const std::string& path, int level, int threads)
    : file_(path), level_(level), members_(path, level, threads) {
  if (level > 0) raw_.resize(batch_bytes(threads));
}

std::size_t ByteSink::batch_bytes(int threads) {
  return members_per_thread * static_cast<std::size_t>(std::max(threads, 1)) *
         GzipMembers::member_bytes;
}

void ByteSink::write(const void* data, std::size_t bytes) {
  if (level_ == 0) {
    if (written_.valid()) written_.get();
    return file_.write(data, bytes);
  }
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
  const std::size_t filled = std::exchange(filled_, 0);
  append(members_.pack({raw_.data(), filled}));
}

void ByteSink::append(Packed packed) {
  flush();
  if (written_.valid()) written_.get();
  written_ = std::async(std::launch::async, [this, pieces = std::move(packed)] {
    for (const auto& piece : pieces) file_.write(piece.data(), piece.size());
  });
}

std::int64_t ByteSink::skip(std::int64_t bytes) {
  flush();
  if (written_.valid()) written_.get();
  return file_.skip(bytes);
}

void ByteSink::commit() {
  flush();
  if (written_.valid()) written_.get();
  file_.commit();
}

}  // namespace ffdp::io
