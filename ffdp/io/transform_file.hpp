// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ffdp/core/image.hpp"

namespace ffdp::io {

/// One transform of a file: an affine p -> A p + t in LPS mm, or a displacement p -> p + d(p).
using Transform = std::variant<Affine, std::shared_ptr<const DisplacementImage>>;

/// The transforms of a file, in the order in which a point passes through them.
struct TransformFile {
  std::string path;
  std::string
      format;  ///< "ITK MATLAB v4", "ITK text", "ITK composite HDF5", "Greedy 4x4 text (RAS)"...
  std::vector<std::string> names;  ///< what each transform is called in the file
  std::vector<Transform> transforms;
  int dimension = 3;  ///< 2 if all its transforms are 2-D ones, on x and y

  void add(std::string name, Transform transform) {
    names.push_back(std::move(name));
    transforms.push_back(std::move(transform));
  }
};

/// Reads a transform from an ITK .mat, an ITK text file (.txt, .tfm), an ITK composite .h5, a warp
/// NIfTI, Greedy's 4x4 RAS text, a FreeSurfer .lta or a linear MNI .xfm. The content decides the
/// format, not the name. Throws IoError, which names what the file is, for any other format, and
/// NotBuilt for .h5 without HDF5.
TransformFile read_transform(const std::string& path);

/// Writes one affine as ITK does: `.mat` (MATLAB v4, AffineTransform_double_3_3), `.txt`/`.tfm`
/// (text) or `.h5`, by the ending of `path`.
/// @param affine     LPS mm
/// @param centre     ITK's fixed parameters [mm, LPS]; does not change the map
/// @param dimension  3, or 2 for ITK's 2-D class; then the affine must not change z
void write_affine(const std::string& path, const Affine& affine, const Vec3& centre, int dimension);

/// Writes an ITK composite .h5. Points pass through `transforms` in the given order.
/// @param dimension  3, or 2 for ITK's 2-D classes; then the transforms must not change z
void write_composite(const std::string& path, const std::vector<Transform>& transforms,
                     int dimension);

}  // namespace ffdp::io
