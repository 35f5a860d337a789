// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/text_headers.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <sstream>

#include <libdeflate.h>

#include "ffdp/core/error.hpp"
#include "ffdp/io/orientation.hpp"
#include "ffdp/io/text.hpp"

namespace ffdp::io {
namespace {

constexpr std::size_t most_header = std::size_t{1} << 16;  // [bytes]
using Fields = std::map<std::string, std::string>;

/// What a header of either kind says.
struct Header {
  std::string path, kind;
  Fields fields;
  std::int64_t end = 0;  ///< where attached voxels begin [bytes]

  bool has(const std::string& key) const { return fields.contains(key); }
  const std::string& at(const std::string& key) const {
    const auto found = fields.find(key);
    if (found == fields.end())
      throw IoError(path + ": the " + kind + " header lacks '" + key + "'");
    return found->second;
  }
  std::string get(const std::string& key, const std::string& otherwise) const {
    return has(key) ? at(key) : otherwise;
  }
  /// Numbers, with brackets and commas between them as blanks.
  std::vector<double> numbers(const std::string& key) const {
    std::string text = at(key);
    for (char& c : text)
      if (c == '(' || c == ')' || c == ',') c = ' ';
    std::vector<double> values;
    std::istringstream stream(text);
    for (std::string word; stream >> word;) {
      if (word == "none") continue;
      char* rest = nullptr;
      values.push_back(std::strtod(word.c_str(), &rest));
      if (*rest != 0) throw IoError(path + ": '" + key + "' holds '" + word.substr(0, 40) + "'");
    }
    return values;
  }
  std::vector<double> numbers(const std::string& key, std::size_t count) const {
    auto values = numbers(key);
    if (values.size() != count)
      throw IoError(path + ": '" + key + "' holds " + std::to_string(values.size()) + " numbers, " +
                    std::to_string(count) + " are wanted");
    return values;
  }
};

DataType type_of(const Header& h, const std::string& name) {
  static const std::map<std::string, DataType> names{
      {"MET_UCHAR", DataType::uint8},       {"MET_CHAR", DataType::int8},
      {"MET_USHORT", DataType::uint16},     {"MET_SHORT", DataType::int16},
      {"MET_UINT", DataType::uint32},       {"MET_INT", DataType::int32},
      {"MET_ULONG_LONG", DataType::uint64}, {"MET_LONG_LONG", DataType::int64},
      {"MET_FLOAT", DataType::float32},     {"MET_DOUBLE", DataType::float64},
      {"uchar", DataType::uint8},           {"unsigned char", DataType::uint8},
      {"uint8", DataType::uint8},           {"uint8_t", DataType::uint8},
      {"signed char", DataType::int8},      {"int8", DataType::int8},
      {"int8_t", DataType::int8},           {"short", DataType::int16},
      {"short int", DataType::int16},       {"int16", DataType::int16},
      {"int16_t", DataType::int16},         {"ushort", DataType::uint16},
      {"unsigned short", DataType::uint16}, {"uint16", DataType::uint16},
      {"uint16_t", DataType::uint16},       {"int", DataType::int32},
      {"int32", DataType::int32},           {"int32_t", DataType::int32},
      {"uint", DataType::uint32},           {"unsigned int", DataType::uint32},
      {"uint32", DataType::uint32},         {"uint32_t", DataType::uint32},
      {"longlong", DataType::int64},        {"long long", DataType::int64},
      {"int64", DataType::int64},           {"int64_t", DataType::int64},
      {"ulonglong", DataType::uint64},      {"unsigned long long", DataType::uint64},
      {"uint64", DataType::uint64},         {"uint64_t", DataType::uint64},
      {"float", DataType::float32},         {"double", DataType::float64}};
  const auto found = names.find(name);
  if (found == names.end()) throw IoError(h.path + ": voxels of type '" + name + "' are unknown");
  return found->second;
}

/// The sizes of all axes, as many as the header says.
std::vector<double> sizes_of(const Header& h, const char* key, const char* count) {
  auto sizes = h.numbers(key);
  const double wanted = h.numbers(count, 1)[0];
  if (static_cast<double>(sizes.size()) != wanted)
    throw IoError(h.path + ": '" + key + "' holds " + std::to_string(sizes.size()) + " numbers, " +
                  std::to_string(wanted) + " are wanted");
  return sizes;
}

/// Sizes x, y (, z), and components beside them.
void take_sizes(const Header& h, NiftiInfo& info, const std::vector<double>& sizes,
                double components) {
  constexpr double most = std::numeric_limits<std::int32_t>::max();
  const auto whole = [&](double n) {
    if (!(n >= 1 && n <= most && n == std::floor(n)))
      throw IoError(h.path + ": a size of " + std::to_string(n) + " on an axis");
    return static_cast<std::int64_t>(n);
  };
  if (sizes.size() < 2 || sizes.size() > 3)
    throw IoError(h.path + ": " + std::to_string(sizes.size()) +
                  " dimensions, 2 and 3 are supported");
  for (std::size_t i = 0; i < sizes.size(); ++i) info.dims[i] = whole(sizes[i]);
  info.dims[4] = whole(components);
  info.dimension = info.dims[4] > 1 ? 5 : static_cast<int>(sizes.size());
  if (info.dims[4] > 1) info.intent = intent_vector;
  info.grid.size = {static_cast<int>(info.dims[2]), static_cast<int>(info.dims[1]),
                    static_cast<int>(info.dims[0])};
}

/// Axes (LPS mm, as long as a voxel) to spacing and direction.
void take_axes(const Header& h, Grid& grid, const std::vector<Vec3>& axes) {
  for (std::size_t j = 0; j < axes.size(); ++j) {
    const Vec3& a = axes[j];
    const double length = std::sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);
    if (!(length > 0) || !std::isfinite(length))
      throw IoError(h.path + ": axis " + std::to_string(j + 1) + " has the length " +
                    std::to_string(length));
    grid.spacing[j] = length;
    for (std::size_t i = 0; i < 3; ++i) grid.direction[i][j] = a[i] / length;
  }
  if (!is_orthonormal(grid.direction))
    throw IoError(h.path + ": its axes are sheared, orthogonal ones are wanted");
}

/// The voxels of a file from byte `offset` on, unpacked where they are packed.
OpenNifti with_voxels(const Header& h, NiftiInfo info, const std::string& file, std::int64_t offset,
                      bool packed) {
  const std::filesystem::path name = file;
  const auto beside = std::filesystem::path(h.path).parent_path() / name;
  info.kind = h.kind;
  info.data_path = file.empty() ? h.path : name.is_absolute() ? file : beside.string();
  OpenNifti open{std::move(info), nullptr};
  open.info.path = h.path;
  open.source = std::make_unique<ByteSource>(open.info.data_path);
  open.info.compressed = packed || open.source->compressed();
  long double bytes = static_cast<long double>(size_of(open.info.type));
  for (const std::int64_t size : open.info.dims) bytes *= static_cast<long double>(size);
  const long double room = static_cast<long double>(open.source->most_bytes() - offset);
  if (offset < 0 || bytes > (packed ? 1032 * room : room))
    throw IoError(open.info.data_path + ": the file of " +
                  std::to_string(open.source->file_size()) +
                  " bytes ends before the voxels that the header announces");
  open.info.data_offset = offset;
  if (!packed) return open;
  std::string stream(static_cast<std::size_t>(open.source->file_size() - offset), '\0');
  open.source->seek(offset);
  open.source->read(stream.data(), stream.size());
  std::string content(static_cast<std::size_t>(bytes), '\0');
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> unpacker(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::size_t got = 0;
  const bool gzip = stream.starts_with("\x1f\x8b");
  const auto unpack = gzip ? libdeflate_gzip_decompress : libdeflate_zlib_decompress;
  const auto result =
      unpack(unpacker.get(), stream.data(), stream.size(), content.data(), content.size(), &got);
  if (result != LIBDEFLATE_SUCCESS || got != content.size())
    throw IoError(open.info.data_path + ": its packed voxels are damaged");
  open.source = std::make_unique<ByteSource>(open.info.data_path, std::move(content));
  open.info.data_offset = 0;
  return open;
}

bool is_true(const std::string& word) { return word == "True" || word == "true" || word == "1"; }

OpenNifti open_metaimage(const Header& h) {
  NiftiInfo info;
  const auto sizes = sizes_of(h, "DimSize", "NDims");
  const std::size_t n = sizes.size();
  const char* const channels = "ElementNumberOfChannels";
  take_sizes(h, info, sizes, h.has(channels) ? h.numbers(channels, 1)[0] : 1);
  info.type = type_of(h, h.at("ElementType"));
  info.interleaved = true;
  info.big_endian = is_true(h.get("BinaryDataByteOrderMSB", h.get("ElementByteOrderMSB", "False")));
  if (!is_true(h.get("BinaryData", "True"))) throw IoError(h.path + ": holds voxels as text");
  std::vector<double> spacing(n, 1), matrix;
  for (const char* key : {"ElementSize", "ElementSpacing"})
    if (h.has(key)) spacing = h.numbers(key, n);
  for (const char* key : {"Orientation", "Rotation", "TransformMatrix"})
    if (h.has(key)) matrix = h.numbers(key, n * n);
  for (const char* key : {"Origin", "Position", "Offset"})
    if (h.has(key)) std::ranges::copy(h.numbers(key, n), info.grid.origin.begin());
  std::vector<Vec3> axes(3, Vec3{});
  for (std::size_t j = 0; j < 3; ++j) {
    if (j >= n || matrix.empty()) axes[j][j] = j < n ? spacing[j] : 1;
    for (std::size_t i = 0; j < n && !matrix.empty() && i < n; ++i)
      axes[j][i] = matrix[j * n + i] * spacing[j];
  }
  take_axes(h, info.grid, axes);
  const std::string file = h.at("ElementDataFile");
  if (file == "LIST" || file.find('%') != std::string::npos)
    throw IoError(h.path + ": its voxels lie in a list of files, one file is supported");
  const bool local = file == "LOCAL" || file == "Local" || file == "local";
  return with_voxels(h, info, local ? "" : file, local ? h.end : 0,
                     is_true(h.get("CompressedData", "False")));
}

/// Signs that turn the axes of a NRRD space to LPS.
Vec3 nrrd_signs(const Header& h) {
  std::string space = h.get("space", "left-posterior-superior");
  if (space == "left-posterior-superior") space = "LPS";
  if (space == "right-anterior-superior") space = "RAS";
  if (space == "left-anterior-superior") space = "LAS";
  if (space != "LPS" && space != "RAS" && space != "LAS")
    throw IoError(h.path + ": the space '" + space + "', LPS, RAS or LAS is wanted");
  return {space[0] == 'L' ? 1.0 : -1.0, space[1] == 'P' ? 1.0 : -1.0, 1};
}

OpenNifti open_nrrd(const Header& h) {
  NiftiInfo info;
  auto sizes = sizes_of(h, "sizes", "dimension");
  std::vector<std::string> kinds;
  std::istringstream words(h.get(h.has("space directions") ? "space directions" : "kinds", ""));
  for (std::string word; words >> word;) kinds.push_back(word);
  double components = 1;
  const auto outside = [&](std::size_t axis) {  // not an axis of space
    return axis < kinds.size() && (kinds[axis] == "none" || kinds[axis] == "vector" ||
                                   kinds[axis] == "list" || kinds[axis].ends_with("-vector"));
  };
  if (sizes.size() > 2 && outside(0)) {
    components = sizes.front();
    info.interleaved = true;
    sizes.erase(sizes.begin());
  } else if (sizes.size() > 2 && outside(sizes.size() - 1)) {
    components = sizes.back();
    sizes.pop_back();
  }
  const std::size_t n = sizes.size();
  take_sizes(h, info, sizes, components);
  info.type = type_of(h, h.at("type"));
  info.big_endian = h.get("endian", "little") == "big";
  std::vector<Vec3> axes(3, Vec3{});
  for (std::size_t j = 0; j < 3; ++j) axes[j][j] = 1;
  const Vec3 sign = nrrd_signs(h);
  if (h.has("space directions")) {
    const auto d = h.numbers("space directions", n * n);
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t i = 0; i < n; ++i) axes[j][i] = sign[i] * d[j * n + i];
  } else if (h.has("spacings")) {
    auto s = h.numbers("spacings");
    if (s.size() > n) s.erase(info.interleaved ? s.begin() : s.end() - 1);
    for (std::size_t j = 0; j < n && j < s.size(); ++j)
      if (std::isfinite(s[j])) axes[j][j] = s[j];
  }
  if (h.has("space origin")) {
    const auto origin = h.numbers("space origin", n);
    for (std::size_t i = 0; i < n; ++i) info.grid.origin[i] = sign[i] * origin[i];
  }
  take_axes(h, info.grid, axes);
  const std::string encoding = h.get("encoding", "raw");
  if (encoding != "raw" && encoding != "gzip" && encoding != "gz")
    throw IoError(h.path + ": the encoding '" + encoding + "', raw or gzip is wanted");
  for (const char* key : {"line skip", "byte skip"})
    if (h.has(key) && h.numbers(key, 1)[0] != 0)
      throw IoError(h.path + ": skips bytes before its voxels, which is not supported");
  const std::string file = h.get("data file", h.get("datafile", ""));
  if (file.starts_with("LIST") || file.find('%') != std::string::npos)
    throw IoError(h.path + ": its voxels lie in a list of files, one file is supported");
  // A packed file beside the header is unpacked as it is read.
  return with_voxels(h, info, file, file.empty() ? h.end : 0, encoding != "raw" && file.empty());
}

}  // namespace

std::optional<OpenNifti> open_text_header(const std::string& path) {
  ByteSource source(path);
  std::string text(most_header, '\0');
  text.resize(source.read_some(text.data(), text.size()));
  const bool nrrd = text.starts_with("NRRD000");
  if (!nrrd && !text.starts_with("ObjectType") && !text.starts_with("NDims")) return std::nullopt;
  if (source.compressed()) throw IoError(path + ": is packed as a whole, only its voxels may be");
  Header h{path, nrrd ? "NRRD" : "MetaImage", {}, 0};
  bool complete = false;
  for (std::size_t begin = 0; begin < text.size() && !complete;) {
    const std::size_t at = text.find('\n', begin);
    if (at == std::string::npos && nrrd) break;
    const std::string line = trimmed(text.substr(begin, at - begin));
    begin = std::min(at, text.size() - 1) + 1;
    h.end = static_cast<std::int64_t>(begin);
    const auto colon = line.find(nrrd ? ':' : '=');
    if (nrrd && line.empty()) complete = true;
    if (line.starts_with('#') || colon == std::string::npos) continue;
    const std::string key = trimmed(line.substr(0, colon));
    h.fields[key] = trimmed(line.substr(colon + 1));
    complete = complete || key == "ElementDataFile";
  }
  // A detached header may end without an empty line.
  if (!complete && !h.has("data file") && !h.has("datafile"))
    throw IoError(path + ": its " + h.kind + " header does not end");
  return nrrd ? open_nrrd(h) : open_metaimage(h);
}

}  // namespace ffdp::io
