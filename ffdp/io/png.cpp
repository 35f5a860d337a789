// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/png.hpp"

#include <array>
#include <cstdlib>
#include <limits>
#include <memory>

#include <libdeflate.h>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<unsigned char>(value >> static_cast<unsigned>(shift)));
  return bytes;
}

std::string chunk(const std::string& type, const std::string& content) {
  const std::string body = type + content;
  return big_endian(static_cast<std::uint32_t>(content.size())) + body +
         big_endian(libdeflate_crc32(0, body.data(), body.size()));
}

/// A row behind the number of its filter (0 none, 1 less the left pixel, 2 less the one above).
std::string filtered(int filter, std::span<const std::uint8_t> row,
                     std::span<const std::uint8_t> above) {
  std::string bytes(1, static_cast<char>(filter));
  for (std::size_t x = 0; x < row.size(); ++x) {
    const int left = x > 0 ? row[x - 1] : 0, up = above.empty() ? 0 : above[x];
    bytes += static_cast<char>(static_cast<unsigned char>(row[x] - (filter == 1   ? left
                                                                    : filter == 2 ? up
                                                                                  : 0)));
  }
  return bytes;
}

/// The filter with the smallest sum of differences compresses best, as a rule.
std::string best_row(std::span<const std::uint8_t> row, std::span<const std::uint8_t> above) {
  std::string best;
  auto least = std::numeric_limits<std::int64_t>::max();
  for (int filter = 0; filter < 3; ++filter) {
    std::string bytes = filtered(filter, row, above);
    std::int64_t sum = 0;
    for (std::size_t i = 1; i < bytes.size(); ++i)
      sum += std::abs(static_cast<int>(static_cast<signed char>(bytes[i])));
    if (sum >= least) continue;
    least = sum;
    best = std::move(bytes);
  }
  return best;
}

std::string zlib_of(const std::string& raw) {
  constexpr int level = 9;
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(level), &libdeflate_free_compressor);
  if (!compressor) throw OutOfMemory("png: no memory to compress");
  std::string packed(libdeflate_zlib_compress_bound(compressor.get(), raw.size()), '\0');
  packed.resize(libdeflate_zlib_compress(compressor.get(), raw.data(), raw.size(), packed.data(),
                                         packed.size()));
  return packed;
}

}  // namespace

std::string png_of(std::span<const std::uint8_t> pixels, int width, int height) {
  require(width > 0 && height > 0 &&
              pixels.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
          "png: " + std::to_string(pixels.size()) + " pixels, " + std::to_string(width) + " x " +
              std::to_string(height) + " are wanted");
  const auto columns = static_cast<std::size_t>(width);
  std::string raw;
  std::span<const std::uint8_t> above;
  for (std::size_t at = 0; at < pixels.size(); at += columns) {
    const auto row = pixels.subspan(at, columns);
    raw += best_row(row, above);
    above = row;
  }
  const std::string depth_grey_plain{8, 0, 0, 0, 0};
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(static_cast<std::uint32_t>(width)) +
                           big_endian(static_cast<std::uint32_t>(height)) + depth_grey_plain) +
         chunk("IDAT", zlib_of(raw)) + chunk("IEND", "");
}

}  // namespace ffdp::io
