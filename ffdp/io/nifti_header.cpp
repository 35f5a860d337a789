// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/nifti_header.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>

#include "ffdp/core/error.hpp"
#include "ffdp/io/nifti_layout.hpp"
#include "ffdp/io/orientation.hpp"
#include "ffdp/io/text.hpp"
#include "ffdp/io/text_headers.hpp"

namespace ffdp::io {
namespace {

constexpr int time_mask = 0x38;  // of the units, what is left are those of lengths

template <class T>
T swapped(T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  std::reverse(bytes, bytes + sizeof(T));
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

/// Typed access to header bytes of either version.
struct Reader {
  const char* bytes;
  int version;
  bool swap;

  template <class T>
  T get(int offset) const {
    T value;
    std::memcpy(&value, bytes + offset, sizeof(T));
    return swap ? swapped(value) : value;
  }
  int at(Offset o) const { return version == 1 ? o.v1 : o.v2; }
  /// Element i of a real-number field.
  double real(Offset o, int i) const {
    return version == 1 ? static_cast<double>(get<float>(o.v1 + 4 * i)) : get<double>(o.v2 + 8 * i);
  }
  std::int64_t dim(int i) const {
    return version == 1 ? get<std::int16_t>(dim_at.v1 + 2 * i)
                        : get<std::int64_t>(dim_at.v2 + 8 * i);
  }
  int code(Offset o) const {
    return version == 1 ? get<std::int16_t>(o.v1) : get<std::int32_t>(o.v2);
  }
};

/// The type of the voxels; nothing, and a name in `unsupported`, where they cannot be read.
std::optional<DataType> type_from_code(int code, std::string& unsupported) {
  for (const DataType type :
       {DataType::uint8, DataType::int16, DataType::int32, DataType::float32, DataType::float64,
        DataType::int8, DataType::uint16, DataType::uint32, DataType::int64, DataType::uint64})
    if (code_of(type) == code) return type;
  unsupported = code == 1      ? "1-bit"
                : code == 32   ? "complex64"
                : code == 128  ? "RGB24"
                : code == 1536 ? "float128"
                : code == 1792 ? "complex128"
                : code == 2048 ? "complex256"
                : code == 2304 ? "RGBA32"
                               : "of the unknown datatype " + std::to_string(code);
  return std::nullopt;
}

void parse_sizes(const Reader& h, NiftiInfo& info) {
  const std::int64_t axes = h.dim(0);
  if (axes < 1 || axes > 7)
    throw IoError(info.path + ": " + std::to_string(axes) + " axes, 1 to 7 are possible");
  info.dimension = static_cast<int>(axes);
  for (int i = 1; i <= 7; ++i) {
    const std::int64_t size = i <= axes ? h.dim(i) : 1;
    // Writers leave 0 in the size of an axis beyond those in use; along z that is a slice.
    if (i <= 2 && size < 1)
      throw IoError(info.path + ": axis " + std::string(1, "xyz"[i - 1]) + " has size " +
                    std::to_string(size) + ", at least 1 is wanted");
    if (size > std::numeric_limits<int>::max())
      throw IoError(info.path + ": axis " + std::to_string(i) + " has size " +
                    std::to_string(size) + ", at most 2147483647 is supported");
    info.dims[i - 1] = std::max<std::int64_t>(size, 1);
  }
  if (info.dims[5] > 1 || info.dims[6] > 1)
    throw IoError(info.path + ": " + std::to_string(axes) + " dimensions, at most 5 are supported");
  info.grid.size = {static_cast<int>(info.dims[2]), static_cast<int>(info.dims[1]),
                    static_cast<int>(info.dims[0])};
}

// Product in long double: it cannot overflow and is exact where it matters.
void check_file_holds(const ByteSource& source, const NiftiInfo& info, int bits) {
  long double bytes = info.unsupported.empty() ? static_cast<long double>(size_of(info.type))
                                               : static_cast<long double>(bits) / 8;
  for (std::int64_t size : info.dims) bytes *= static_cast<long double>(size);
  bytes += static_cast<long double>(info.data_offset);
  if (bytes > static_cast<long double>(source.most_bytes())) {
    std::string sizes;
    for (int i = 0; i < info.dimension; ++i) {
      if (i > 0) sizes += 'x';
      sizes += std::to_string(info.dims[i]);
    }
    throw IoError(info.data_path + ": the header announces " + sizes + " voxels of " +
                  (info.unsupported.empty() ? to_string(info.type) : info.unsupported) +
                  " from byte " + std::to_string(info.data_offset) + ", the file of " +
                  std::to_string(source.file_size()) + " bytes " +
                  (source.compressed() ? "cannot hold that even compressed" : "ends before"));
  }
}

Vec3 parse_spacing(const Reader& h, NiftiInfo& info, double unit) {
  Vec3 spacing;
  for (int j = 0; j < 3; ++j) {
    double s = h.real(pixdim_at, j + 1);
    const bool used = info.dims[j] > 1;
    const std::string what = "pixdim[" + std::to_string(j + 1) + "] is " + std::to_string(s);
    if (s < 0 && used) info.warnings.push_back(what + ", its absolute value is used");
    s = std::abs(s);
    if (!(s > 0) || !std::isfinite(s)) {
      // Beside a good sform that says how large voxels are.
      double square = 0;
      for (int i = 0; i < 3; ++i) square += std::pow(h.real(srow_at, 4 * i + j), 2);
      const bool from_sform = h.code(sform_code_at) > 0 && square > 0 && std::isfinite(square);
      s = from_sform ? std::sqrt(square) : 1;
      if (used)
        info.warnings.push_back(what + ", " + std::to_string(s) +
                                (from_sform ? " of the sform is used" : " is used"));
    }
    spacing[j] = s * unit;
  }
  return spacing;
}

void parse_transforms(const Reader& h, NiftiInfo& info, const Vec3& spacing, double unit) {
  info.qform_code = h.code(qform_code_at);
  info.sform_code = h.code(sform_code_at);
  const Quaternion q{h.real(quatern_at, 0), h.real(quatern_at, 1), h.real(quatern_at, 2),
                     h.real(pixdim_at, 0) < 0 ? -1.0 : 1.0};
  const Mat3 rotation = rotation_of(q);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      info.qform.linear[i][j] = rotation[i][j] * spacing[j];
      info.sform.linear[i][j] = h.real(srow_at, 4 * i + j) * unit;
    }
    info.qform.translation[i] = h.real(qoffset_at, i) * unit;
    info.sform.translation[i] = h.real(srow_at, 4 * i + 3) * unit;
  }
  const auto usable = [](const Affine& a) {
    double sum = std::abs(determinant(a.linear));
    const bool regular = sum > 0;
    for (double value : a.translation) sum += value;
    return regular && std::isfinite(sum);
  };
  for (auto [code, transform, name] : {std::tuple{&info.qform_code, &info.qform, "qform"},
                                       std::tuple{&info.sform_code, &info.sform, "sform"}})
    if (*code > 0 && !usable(*transform)) {
      info.warnings.push_back(std::string("the ") + name +
                              " is singular or not finite and is ignored");
      *code = 0;
    }
}

// Which of the two versions and byte orders the first bytes are.
std::optional<Reader> recognise(const char* bytes, std::size_t got) {
  if (got < header1_bytes) return std::nullopt;
  for (bool swap : {false, true})
    for (int version : {1, 2}) {
      const Reader h{bytes, version, swap};
      const int size = version == 1 ? header1_bytes : header2_bytes;
      if (h.get<std::int32_t>(0) == size && got >= static_cast<std::size_t>(size)) return h;
    }
  return std::nullopt;
}

}  // namespace

namespace {

/// The other file of a .hdr/.img pair, where `path` is called like one and that exists; else "".
std::string partner(const std::string& path, const std::string& own, const std::string& other) {
  const std::string name = lower(path);
  for (const std::string packed : {"", ".gz"}) {
    if (!name.ends_with(own + packed)) continue;
    const std::string stem = path.substr(0, path.size() - own.size() - packed.size());
    for (const std::string& ending : {other + packed, other, other + ".gz"})
      if (std::filesystem::exists(stem + ending)) return stem + ending;
  }
  return "";
}

struct Bytes {
  char header[header2_bytes] = {};
  std::size_t got = 0;
  explicit Bytes(ByteSource& source) { got = source.read_some(header, sizeof(header)); }
};

/// The magic of a header: "n+1" of a file, "ni1" of a pair, or likewise with 2; else "".
std::string magic_of(const Bytes& bytes) {
  const std::optional<Reader> h = recognise(bytes.header, bytes.got);
  if (!h) return "";
  const std::string magic(bytes.header + h->at(magic_at), 3);
  const char version = h->version == 1 ? '1' : '2';
  const bool known = magic[0] == 'n' && (magic[1] == '+' || magic[1] == 'i');
  return known && magic[2] == version ? magic : "";
}

void parse(const Reader& h, const ByteSource& source, NiftiInfo& info) {
  const bool pair = info.data_path != info.path;
  info.version = h.version;
  info.big_endian = h.swap;
  info.compressed = source.compressed();
  parse_sizes(h, info);
  const int code = h.get<std::int16_t>(h.at(datatype_at));
  info.type = type_from_code(code, info.unsupported).value_or(DataType::uint8);
  const double offset =
      h.version == 1 ? h.real(data_at, 0) : static_cast<double>(h.get<std::int64_t>(data_at.v2));
  const int least = pair ? 0 : h.version == 1 ? header1_bytes : header2_bytes;
  if (!(std::abs(offset) < 1e15))
    throw IoError(info.path + ": voxels start at byte " + std::to_string(offset));
  info.data_offset = std::max<std::int64_t>(static_cast<std::int64_t>(offset), least);
  check_file_holds(source, info, std::max<int>(h.get<std::int16_t>(h.at(bitpix_at)), 0));

  info.slope = h.real(slope_at, 0);
  info.intercept = h.real(inter_at, 0);
  if (info.slope == 0 || !std::isfinite(info.slope)) info.slope = 1, info.intercept = 0;
  if (!std::isfinite(info.intercept)) info.intercept = 0;
  info.intent = h.code(intent_at);
  info.time_step = h.real(pixdim_at, 4);
  info.time_offset = h.real(toffset_at, 0);

  const int units = h.version == 1 ? h.bytes[units_at.v1] : h.get<std::int32_t>(units_at.v2);
  info.time_unit = units & time_mask;
  const double unit = (units & 7) == 1 ? 1e3 : (units & 7) == 3 ? 1e-3 : 1;
  if (unit != 1)
    info.warnings.push_back(std::string("lengths are in ") + (unit > 1 ? "metres" : "micrometres") +
                            ", converted to mm");
  const Vec3 spacing = parse_spacing(h, info, unit);
  parse_transforms(h, info, spacing, unit);
  place_grid(info, spacing);
}

}  // namespace

bool is_nifti_name(const std::string& path) {
  const std::string name = lower(path);
  return name.ends_with(".nii") || name.ends_with(".nii.gz");
}

bool is_nifti(const std::string& path) {
  ByteSource source(path);
  const Bytes bytes(source);
  if (!magic_of(bytes).empty() || is_nifti_name(path)) return true;
  const std::string start(bytes.header, std::min<std::size_t>(bytes.got, 10));
  if (start.starts_with("NRRD000") || start == "ObjectType" || start.starts_with("NDims"))
    return true;
  const std::string header = partner(path, ".img", ".hdr");
  if (header.empty()) return false;
  ByteSource header_source(header);
  return magic_of(Bytes(header_source)).starts_with("ni");
}

OpenNifti open_nifti(const std::string& path) {
  OpenNifti file;
  file.info.path = path;
  file.info.data_path = path;
  file.source = std::make_unique<ByteSource>(path);
  Bytes bytes(*file.source);
  if (bytes.got == 0) throw IoError(path + ": holds no data, a NIfTI file is wanted");
  const std::string header = magic_of(bytes).empty() ? partner(path, ".img", ".hdr") : "";
  if (!header.empty()) {
    ByteSource header_source(header);
    bytes = Bytes(header_source);
  }
  const std::optional<Reader> found = recognise(bytes.header, bytes.got);
  if (!found)
    if (auto other = open_text_header(path)) return std::move(*other);
  if (!found) throw IoError(path + ": is no NIfTI file (.nii or .nii.gz)");
  const std::string magic = magic_of(bytes);
  if (magic.empty())
    throw IoError(path + ": is Analyze 7.5 or damaged (no NIfTI magic), NIfTI is wanted");
  if (magic[1] == 'i') {
    file.info.data_path = header.empty() ? partner(path, ".hdr", ".img") : path;
    if (file.info.data_path.empty())
      throw IoError(path + ": is the header of a .hdr/.img pair, whose .img is not there");
    if (!header.empty()) file.info.path = header;
    file.source = std::make_unique<ByteSource>(file.info.data_path);
  } else if (!header.empty()) {
    throw IoError(header + ": is a whole NIfTI file, not the header of " + path);
  }
  parse(*found, *file.source, file.info);
  return file;
}

void require_scalar(const NiftiInfo& info) {
  if (!info.unsupported.empty())
    throw IoError(info.path + ": voxels are " + info.unsupported +
                  ", real numbers of 8 to 64 bits are supported; colours can be split into " +
                  "images, which -f and -m take several of");
  if (info.components() != 1)
    throw IoError(info.path + ": " + std::to_string(info.components()) +
                  " components per voxel, a scalar image is wanted");
  if (info.volumes() != 1)
    throw IoError(info.path + ": " + std::to_string(info.volumes()) +
                  " volumes (4-D), one 3-D volume is wanted");
}

}  // namespace ffdp::io
