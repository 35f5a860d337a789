// SPDX-License-Identifier: Apache-2.0
// antsApplyTransformsToPoints
#include "cli/ants/chain.hpp"
#include "cli/ants/programs.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/points_csv.hpp"

namespace ffdp::cli::ants {
namespace {

constexpr const char* points_help = R"(antsApplyTransformsToPoints: maps points
  -d, --dimensionality 2/3
  -i, --input FILE.csv      columns x,y,z and any others, LPS mm
  -o, --output FILE.csv
  -t, --transform FILE or [FILE,useInverse]   repeatable; a point meets the first one first, so
                            that points of the fixed image go to the moving one by the files that
                            warp the moving image onto the fixed one
  -p, --precision 0/1       accepted: points are mapped in double precision
  --version     -h, --help
)";

const std::vector<OptionName> options{{'d', "dimensionality"}, {'i', "input"},
                                      {'o', "output"},         {'t', "transform"},
                                      {'p', "precision"},      {'f', "forantsr"}};

int run(const Line& line) {
  require(line.has("input") && line.has("output"),
          "antsApplyTransformsToPoints: -i and -o are wanted, tables of points");
  const std::string input = line.last("input", ""), output = line.last("output", "");
  require(io::is_points_name(input), input + ": points are read from .csv, .tsv or .fcsv");
  require(io::is_points_name(output), output + ": points are written as .csv, .tsv or .fcsv");
  require(!line.flag("forantsr", "0"), "--forantsr 1: only ANTsR can use that; leave it out");
  line.flag("precision", "0");
  const int dimension = whole_number("--dimensionality", line.last("dimensionality", "3"));
  require(dimension == 2 || dimension == 3,
          "-d " + std::to_string(dimension) + ": 2 or 3 is wanted");
  Context ctx = start_cpu();
  io::PointsTable table = io::read_points(input);
  read_chain(ctx, "-t", line.values("transform")).map(ctx, table.points);
  io::write_points(output, table);
  return 0;
}

}  // namespace

int apply_transforms_to_points(std::span<const std::string> words) {
  if (const auto code = answered(words, points_help)) return *code;
  return run(Line(words, options));
}

}  // namespace ffdp::cli::ants
