// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ffdp/core/image.hpp"
#include "ffdp/io/nifti.hpp"

/// Values of image files at points. A file is never held whole: planes are read from front to back,
/// a few at a time.
namespace ffdp::cli::report {

/// Planes of a volume of a file, requested from front to back.
template <class T>
class Planes {
 public:
  Planes(const std::string& path, std::int64_t volume) : reader_(path), volume_(volume) {}

  const io::NiftiInfo& info() const { return reader_.info(); }
  /// Moves to the front of another volume, which should come after this one in the file.
  void turn_to(std::int64_t volume);
  /// The planes [lo, hi). Neither bound may be smaller than in the call before.
  View<const T> get(int lo, int hi);

 private:
  io::NiftiReader reader_;
  std::int64_t volume_;
  Field<T> held_;
};

/// How many planes of a grid are held at a time: at most 8 MiB, if one plane is smaller than that.
int planes_at_a_time(const Grid& grid);

enum class Sampling { linear, nearest };

/// The values of volume `volume` of an image at world points [LPS mm]; NaN if a point lies
/// more than half a voxel outside. An axis of one voxel counts as infinitely long.
std::vector<double> sample(const std::string& path, std::int64_t volume, Sampling sampling,
                           std::span<const Vec3> points);

/// Whether points lie inside a grid, by the rule of `sample`.
std::vector<bool> inside(const Grid& grid, std::span<const Vec3> points);

/// The vectors of a displacement field at world points, linear, in LPS mm; NaN outside.
std::vector<Vec3> sample_vectors(const std::string& path, std::span<const Vec3> points);

/// The factor that converts a component of a vector in a file to LPS: -1 for x and y of files with
/// NIfTI's intent "displacement" (RAS), else 1.
double sign_of_component(const io::NiftiInfo& info, int component);

}  // namespace ffdp::cli::report
