// SPDX-License-Identifier: Apache-2.0
// CreateJacobianDeterminantImage
#include "ffdp/ops/jacobian/jacobian.hpp"

#include <algorithm>
#include <cmath>

#include "cli/ants/grammar.hpp"
#include "cli/ants/programs.hpp"
#include "cli/chain_files.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli::ants {
namespace {

constexpr const char* jacobian_help =
    R"(CreateJacobianDeterminantImage dimension warp.nii.gz output.nii.gz <log=0> <geometric=0>
The determinant of the Jacobian of p + warp(p), by central differences, one-sided at the edge.
log 1 writes its logarithm, that of 0.001 where the determinant is less.
)";

bool flag(std::span<const std::string> words, std::size_t index) {
  if (words.size() <= index) return false;
  require(words[index] == "0" || words[index] == "1",
          "CreateJacobianDeterminantImage: got \"" + words[index] + "\", 0 or 1 is wanted");
  return words[index] == "1";
}

}  // namespace

int jacobian_determinant(std::span<const std::string> words) {
  constexpr double least = 0.001;
  if (const auto code = answered(words, jacobian_help)) return *code;
  require(words.size() >= 3 && words.size() <= 5,
          "CreateJacobianDeterminantImage: dimension, warp, output, log and geometric are wanted, "
          "got " +
              std::to_string(words.size()) + " words");
  const int dimension = whole_number("dimension", words[0]);
  require(dimension == 2 || dimension == 3, "dimension: got " + words[0] + ", 2 or 3 is wanted");
  const bool log = flag(words, 3);
  if (flag(words, 4)) note("geometric 1: the determinant is made by differences, as without it");
  Context ctx = start_cpu();
  DisplacementImage warp = read_warp(ctx, words[1]);
  const Grid grid = warp.grid;
  require(grid.dimension() <= dimension, words[1] + ": a " + std::to_string(grid.dimension()) +
                                             "-D warp, dimension is " + words[0]);
  const VectorField<float> u = transforms::to_voxels(ctx, std::move(warp));
  Image<float> determinant{grid, Field<float>(Backend::cpu, grid.domain())};
  jacobian::forward(ctx, grid.domain(), grid.domain(), u, determinant.data);
  if (log)
    for (float& value : determinant.data)
      value = static_cast<float>(std::log(std::max<double>(value, least)));
  io::WriteOptions how;
  how.threads = ctx.threads;
  io::write_image(words[2], determinant, how);
  return 0;
}

}  // namespace ffdp::cli::ants
