// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "tests/fuzz/fuzz_file.hpp"

#include "ffdp/io/byte_source.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ffdp;
  const fuzz::File file(data, size);
  fuzz::read_or_refuse([&] {
    io::ByteSource source(file.path());
    std::vector<char> piece(4093);
    std::int64_t total = 0;
    while (const std::size_t got = source.read_some(piece.data(), piece.size()))
      total += static_cast<std::int64_t>(got);
    if (total > source.most_bytes()) std::abort();
    source.seek(total / 2);
    if (total > 0) source.read(piece.data(), 1);
  });
  return 0;
}
