// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/transform_file.hpp"

#include <algorithm>

#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/hdf5_transforms.hpp"
#include "ffdp/io/itk_parameters.hpp"
#include "ffdp/io/matlab4.hpp"
#include "ffdp/io/nifti.hpp"
#include "ffdp/io/text_transforms.hpp"

namespace ffdp::io {
namespace {

constexpr std::size_t most_text_bytes = std::size_t{1} << 22;

TransformFile from_matlab(const std::string& path, const std::vector<MatlabMatrix>& matrices) {
  const MatlabMatrix *transform = nullptr, *fixed = nullptr;
  for (const MatlabMatrix& m : matrices) {
    if (m.rows > 1 && m.columns > 1)
      throw IoError(path + ": '" + m.name + "' is a matrix of " + std::to_string(m.rows) + " x " +
                    std::to_string(m.columns) +
                    " numbers, one column is wanted: the matrix row by row, then the translation");
    if (m.name == "fixed")
      fixed = &m;
    else if (transform == nullptr)
      transform = &m;
    else
      throw IoError(path + ": holds a second transform '" + m.name + "', one is supported");
  }
  if (transform == nullptr) throw IoError(path + ": holds no transform, only 'fixed'");
  if (fixed == nullptr)
    throw IoError(path + ": lacks 'fixed', the centre of the transform '" + transform->name + "'");
  TransformFile file{path, "ITK MATLAB v4", {}, {}};
  file.add(transform->name,
           affine_from_itk(path, transform->name, transform->values, fixed->values));
  return file;
}

std::string printable_start(const std::string& content) {
  std::string start = content.substr(0, std::min<std::size_t>(content.find('\n'), 40));
  for (char& c : start)
    if (c < ' ' || c > '~') c = '?';
  return start;
}

void check_finite(const TransformFile& file) {
  for (const Transform& transform : file.transforms) {
    const Affine* affine = std::get_if<Affine>(&transform);
    if (affine == nullptr) continue;
    double sum = 0;
    for (const auto& row : affine->linear)
      for (double value : row) sum += value * 0;
    for (double value : affine->translation) sum += value * 0;
    if (sum != 0) throw IoError(file.path + ": holds an affine with NaN or infinite entries");
  }
}

TransformFile read_any(const std::string& path) {
  if (is_nifti(path)) {
    TransformFile file{path, "displacement field, NIfTI", {}, {}};
    const auto field = std::make_shared<const DisplacementImage>(read_displacement(path));
    file.add("DisplacementField", field);
    file.dimension = file_dimension(field->grid);
    return file;
  }
  char magic[8] = {};
  {
    ByteSource source(path);
    const std::size_t got = source.read_some(magic, sizeof(magic));
    if (got == 0) throw IoError(path + ": is empty, a transform is wanted");
  }
  if (std::string(magic + 1, 3) == "HDF") return read_hdf5_transform(path);
  const std::string content = read_file(path, most_text_bytes);
  if (const auto matrices = parse_matlab4(path, content)) return from_matlab(path, *matrices);
  for (const auto& parse : {parse_insight_text, parse_xfm, parse_lta, parse_4x4})
    if (auto file = parse(path, content)) return std::move(*file);
  throw IoError(path + ": starts with '" + printable_start(content) +
                "', a transform is wanted: ITK .mat, .txt, .tfm or .h5, a warp .nii.gz, a 4x4 "
                "RAS matrix, a FreeSurfer .lta or an MNI .xfm");
}

}  // namespace

TransformFile read_transform(const std::string& path) {
  TransformFile file = read_any(path);
  const auto flat = [](const std::string& name) { return name.ends_with("_2_2"); };
  if (!file.names.empty() && std::ranges::all_of(file.names, flat)) file.dimension = 2;
  check_finite(file);
  return file;
}

void write_affine(const std::string& path, const Affine& affine, const Vec3& centre,
                  int dimension) {
  if (path.ends_with(".mat")) {
    const ItkParameters p = itk_from_affine(affine, centre, dimension);
    write_file(path, make_matlab4({{p.type, static_cast<int>(p.parameters.size()), 1, p.parameters},
                                   {"fixed", dimension, 1, p.fixed}}));
  } else if (path.ends_with(".txt") || path.ends_with(".tfm")) {
    write_file(path, make_insight_text(itk_from_affine(affine, centre, dimension)));
  } else if (path.ends_with(".h5")) {
    write_hdf5_transforms(path, {Transform(affine)}, dimension);
  } else {
    throw IoError(path + ": an affine is written as .mat, .txt, .tfm or .h5");
  }
}

void write_composite(const std::string& path, const std::vector<Transform>& transforms,
                     int dimension) {
  if (!path.ends_with(".h5")) throw IoError(path + ": a composite is written as .h5");
  write_hdf5_transforms(path, transforms, dimension);
}

}  // namespace ffdp::io
