// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/hdf5_transforms.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include <hdf5.h>
#include <unistd.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/atomic_file.hpp"
#include "ffdp/io/byte_source.hpp"
#include "ffdp/io/itk_parameters.hpp"
#include "ffdp/io/nifti.hpp"

namespace ffdp::io {
namespace {

/// An HDF5 identifier with the function that closes it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&&) = delete;
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// While it lives HDF5 prints no errors of this thread. What it kept of them goes with the object:
/// errors of a thread that has ended hold up the end of the program.
struct Silence {
  Silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  Silence(Silence&&) = delete;
  Silence& operator=(Silence&&) = delete;
  ~Silence() { H5Eclear2(H5E_DEFAULT); }
};

Handle open_dataset(hid_t file, const std::string& group,
                    std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const std::string full = group + "/" + name;
    if (H5Lexists(file, full.c_str(), H5P_DEFAULT) > 0)
      return {H5Dopen2(file, full.c_str(), H5P_DEFAULT), H5Dclose};
  }
  return {-1, H5Dclose};
}

hsize_t count_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  return count < 0 ? 0 : static_cast<hsize_t>(count);
}

std::string read_string(hid_t dataset) {
  const Handle type(H5Dget_type(dataset), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING) return "";
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    if (H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, static_cast<void*>(&text)) < 0 ||
        text == nullptr)
      return "";
    std::string result = text;
    H5free_memory(text);
    return result;
  }
  const std::size_t size = H5Tget_size(type);
  if (size > 4096) return "";
  std::string text(size, '\0');
  if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()) < 0) return "";
  return text.c_str();
}

struct Group {
  std::string path, name;  // of the file, of the group in it
  hid_t file;

  std::vector<double> values(std::initializer_list<const char*> names) const {
    const Handle dataset = open_dataset(file, name, names);
    if (!dataset.valid()) throw IoError(path + ": " + name + " has no " + *names.begin());
    const hsize_t count = count_of(dataset);
    if (count > 100000)
      throw IoError(path + ": " + name + "/" + *names.begin() + " has " + std::to_string(count) +
                    " values");
    std::vector<double> result(count);
    if (count > 0 &&
        H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, result.data()) < 0)
      throw IoError(path + ": " + name + "/" + *names.begin() + " cannot be read");
    return result;
  }
  std::vector<double> fixed() const {
    return values({"TransformFixedParameters", "TranformFixedParameters"});
  }
};

Grid grid_from_fixed(const Group& group, const std::vector<double>& f, std::size_t axes) {
  if (f.size() < 3 * axes + axes * axes)
    throw IoError(group.path + ": " + group.name + " has " + std::to_string(f.size()) +
                  " fixed parameters, " + std::to_string(3 * axes + axes * axes) + " are wanted");
  Grid grid;
  for (std::size_t i = 0; i < axes; ++i) {
    if (!(f[i] >= 1 && f[i] < 2147483647.0))
      throw IoError(group.path + ": " + group.name + " has size " + std::to_string(f[i]) +
                    " on an axis");
    grid.size[2 - i] = static_cast<int>(f[i]);
    grid.origin[i] = f[axes + i];
    grid.spacing[i] = f[2 * axes + i];
    for (std::size_t j = 0; j < axes; ++j) grid.direction[i][j] = f[3 * axes + i * axes + j];
  }
  return grid;
}

// Values lie vector by vector in the file; they are read in pieces and dealt to the planes.
DisplacementImage read_field(const Group& group, std::size_t axes) {
  const Grid grid = grid_from_fixed(group, group.fixed(), axes);
  const Handle dataset =
      open_dataset(group.file, group.name, {"TransformParameters", "TranformParameters"});
  const std::int64_t voxels = grid.domain().volume();
  const hsize_t wanted = static_cast<hsize_t>(voxels) * axes;
  if (!dataset.valid() || count_of(dataset) != wanted)
    throw IoError(group.path + ": " + group.name + " holds " +
                  std::to_string(dataset.valid() ? count_of(dataset) : 0) + " values, " +
                  std::to_string(wanted) + " are wanted for its grid " + to_string(grid.domain()));
  DisplacementImage image{grid, VectorField<float>(Backend::cpu, grid.domain())};
  float* const data = image.data.data();
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const hsize_t piece = (hsize_t{1} << 18) * axes;
  std::vector<float> values(std::min(piece, wanted));
  for (hsize_t begin = 0; begin < wanted; begin += piece) {
    const hsize_t count = std::min(piece, wanted - begin);
    const Handle memory(H5Screate_simple(1, &count, nullptr), H5Sclose);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, &begin, nullptr, &count, nullptr) < 0 ||
        H5Dread(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values.data()) < 0)
      throw IoError(group.path + ": " + group.name + ": displacements cannot be read");
    for (hsize_t k = 0; k < count; ++k) {
      const hsize_t at = begin + k;
      data[static_cast<std::int64_t>(at % axes) * voxels + static_cast<std::int64_t>(at / axes)] =
          values[k];
    }
  }
  std::fill(data + static_cast<std::int64_t>(axes) * voxels, data + 3 * voxels, 0.0F);
  return image;
}

/// A new dataset that does not tell when it was made, so that equal files have equal bytes.
Handle create_dataset(hid_t group, const char* name, hid_t type, hid_t space) {
  const Handle how(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(how, false);
  return {H5Dcreate2(group, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT), H5Dclose};
}

void write_values(hid_t group, const char* name, const std::vector<double>& values) {
  const hsize_t count = values.size();
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const Handle set = create_dataset(group, name, H5T_IEEE_F64LE, space);
  if (H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    throw IoError(std::string(name) + " cannot be written");
}

void write_string(hid_t group, const char* name, const std::string& text) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  const hsize_t one = 1;
  const Handle space(H5Screate_simple(1, &one, nullptr), H5Sclose);
  const Handle set = create_dataset(group, name, type, space);
  const char* pointer = text.c_str();
  if (H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, static_cast<const void*>(&pointer)) < 0)
    throw IoError(std::string(name) + " cannot be written");
}

void write_field(hid_t group, const DisplacementImage& image, int axes) {
  const Grid& grid = image.grid;
  require(axes == 3 || file_dimension(grid) == 2,
          "a 2-D transform must have a field on a slice at z = 0");
  std::vector<double> fixed;
  fixed.reserve(static_cast<std::size_t>(axes) * (3 + axes));
  for (int i = 0; i < axes; ++i) fixed.push_back(grid.size[2 - i]);
  fixed.insert(fixed.end(), grid.origin.begin(), grid.origin.begin() + axes);
  fixed.insert(fixed.end(), grid.spacing.begin(), grid.spacing.begin() + axes);
  for (int i = 0; i < axes; ++i)
    fixed.insert(fixed.end(), grid.direction[i].begin(), grid.direction[i].begin() + axes);
  const std::int64_t voxels = grid.domain().volume();
  const auto width = static_cast<hsize_t>(axes);
  const hsize_t count = width * static_cast<hsize_t>(voxels);
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const Handle set = create_dataset(group, "TransformParameters", H5T_IEEE_F32LE, space);
  const std::int64_t piece = 1 << 18;
  std::vector<float> values(width * static_cast<std::size_t>(piece));
  for (std::int64_t begin = 0; begin < voxels; begin += piece) {
    const std::int64_t n = std::min(piece, voxels - begin);
    for (std::int64_t v = 0; v < n; ++v)
      for (std::int64_t c = 0; c < axes; ++c)
        values[static_cast<std::size_t>(axes * v + c)] = image.data.data()[c * voxels + begin + v];
    const hsize_t start = width * static_cast<hsize_t>(begin),
                  length = width * static_cast<hsize_t>(n);
    const Handle memory(H5Screate_simple(1, &length, nullptr), H5Sclose);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, nullptr, &length, nullptr) < 0 ||
        H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values.data()) < 0)
      throw IoError("displacements cannot be written");
  }
  write_values(group, "TransformFixedParameters", fixed);
}

void write_transform(hid_t group, const Transform& transform, int dimension) {
  if (const Affine* affine = std::get_if<Affine>(&transform)) {
    const ItkParameters itk = itk_from_affine(*affine, {}, dimension);
    write_string(group, "TransformType", itk.type);
    write_values(group, "TransformParameters", itk.parameters);
    write_values(group, "TransformFixedParameters", itk.fixed);
  } else {
    write_string(group, "TransformType",
                 dimension == 2 ? "DisplacementFieldTransform_double_2_2"
                                : "DisplacementFieldTransform_double_3_3");
    write_field(group, *std::get<1>(transform), dimension);
  }
}

}  // namespace

TransformFile read_hdf5_transform(const std::string& path) {
  const Silence silence;
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.valid()) throw IoError(path + ": is no readable HDF5 file (truncated?)");
  if (H5Lexists(file, "/TransformGroup", H5P_DEFAULT) <= 0)
    throw IoError(path + ": has no /TransformGroup, an ITK transform file is wanted");
  TransformFile result{path, "ITK composite HDF5", {}, {}};
  for (int i = 0;; ++i) {
    const Group group{path, "/TransformGroup/" + std::to_string(i), file};
    if (H5Lexists(file, group.name.c_str(), H5P_DEFAULT) <= 0) break;
    const Handle type_set = open_dataset(file, group.name, {"TransformType"});
    const std::string type = type_set.valid() ? read_string(type_set) : "";
    if (type.rfind("CompositeTransform", 0) == 0) continue;
    if (type.rfind("DisplacementFieldTransform", 0) == 0) {
      const std::size_t axes = type.ends_with("_2_2") ? 2 : 3;
      result.add(type, std::make_shared<const DisplacementImage>(read_field(group, axes)));
    } else {
      result.add(type, affine_from_itk(path, type,
                                       group.values({"TransformParameters", "TranformParameters"}),
                                       group.fixed()));
    }
  }
  if (result.transforms.empty()) throw IoError(path + ": holds no transform");
  // The last transform of a composite is the first that a point meets.
  std::reverse(result.transforms.begin(), result.transforms.end());
  std::reverse(result.names.begin(), result.names.end());
  return result;
}

void write_hdf5_transforms(const std::string& path, const std::vector<Transform>& transforms,
                           int dimension) {
  const Silence silence;
  const std::string target = final_name(path);
  const std::string temporary = temporary_name(target);
  const int slot = register_unfinished(temporary);
  try {
    {
      const Handle file(H5Fcreate(temporary.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT),
                        H5Fclose);
      if (!file.valid()) throw IoError("the file cannot be created");
      write_string(file, "ITKVersion", "5.4.0");
      write_string(file, "HDFVersion", "1.10");
      write_string(file, "OSName", "Linux");
      write_string(file, "OSVersion", "unknown");
      const Handle all(H5Gcreate2(file, "/TransformGroup", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                       H5Gclose);
      const Handle head(H5Gcreate2(all, "0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
      write_string(
          head, "TransformType",
          dimension == 2 ? "CompositeTransform_double_2_2" : "CompositeTransform_double_3_3");
      for (std::size_t i = 0; i < transforms.size(); ++i) {
        const Transform& transform = transforms[transforms.size() - 1 - i];
        const Handle group(
            H5Gcreate2(all, std::to_string(i + 1).c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
            H5Gclose);
        write_transform(group, transform, dimension);
      }
      if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0) throw IoError("the disk may be full");
    }
    if (std::rename(temporary.c_str(), target.c_str()) != 0) throw IoError("it cannot be renamed");
  } catch (const Error& error) {
    ::unlink(temporary.c_str());
    unregister_unfinished(slot);
    throw IoError(path + ": cannot be written: " + error.what());
  }
  unregister_unfinished(slot);
}

}  // namespace ffdp::io
