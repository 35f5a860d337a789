// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/apply.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli/chain_files.hpp"
#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/ranks.hpp"
#include "cli/shard_files.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/io/points_csv.hpp"
#include "ffdp/transforms/spline_shards.hpp"

namespace ffdp::cli {
namespace {

using transforms::ApplyParams;
using transforms::CompositeTransform;
using transforms::Interpolation;

const std::map<std::string, Interpolation> interpolations{{"linear", Interpolation::linear},
                                                          {"nearest", Interpolation::nearest},
                                                          {"label", Interpolation::label},
                                                          {"bspline", Interpolation::bspline},
                                                          {"sinc", Interpolation::sinc}};

struct ApplyOptions {
  Common common;
  std::string input, reference, output, output_type;
  std::string interpolation = "linear", outside = "0";
  std::vector<std::string> transforms;
  ApplyParams params;
  int compression = 1, ranks = 1;
};

bool keeps_labels(Interpolation interpolation) {
  return interpolation == Interpolation::nearest || interpolation == Interpolation::label;
}

void apply_to_points(Context& ctx, dist::Comm& comm, const ApplyOptions& o) {
  if (!io::is_points_name(o.output))
    throw InvalidArgument(o.output + ": points are written as .csv, .tsv or .fcsv");
  io::PointsTable table = io::read_points(o.input);
  open_chain(ctx, comm, o.transforms).map(ctx, comm, table.points);
  if (comm.rank() == 0) io::write_points(o.output, table);
}

io::DataType output_type(const ApplyOptions& o, const io::NiftiInfo& input) {
  if (!o.output_type.empty()) return io::data_type_from_string(o.output_type);
  if (keeps_labels(o.params.interpolation)) return input.value_type();
  return input.type == io::DataType::float64 ? input.type : io::DataType::float32;
}

/// The smaller value; NaN only if both are NaN.
template <class T>
T lesser(T a, T b) {
  return b < a || a != a ? b : a;
}

/// The smallest value of an image that is cut among the ranks.
template <class T>
T least(dist::Comm& comm, const Image<T>& image) {
  const Box own = dist::Cut(comm, image.grid.domain()).own(comm);
  const View<const T> values = std::as_const(image.data).view();
  T result = values(own.lo[0], own.lo[1], own.lo[2]);
  for (int z = own.lo[0]; z < own.hi[0]; ++z)
    for (int y = own.lo[1]; y < own.hi[1]; ++y)
      for (int x = own.lo[2]; x < own.hi[2]; ++x) result = lesser(result, values(z, y, x));
  for (const T value : comm.all_gather(result)) result = lesser(result, value);
  return result;
}

/// What all volumes of an input share.
struct Resampling {
  ApplyParams params;
  std::optional<double> outside;  ///< none: the least of each volume
  Grid grid;                      ///< of the output
  CompositeTransform chain;       ///< as far as this rank's planes need it
  Box reach;                      ///< what they need of the input, or of its coefficients
  Box read;                       ///< of the input
};

Resampling prepare(Context& ctx, dist::Comm& comm, const ApplyOptions& o,
                   const io::NiftiInfo& input, const Grid& grid, const ChainFiles& files,
                   const Box& own) {
  auto reaching = files.reaching(ctx, grid, own);
  Resampling r{o.params, parse_outside(o.outside), grid, std::move(reaching.chain), {}, {}};
  r.reach = r.read = reaching.bounds.voxels(input.grid, transforms::halo(r.params));
  const Box mine = dist::Cut(comm, input.grid.domain()).own(comm);
  if (r.params.interpolation == Interpolation::bspline)
    r.read = mine;
  else if (!r.outside)
    r.read = hull(r.reach, mine);
  return r;
}

template <class T>
void apply_to_volume(Context& ctx, dist::Comm& comm, const Resampling& r, ShardReader& input,
                     std::int64_t volume, ShardWriter& writer) {
  const Image<T> moving{input.info().grid, input.read<T>(r.read, volume)};
  ApplyParams params = r.params;
  params.fill = r.outside ? *r.outside : static_cast<double>(least(comm, moving));
  const auto write = [&](auto values) {
    writer.write(values.data(), static_cast<std::int64_t>(values.size()));
  };
  if (params.interpolation == Interpolation::bspline)
    transforms::apply_coefficients(ctx, params, r.grid, writer.own(), r.chain,
                                   transforms::spline_coefficients(ctx, comm, moving, r.reach),
                                   write);
  else if (keeps_labels(params.interpolation))
    transforms::apply_label<T>(ctx, params, r.grid, writer.own(), r.chain, moving, write);
  else
    transforms::apply<T>(ctx, params, r.grid, writer.own(), r.chain, moving, write);
  writer.end_volume();
}

void apply_to_image(Context& ctx, dist::Comm& comm, const ApplyOptions& o) {
  if (o.reference.empty()) throw InvalidArgument(o.input + ": --reference is wanted for an image");
  ShardReader reader(comm, o.input);
  const io::NiftiInfo& input = reader.info();
  const bool warp = input.intent == io::intent_vector || input.intent == io::intent_displacement;
  if (io::is_displacement(input) && warp)
    throw IoError(o.input + ": is a displacement field, whose vectors would have to be turned; " +
                  "ffdp compose puts warps together");
  const Grid grid = io::read_info(o.reference).grid;
  const ChainFiles files = open_chain(ctx, comm, o.transforms);
  io::WriteOptions options;
  options.type = output_type(o, input);
  options.threads = ctx.threads;
  options.compression_level = o.compression;
  ShardWriter writer(comm, o.output, grid, input.series(), options);
  const Resampling r = prepare(ctx, comm, o, input, grid, files, writer.own());
  for (std::int64_t volume = 0; volume < input.volumes() * input.components(); ++volume)
    io::visit(input.value_type(), [&](auto zero) {
      apply_to_volume<decltype(zero)>(ctx, comm, r, reader, volume, writer);
    });
  writer.commit();
}

}  // namespace

void add_apply(CLI::App& app) {
  const auto o = std::make_shared<ApplyOptions>();
  CLI::App* command = app.add_subcommand("apply", "Resample images, label maps or points");
  command
      ->add_option("-i,--input", o->input,
                   "image, label map, 4-D series, vectors or points (.csv, .tsv, .fcsv)")
      ->required();
  command->add_option("-r,--reference", o->reference, "image whose grid the output gets");
  add_transforms(*command, o->transforms);
  command->add_option("-o,--output", o->output, "image (.nii, .nii.gz) or points (.csv)")
      ->required();
  command
      ->add_option("-n,--interpolation", o->interpolation,
                   "linear, nearest, label (vote), bspline (cubic) or sinc (Hamming, radius 4)")
      ->check(CLI::IsMember({"linear", "nearest", "label", "bspline", "sinc"}, CLI::ignore_case))
      ->type_name("NAME")
      ->capture_default_str();
  command
      ->add_option(
          "--default-value", o->outside,
          "value outside the input: a number, or min for the smallest value of each volume")
      ->capture_default_str();
  command->add_option("--output-type", o->output_type,
                      "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64; values "
                      "are rounded and clamped. Default: the input's for nearest and label, else "
                      "float32");
  add_compression(*command, o->compression);
  add_ranks(*command, o->ranks);
  add_common(*command, o->common);
  command->footer(
      "The order of -t is that of antsApplyTransforms: the warp, then the affine. A voxel of the\n"
      "reference is mapped by the first transform, then the next, to a point of the input, where\n"
      "the input is sampled. Points (.csv) are mapped in the same direction: the transforms that\n"
      "resample the moving image on the fixed grid map fixed points to moving points.\n"
      "Examples:\n"
      "  ffdp apply -i moving.nii.gz -r fixed.nii.gz -t out/1Warp.nii.gz -t out/0GenericAffine.mat "
      "-o warped.nii.gz\n"
      "  ffdp apply -i fixed_labels.nii.gz -r moving.nii.gz -n label -t [out/0GenericAffine.mat,1] "
      "-t out/1InverseWarp.nii.gz -o labels.nii.gz\n"
      "  ffdp apply -i fixed_points.csv -t out/1Warp.nii.gz -t out/0GenericAffine.mat "
      "-o moving_points.csv");
  command->callback([o] {
    o->params.interpolation = interpolations.at(CLI::detail::to_lower(o->interpolation));
    parse_outside(o->outside);
    on_ranks(o->common, o->ranks, [&](Context& ctx, dist::Comm& comm) {
      if (io::is_points_name(o->input))
        apply_to_points(ctx, comm, *o);
      else
        apply_to_image(ctx, comm, *o);
    });
  });
}

}  // namespace ffdp::cli
