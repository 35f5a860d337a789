// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz_file.hpp"

#include "ffdp/io/nifti.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ffdp;
  const fuzz::File file(data, size);
  fuzz::read_or_refuse([&] { io::is_nifti(file.path()); });
  fuzz::read_or_refuse([&] { io::read_info(file.path()); });
  fuzz::read_or_refuse([&] { io::read_image<float>(file.path()); });
  fuzz::read_or_refuse([&] { io::read_image<std::uint8_t>(file.path()); });
  fuzz::read_or_refuse([&] { io::read_displacement(file.path()); });
  fuzz::read_or_refuse([&] {
    io::NiftiReader reader(file.path());
    reader.read_volume<std::int64_t>(reader.info().volumes() * reader.info().components() - 1);
  });
  return 0;
}
