// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz_file.hpp"

#include "ffdp/io/points_csv.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ffdp;
  const fuzz::File file(data, size);
  fuzz::read_or_refuse([&] { io::write_points("/dev/null", io::read_points(file.path())); });
  return 0;
}
