// SPDX-License-Identifier: Apache-2.0
// antsApplyTransforms
#include "ffdp/transforms/apply.hpp"

#include <cmath>
#include <map>
#include <optional>

#include "cli/ants/chain.hpp"
#include "cli/ants/interpolator.hpp"
#include "cli/ants/programs.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/points_csv.hpp"

namespace ffdp::cli::ants {
namespace {

constexpr const char* apply_help =
    R"(antsApplyTransforms: resamples an image, or puts transforms together
  -d, --dimensionality 2/3             that of the reference where it is not given
  -e, --input-image-type 0/1/3/4/5     scalar, vector, time-series, multichannel, five-dimensional
  --time-index N                       of a time series (-e 3), volume N alone, from 0
  -i, --input FILE                     not needed for a composed output
  -r, --reference-image FILE           the grid of the output
  -o, --output FILE                    the image, or
               [FILE,1]                the composed warp, or
               Linear[FILE,<inverse>]  the product of matrices, or
               CompositeTransform[FILE.h5]
  -n, --interpolation Linear, NearestNeighbor, MultiLabel[sigma], Gaussian[sigma,alpha],
               BSpline[order], CosineWindowedSinc, WelchWindowedSinc, HammingWindowedSinc,
               LanczosWindowedSinc, GenericLabel
  -u, --output-data-type char/uchar/short/int/float/double/default
  -t, --transform FILE or [FILE,useInverse]   repeatable; the image meets the last one first
  -f, --default-value NUMBER           outside the input image
  --float 0/1                          default output is float, else double
  -v, --verbose 0/1     --version     -h, --help
docs/ants.md says what is different from ANTs' own program.
)";

const std::vector<OptionName> options{{'d', "dimensionality"},
                                      {'e', "input-image-type"},
                                      {'i', "input"},
                                      {'r', "reference-image"},
                                      {'o', "output"},
                                      {'n', "interpolation"},
                                      {'u', "output-data-type"},
                                      {'t', "transform"},
                                      {'f', "default-value"},
                                      {'z', "static-cast-for-R"},
                                      {0, "float"},
                                      {'v', "verbose"},
                                      {0, "time-index"}};

enum class OutputKind { image, warp, linear, composite };

struct Output {
  OutputKind kind = OutputKind::image;
  std::string path;
  bool inverted = false;
};

Output parse_output(const Line& line) {
  require(line.has("output"), "antsApplyTransforms: -o is wanted, the output");
  const Value& value = line.values("output").back();
  if (!value.bracket) return {OutputKind::image, value.name};
  const auto& p = value.parameters;
  const auto flag = [&](bool otherwise) {
    if (p.size() < 2) return otherwise;
    require(p[1] == "0" || p[1] == "1", "-o " + value.text + ": 0 or 1 is wanted after the file");
    return p[1] == "1";
  };
  const std::string name = lower(value.name);
  if (name.empty()) return {flag(false) ? OutputKind::warp : OutputKind::image, p[0]};
  if (name == "displacementfield") return {OutputKind::warp, p[0]};
  if (name == "compositetransform") return {OutputKind::composite, p[0]};
  if (name == "linear") return {OutputKind::linear, p[0], flag(false)};
  throw InvalidArgument("-o " + value.text +
                        ": FILE, [FILE,1], Linear[FILE,inverse] or CompositeTransform[FILE.h5] is "
                        "wanted");
}

/// The kind of the volumes of the input; throws if it cannot be resampled here.
void check_type(const Line& line, const io::NiftiInfo& input) {
  const std::string type = lower(line.last("input-image-type", "0"));
  const std::map<std::string, int> names{
      {"scalar", 0},       {"vector", 1},           {"tensor", 2},         {"time-series", 3},
      {"multichannel", 4}, {"five-dimensional", 5}, {"physical-vector", 6}};
  const auto named = names.find(type);
  const int kind = named != names.end() ? named->second : whole_number("--input-image-type", type);
  require(kind >= 0 && kind <= 6,
          "-e " + type + ": one of 0 (scalar) to 5 (five-dimensional) is wanted");
  require(kind != 2 && kind != 6,
          "-e " + type +
              ": tensors and physical vectors would have to be turned with the image, which is not "
              "done here; warp the diffusion-weighted series (-e 3) or scalar maps of the tensors, "
              "as FA, or use ANTs' own program");
  require(kind == 3 || !line.has("time-index"),
          "--time-index: takes a volume of a time series; write -e 3");
  if (kind == 0) {
    require(input.volumes() == 1, input.path + ": a series of " + std::to_string(input.volumes()) +
                                      " volumes; write -e 3 to resample each of them");
    require(input.components() == 1, input.path + ": has " + std::to_string(input.components()) +
                                         " components; write -e 1 to resample each of them");
  }
  if (kind == 1) note("-e 1: the components are resampled, the vectors are not turned");
}

/// The volumes and components of the input that are resampled: all of them, or the volume that
/// --time-index names.
struct Selection {
  std::int64_t first, count;
  io::Series series;
};
Selection selected(const Line& line, const io::NiftiInfo& input) {
  const std::int64_t all = input.volumes() * input.components();
  if (!line.has("time-index")) return {0, all, input.series()};
  const int index = whole_number("--time-index", line.last("time-index", ""));
  require(index >= 0 && index < input.volumes(), "--time-index " + std::to_string(index) + ": " +
                                                     input.path + " has volumes 0 to " +
                                                     std::to_string(input.volumes() - 1));
  require(input.components() == 1, "--time-index: " + input.path + " has " +
                                       std::to_string(input.components()) +
                                       " components, 1 is wanted");
  io::Series one;
  one.intent = input.intent;
  return {index, 1, one};
}

io::DataType output_type(const Line& line) {
  const std::string type = lower(line.last("output-data-type", "default"));
  const std::map<std::string, io::DataType> types{
      {"char", io::DataType::int8},     {"uchar", io::DataType::uint8},
      {"short", io::DataType::int16},   {"int", io::DataType::int32},
      {"float", io::DataType::float32}, {"double", io::DataType::float64}};
  if (const auto found = types.find(type); found != types.end()) return found->second;
  require(type == "default", "-u " + type +
                                 ": one of char, uchar, short, int, float, double and default is "
                                 "wanted");
  return line.flag("float", "0") ? io::DataType::float32 : io::DataType::float64;
}

bool whole(io::DataType type) {
  return type != io::DataType::float32 && type != io::DataType::float64;
}

/// Resamples one volume to the writer. Whole numbers are cut, as by a cast in C.
template <class T>
void apply_to_volume(Context& ctx, const transforms::ApplyParams& params, bool labels, bool cut,
                     const Grid& grid, const Chain& chain, const Image<T>& moving,
                     io::NiftiWriter& writer) {
  std::vector<double> values;
  const transforms::Consumer<double> write = [&](std::span<const double> piece) {
    values.assign(piece.begin(), piece.end());
    if (cut)
      for (double& value : values) value = std::trunc(value);
    writer.write(values.data(), std::ssize(values));
  };
  if constexpr (std::is_same_v<T, double>)
    if (labels) return transforms::apply_label<double>(ctx, params, grid, chain, moving, write);
  transforms::apply<T>(ctx, params, grid, chain, moving, write);
}

void write_image(Context& ctx, const Line& line, const std::string& path, const Grid& grid,
                 const Chain& chain) {
  require(line.has("input"), "antsApplyTransforms: -i is wanted, the image to resample");
  const std::string input_path = line.last("input", "");
  require(!io::is_points_name(input_path),
          input_path + ": a table of points; antsApplyTransformsToPoints maps it");
  io::NiftiReader reader(input_path);
  const io::NiftiInfo& input = reader.info();
  check_type(line, input);
  const Interpolator interpolator(line.has("interpolation") ? line.values("interpolation").back()
                                                            : parse_value("Linear"));
  const double fill = number("--default-value", line.last("default-value", "0"));
  const auto params = interpolator.params(input.grid, fill);
  io::WriteOptions how;
  how.type = output_type(line);
  how.threads = ctx.threads;
  const Selection chosen = selected(line, input);
  io::NiftiWriter writer(path, grid, chosen.series, how);
  for (std::int64_t v = chosen.first; v < chosen.first + chosen.count; ++v) {
    const bool labels = interpolator.keeps_labels(), cut = whole(how.type);
    if (labels) {
      apply_to_volume<double>(ctx, params, true, cut, grid, chain, reader.read_volume<double>(v),
                              writer);
      continue;
    }
    io::visit(input.value_type(), [&](auto zero) {
      using T = decltype(zero);
      apply_to_volume<T>(ctx, params, false, cut, grid, chain, reader.read_volume<T>(v), writer);
    });
  }
  writer.commit();
}

void write_linear(const Output& output, const Chain& chain) {
  const Affine* affine = chain.as_affine();
  require(affine != nullptr, "-o Linear[" + output.path +
                                 "]: the chain holds a warp; write -o [FILE.nii.gz,1] for the "
                                 "composed warp");
  io::write_affine(output.path, output.inverted ? inverse(*affine) : *affine, Vec3{},
                   chain.dimension);
}

/// The dimension of the transforms that are written.
int dimension(const Line& line, const Chain& chain, const Grid* grid) {
  if (line.has("dimensionality")) {
    const int d = whole_number("--dimensionality", line.last("dimensionality", ""));
    require(d == 2 || d == 3, "-d " + std::to_string(d) + ": 2 or 3 is wanted");
    return d;
  }
  return grid != nullptr ? io::file_dimension(*grid) : chain.dimension;
}

int run(const Line& line) {
  const Output output = parse_output(line);
  Context ctx = start_cpu();
  std::optional<Grid> grid;
  if (line.has("reference-image")) grid = io::read_info(line.last("reference-image", "")).grid;
  Chain chain = read_chain(ctx, "-t", line.values("transform"));
  chain.dimension = dimension(line, chain, grid ? &*grid : nullptr);
  if (line.flag("verbose", "0"))
    for (const Value& value : line.values("transform"))
      std::printf("transform: %s\n", value.text.c_str());
  if (output.kind == OutputKind::linear) {
    write_linear(output, chain);
  } else if (output.kind == OutputKind::composite) {
    io::write_composite(output.path, chain.steps(), chain.dimension);
  } else {
    require(grid.has_value(),
            "antsApplyTransforms: -r is wanted, the image whose grid the output "
            "gets");
    if (output.kind == OutputKind::image)
      write_image(ctx, line, output.path, *grid, chain);
    else
      write_chain(ctx, output.path, chain, &*grid, 1);
  }
  if (line.flag("verbose", "0")) std::printf("output: %s\n", output.path.c_str());
  return 0;
}

}  // namespace

int apply_transforms(std::span<const std::string> words) {
  if (const auto code = answered(words, apply_help)) return *code;
  return run(Line(words, options));
}

}  // namespace ffdp::cli::ants
