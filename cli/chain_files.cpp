// SPDX-License-Identifier: Apache-2.0
#include "cli/chain_files.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/shard_files.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/dist/ordered_sum.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/transforms/apply.hpp"
#include "ffdp/transforms/invert.hpp"
#include "ffdp/transforms/warp.hpp"

namespace ffdp::cli {
namespace {

using transforms::FieldSource;
using DisplacementPointer = std::shared_ptr<const DisplacementImage>;

constexpr double inverse_tolerance = 0.01;  // [voxels]

/// Voxels of the displacement in a NIfTI file.
DisplacementImage read_box(ShardReader& reader, const Box& box) {
  DisplacementImage image{reader.info().grid, VectorField<float>(Backend::cpu, box)};
  io::read_displacement(
      reader.info(),
      [&](std::int64_t component, View<float> to) { reader.read_into<float>(component, to); },
      image.data);
  return image;
}

FieldSource nifti_source(dist::Comm& comm, const std::string& path) {
  const auto reader = std::make_shared<ShardReader>(comm, path);
  io::require_displacement(reader->info());
  return {reader->info().grid, [reader](const Box& box) {
            return std::make_shared<const DisplacementImage>(read_box(*reader, box));
          }};
}

/// A displacement that rank 0 has (null on the others).
FieldSource first_ranks_source(dist::Comm& comm, const Grid& grid,
                               const DisplacementPointer& whole) {
  const auto read = [&comm, grid, whole](const Box& box) -> DisplacementPointer {
    const std::vector<Box> boxes = comm.all_gather(comm.rank() == 0 ? Box{} : box);
    const auto part = std::make_shared<DisplacementImage>(
        DisplacementImage{grid, VectorField<float>(Backend::cpu, comm.rank() == 0 ? Box{} : box)});
    const VectorView<const float> from = whole ? whole->data.view() : VectorView<const float>{};
    hand_out(comm, grid.domain(), from, boxes, part->data.view());
    return whole ? whole : part;
  };
  return {grid, read};
}

/// The inverse of a displacement, cut among the ranks.
FieldSource inverse_source(Context& ctx, dist::Comm& comm, const FieldSource& source) {
  const dist::Cut cut(comm, source.grid.domain());
  auto inverse =
      transforms::invert_displacement(ctx, comm, inverse_tolerance, source.read(cut.own(comm)));
  constexpr double none = 1e29;  // residuals beyond: no vector was found at all
  if (inverse.residual.unconverged > 0)
    log(Level::warning,
        "invert: " + std::to_string(inverse.residual.unconverged) + " voxels have no inverse to " +
            std::to_string(inverse_tolerance) + " voxel; " +
            (inverse.residual.max < none
                 ? "the largest residual is " + std::to_string(inverse.residual.max) + " voxel"
                 : "the warp holds no displacement for some of them"));
  return transforms::source_of_shards(
      comm, std::make_shared<const DisplacementImage>(std::move(inverse.image)));
}

/// What rank 0 sends to the others about a transform that it has read.
struct Told {
  Affine affine;
  Grid grid;  ///< of a field
  bool is_field = false;
};

/// The steps of a file that is not an image; rank 0 reads it.
ChainFiles other_file(dist::Comm& comm, const std::string& path) {
  io::TransformFile file;
  std::vector<Told> told;
  if (comm.rank() == 0) {
    file = io::read_transform(path);
    for (const io::Transform& transform : file.transforms)
      if (const auto* affine = std::get_if<Affine>(&transform))
        told.push_back({*affine, {}, false});
      else
        told.push_back({{}, std::get<1>(transform)->grid, true});
  }
  comm.broadcast(&file.dimension, sizeof(file.dimension), 0);
  told = comm.all_gather_lists(std::span<const Told>(told));
  ChainFiles chain;
  chain.dimension = file.dimension;
  for (std::size_t i = 0; i < told.size(); ++i)
    if (told[i].is_field)
      chain.append(first_ranks_source(
          comm, told[i].grid,
          comm.rank() == 0 ? std::get<1>(file.transforms[i]) : DisplacementPointer()));
    else
      chain.append(told[i].affine);
  return chain;
}

ChainFiles open_file(dist::Comm& comm, const std::string& path) {
  if (!io::is_nifti(path)) return other_file(comm, path);
  ChainFiles chain;
  const FieldSource source = nifti_source(comm, path);
  chain.dimension = io::file_dimension(source.grid);
  chain.append(source);
  return chain;
}

transforms::ChainSource inverse(Context& ctx, dist::Comm& comm,
                                const transforms::ChainSource& chain) {
  transforms::ChainSource result;
  for (auto step = chain.steps().rbegin(); step != chain.steps().rend(); ++step)
    if (const auto* affine = std::get_if<Affine>(&*step))
      result.append(ffdp::inverse(*affine));
    else
      result.append(inverse_source(ctx, comm, std::get<FieldSource>(*step)));
  return result;
}

/// The planes of a warp file that this rank makes.
DisplacementPointer planes_of_warp(Context& ctx, const ChainFiles& chain, const Grid& grid,
                                   const Box& planes) {
  const auto& steps = chain.steps();
  // A single displacement on this grid is written as it is.
  if (const FieldSource* first = chain.first_field();
      first != nullptr && steps.size() == 1 && first->grid == grid)
    return first->read(planes);
  const auto reaching = chain.reaching(ctx, grid, planes);
  return std::make_shared<const DisplacementImage>(
      transforms::compose(ctx, grid, planes, reaching.chain));
}

/// Writes a chain that is not a warp, on rank 0.
void write_gathered(const std::string& path, const Chain& chain, const Grid* grid) {
  if (path.ends_with(".h5")) return io::write_composite(path, chain.steps(), chain.dimension);
  const Affine* affine = chain.as_affine();
  if (affine == nullptr)
    throw InvalidArgument(path + ": the chain holds a warp, .nii.gz or .h5 is wanted");
  io::write_affine(path, *affine, grid != nullptr ? grid->centre() : Vec3{}, chain.dimension);
}

/// What this rank owns of a field, and `halo` more planes on each side.
Box planes_of(dist::Comm& comm, const Grid& grid, int halo) {
  const Box domain = grid.domain();
  return intersect(grow(dist::Cut(comm, domain).own(comm), Int3{halo, 0, 0}), domain);
}

/// This rank's planes of the displacement of a file. For a composite, that is the displacement of
/// all its transforms on the grid of its first field.
DisplacementImage warp_planes(Context& ctx, dist::Comm& comm, const std::string& path, int halo) {
  if (io::is_nifti(path)) {
    ShardReader reader(comm, path);
    io::require_displacement(reader.info());
    return read_box(reader, planes_of(comm, reader.info().grid, halo));
  }
  const ChainFiles chain = open_file(comm, path);
  const FieldSource* first = chain.first_field();
  if (first == nullptr)
    throw InvalidArgument(path + ": holds no displacement field, a warp is wanted");
  const Box planes = planes_of(comm, first->grid, halo);
  return transforms::compose(ctx, first->grid, planes,
                             chain.reaching(ctx, first->grid, planes).chain);
}

/// The same, with missing vectors set to NaN.
DisplacementImage marked_planes(Context& ctx, dist::Comm& comm, const std::string& path, int halo) {
  DisplacementImage warp = warp_planes(ctx, comm, path, halo);
  const dist::Cut cut(comm, warp.grid.domain());
  const std::int64_t missing =
      dist::sum_count(comm, cut, transforms::mark_missing(warp, cut.own(comm)));
  if (missing > 0)
    log(Level::warning, path + ": " + std::to_string(missing) + " of " +
                            std::to_string(cut.domain().volume()) +
                            " voxels hold no displacement: they are left out");
  return warp;
}

}  // namespace

CLI::Option* add_transforms(CLI::App& command, std::vector<std::string>& transforms) {
  return command
      .add_option(
          "-t,--transform", transforms,
          "FILE, or [FILE,1] for its inverse; repeatable, in the order of antsApplyTransforms: "
          "a point of the reference is mapped by the first one first")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("FILE|[FILE,1]");
}

TransformArgument parse_transform_argument(const std::string& argument) {
  const auto trimmed = [](const std::string& s) {
    const auto first = s.find_first_not_of(" \t");
    return first == std::string::npos ? "" : s.substr(first, s.find_last_not_of(" \t") - first + 1);
  };
  const std::string text = trimmed(argument);
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return {argument, false};
  const std::string body = text.substr(1, text.size() - 2);
  const auto comma = body.rfind(',');
  if (comma == std::string::npos) return {trimmed(body), false};
  const std::string flag = trimmed(body.substr(comma + 1));
  require(flag == "0" || flag == "1",
          "--transform: got '" + text + "', FILE, [FILE,0] or [FILE,1] is wanted");
  return {trimmed(body.substr(0, comma)), flag == "1"};
}

ChainFiles open_chain(Context& ctx, dist::Comm& comm, const std::vector<std::string>& arguments) {
  ChainFiles chain;
  bool flat = !arguments.empty();
  for (const std::string& text : arguments) {
    const TransformArgument argument = parse_transform_argument(text);
    const ChainFiles file = open_file(comm, argument.path);
    flat = flat && file.dimension == 2;
    if (!argument.inverted) {
      chain.append(file);
      continue;
    }
    try {
      chain.append(inverse(ctx, comm, file));
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(argument.path + ": cannot be inverted: " + error.what());
    }
  }
  chain.dimension = flat ? 2 : 3;
  return chain;
}

Chain read_chain(Context& ctx, const std::vector<std::string>& arguments) {
  dist::SoloComm solo;
  const ChainFiles files = open_chain(ctx, solo, arguments);
  Chain chain{files.gathered(solo)};
  chain.dimension = files.dimension;
  return chain;
}

void write_chain(Context& ctx, dist::Comm& comm, const std::string& path, const ChainFiles& chain,
                 const Grid* grid, int compression_level) {
  if (!io::is_nifti_name(path)) {
    Chain whole{chain.gathered(comm)};
    whole.dimension = chain.dimension;
    if (comm.rank() == 0) write_gathered(path, whole, grid);
    return comm.barrier();
  }
  if (grid == nullptr)
    throw InvalidArgument(path + ": --reference is wanted, to know the grid of the warp");
  io::WriteOptions options;
  options.threads = ctx.threads;
  options.compression_level = compression_level;
  auto writer = ShardWriter::displacement(comm, path, *grid, options);
  const Box& own = writer.own();
  const DisplacementPointer warp = planes_of_warp(ctx, chain, *grid, own);
  for (int c = 0; c < writer.components(); ++c) {
    if (!own.empty())
      writer.write(&warp->data.view()[c](own.lo[0], own.lo[1], own.lo[2]), own.volume());
    writer.end_volume();
  }
  writer.commit();
}

void write_chain(Context& ctx, const std::string& path, const Chain& chain, const Grid* grid,
                 int compression_level) {
  dist::SoloComm solo;
  write_chain(ctx, solo, path, {transforms::ChainSource(chain), chain.dimension}, grid,
              compression_level);
}

DisplacementImage read_warp(Context& ctx, dist::Comm& comm, const std::string& path) {
  return marked_planes(ctx, comm, path, 0);
}

DisplacementImage read_warp(Context& ctx, const std::string& path) {
  dist::SoloComm solo;
  return read_warp(ctx, solo, path);
}

VoxelWarp read_voxel_warp(Context& ctx, dist::Comm& comm, const std::string& path) {
  DisplacementImage warp = marked_planes(ctx, comm, path, jacobian::halo());
  const Grid grid = warp.grid;
  return {grid, dist::Cut(comm, grid.domain()), transforms::to_voxels(ctx, std::move(warp))};
}

Image<std::uint8_t> read_mask(dist::Comm& comm, const std::string& path) {
  const Image<float> image = read_shard<float>(comm, path);
  Image<std::uint8_t> mask{image.grid, Field<std::uint8_t>(Backend::cpu, image.data.stored())};
  std::transform(image.data.begin(), image.data.end(), mask.data.begin(),
                 [](float v) { return static_cast<std::uint8_t>(v != 0 && v == v); });
  const auto inside = std::ranges::count_if(mask.data, [](std::uint8_t m) { return m != 0; });
  require(dist::sum_count(comm, dist::Cut(comm, mask.grid.domain()), inside) > 0,
          path + ": the mask is empty");
  return mask;
}

Image<std::uint8_t> read_mask(const std::string& path) {
  dist::SoloComm solo;
  return read_mask(solo, path);
}

}  // namespace ffdp::cli
