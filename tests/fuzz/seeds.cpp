// SPDX-License-Identifier: Apache-2.0
// seeds FOLDER: small files of every format that this library writes, to start the fuzzers from.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "tests/support/fields.hpp"

#include "ffdp/io/nifti.hpp"
#include "ffdp/io/transform_file.hpp"

namespace {

using namespace ffdp;

void write_images(const std::string& folder, const Grid& grid) {
  for (const auto type : {io::DataType::uint8, io::DataType::int16, io::DataType::float64}) {
    const Image<float> image{
        grid, test::make_field(grid.domain(), [](int z, int y, int x) { return x + y * z; })};
    io::WriteOptions options;
    options.type = type;
    if (type == io::DataType::int16) options.slope = 0.5;
    const std::string name = folder + "/nifti/" + io::to_string(type);
    io::write_image(name + ".nii", image, options);
    io::write_image(name + ".nii.gz", image, options);
    io::write_image(folder + "/gzip/" + io::to_string(type) + ".nii.gz", image, options);
  }
}

void write_transforms(const std::string& folder, const Grid& grid) {
  const DisplacementImage warp{grid, test::displacement(grid.domain(), grid.domain(), 1, 1)};
  io::write_displacement(folder + "/nifti/warp.nii", warp, {});
  const Affine affine{{{{1.1, 0.2, 0}, {0.05, 0.9, 0.02}, {0, -0.1, 1.05}}}, {4, 5, 6}};
  io::write_affine(folder + "/matlab/a.mat", affine, {1, 2, 3}, 3);
  io::write_affine(folder + "/text/a.txt", affine, {1, 2, 3}, 3);
  io::write_composite(folder + "/hdf5/c.h5",
                      {std::make_shared<const DisplacementImage>(DisplacementImage{
                           grid, test::displacement(grid.domain(), grid.domain(), 1, 2)}),
                       affine},
                      3);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string folder = argc == 2 ? argv[1] : ".";
    for (const char* kind : {"nifti", "gzip", "matlab", "text", "hdf5"})
      std::filesystem::create_directories(folder + "/" + kind);
    Grid grid;
    grid.size = {3, 4, 5};
    grid.spacing = {1, 2, 3};
    write_images(folder, grid);
    write_transforms(folder, grid);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}
