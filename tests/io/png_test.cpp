// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/png.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/data.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"

namespace ffdp::io {
namespace {

// A decoder that shares nothing with the encoder: prints width, height and the pixels.
constexpr const char* decoder = R"py(
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
assert data[:8] == b'\x89PNG\r\n\x1a\n'
at, packed = 8, b''
while at < len(data):
    size, kind = struct.unpack('>I4s', data[at:at + 8])
    body = data[at + 8:at + 8 + size]
    assert struct.unpack('>I', data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body), kind
    if kind == b'IHDR': width, height, *rest = struct.unpack('>IIBBBBB', body)
    if kind == b'IDAT': packed += body
    at += 12 + size
assert rest == [8, 0, 0, 0, 0] and kind == b'IEND'
raw, above, used = zlib.decompress(packed), bytes(width), set()
print(width, height)
for y in range(height):
    used.add(raw[y * (width + 1)])
    line, row = raw[y * (width + 1) + 1:(y + 1) * (width + 1)], []
    for x, b in enumerate(line):
        left = row[-1] if x else 0
        row.append((b + (0, left, above[x])[raw[y * (width + 1)]]) % 256)
    above = bytes(row)
    print(*row)
print(*sorted(used))
)py";

TEST(Png, ComesBackThroughAnotherDecoder) {
  if (std::system("python3 -c 'import zlib' 2>&1") != 0) GTEST_SKIP() << "no python3";
  constexpr int width = 37, height = 23;
  std::vector<std::uint8_t> pixels;
  std::string want = "37 23\n";
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      // Ramps along x, along y, and noise, so that each filter is the best somewhere.
      const int value = y < 8    ? 5 * x + y % 2 * 128
                        : y < 16 ? x * x * 7
                                 : (x * 7919 + y * 104729) % 251;
      pixels.push_back(static_cast<std::uint8_t>(value));
      want += std::to_string(pixels.back()) + (x + 1 < width ? " " : "\n");
    }
  const test::TemporaryFolder folder;
  std::ofstream(folder / "a.png", std::ios::binary) << png_of(pixels, width, height);
  std::ofstream(folder / "d.py") << decoder;
  const std::string command =
      "python3 " + (folder / "d.py") + " " + (folder / "a.png") + " > " + (folder / "out");
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream out(folder / "out");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(out), {}), want + "0 1 2\n");
}

TEST(Png, RejectsPixelsThatDoNotFit) {
  const std::vector<std::uint8_t> pixels(12);
  EXPECT_THROW(png_of(pixels, 5, 2), InvalidArgument);
  EXPECT_THROW(png_of({}, 0, 3), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::io
