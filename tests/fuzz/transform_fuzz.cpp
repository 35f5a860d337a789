// SPDX-License-Identifier: Apache-2.0
// .mat, text, .lta, .xfm, 4x4 and .h5: the content decides which of them it is.
#include "tests/fuzz/fuzz_file.hpp"

#include "ffdp/io/transform_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ffdp;
  const fuzz::File file(data, size);
  fuzz::read_or_refuse([&] { io::read_transform(file.path()); });
  return 0;
}
