// SPDX-License-Identifier: Apache-2.0
#include "cli/register_inputs.hpp"

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "cli/chain_files.hpp"
#include "cli/shard_files.hpp"

#include "ffdp/core/error.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::cli {
namespace {

/// What this rank owns of the images. A single rank reads each file on a thread of its own, because
/// one thread unpacks a .gz file. Several ranks read one file after another.
std::vector<Image<float>> read_images(dist::Comm& comm, const std::vector<std::string>& paths) {
  std::vector<std::future<Image<float>>> reading;
  reading.reserve(paths.size());
  const auto policy = comm.size() == 1 ? std::launch::async : std::launch::deferred;
  for (const auto& path : paths)
    reading.push_back(std::async(policy, [&comm, &path] { return read_shard<float>(comm, path); }));
  std::vector<Image<float>> images;
  images.reserve(paths.size());
  for (auto& image : reading) images.push_back(image.get());
  return images;
}

/// The number of axes with more than one voxel; 2 for a slice.
int dimension_of(const Grid& grid) {
  int axes = 0;
  for (const int size : grid.size) axes += size > 1;
  return axes;
}

}  // namespace

void check_headers(const RegisterOptions& o) {
  const auto scalar = [](const std::string& path) {
    io::NiftiInfo info = io::read_info(path);
    io::require_scalar(info);
    return info.grid;
  };
  require(o.fixed.size() == o.moving.size(), "register: " + std::to_string(o.fixed.size()) +
                                                 " fixed and " + std::to_string(o.moving.size()) +
                                                 " moving images, as many of both are needed");
  for (std::size_t i = 0; i < o.fixed.size(); ++i) {
    const Grid fixed = scalar(o.fixed[i]), moving = scalar(o.moving[i]);
    for (const auto& [path, grid] : {std::pair(o.fixed[i], fixed), std::pair(o.moving[i], moving)})
      require(dimension_of(grid) >= 2, path + ": the image has " + size_in_words(grid.size) +
                                           " voxels, at least 2 along two axes are needed");
    require(dimension_of(fixed) == dimension_of(moving),
            o.moving[i] + ": a " + std::to_string(dimension_of(moving)) + "-D image, " +
                o.fixed[i] + " is " + std::to_string(dimension_of(fixed)) + "-D");
    require(same_space(fixed, io::read_info(o.fixed[0]).grid, 1e-2),
            o.fixed[i] + ": lies on another grid than " + o.fixed[0]);
  }
  const auto check_mask = [&](const std::string& mask, const std::string& image) {
    require(mask.empty() || same_space(scalar(mask), io::read_info(image).grid, 1e-2),
            mask + ": lies on another grid than " + image);
  };
  check_mask(o.fixed_mask, o.fixed[0]);
  check_mask(o.moving_mask, o.moving[0]);
  if (!o.output.moving_labels.empty()) io::read_info(o.output.moving_labels);
}

registration::Inputs read_inputs(Context& ctx, dist::Comm& comm, const RegisterOptions& o) {
  registration::Inputs in;
  in.caller = output_memory(o.output);
  const auto policy = comm.size() == 1 ? std::launch::async : std::launch::deferred;
  auto moving = std::async(policy, [&] { return read_images(comm, o.moving); });
  in.fixed = read_images(comm, o.fixed);
  in.moving = moving.get();
  in.fixed_names = o.fixed;
  in.moving_names = o.moving;
  if (!o.fixed_mask.empty()) in.fixed_mask = read_mask(comm, o.fixed_mask);
  if (!o.moving_mask.empty()) in.moving_mask = read_mask(comm, o.moving_mask);
  if (!o.start.empty()) {
    const auto chain = read_chain(ctx, o.start);
    const Affine* affine = chain.as_affine();
    require(affine || chain.is_identity(), o.start[0] + ": an affine is wanted to start from");
    in.start = affine ? *affine : Affine{};
  }
  return in;
}

}  // namespace ffdp::cli
