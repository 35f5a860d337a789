// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "ffdp/core/error.hpp"
#include "ffdp/core/log.hpp"
#include "ffdp/io/nifti_header.hpp"

namespace ffdp::io {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 20;

void swap_bytes(std::byte* bytes, std::size_t count, std::size_t size) {
  for (std::size_t i = 0; i < count; ++i) std::reverse(bytes + i * size, bytes + (i + 1) * size);
}

[[noreturn]] void refuse_value(const NiftiInfo& info, double value, DataType wanted) {
  throw IoError(info.path + ": holds the value " + std::to_string(value) +
                ", whole numbers in the range of " + to_string(wanted) + " are wanted");
}

template <class T, class S>
T convert(S stored, const NiftiInfo& info, bool scaled) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(scaled ? info.slope * static_cast<double>(stored) + info.intercept
                                 : static_cast<double>(stored));
  } else {
    if constexpr (std::is_integral_v<S>)
      if (!scaled) {
        if (!std::in_range<T>(stored))
          refuse_value(info, static_cast<double>(stored), data_type_of<T>());
        return static_cast<T>(stored);
      }
    const double value = scaled ? info.slope * static_cast<double>(stored) + info.intercept
                                : static_cast<double>(stored);
    // The upper limit is a power of two, so that the comparison is exact for 64 bits too.
    constexpr double below = std::is_signed_v<T> ? 1.0 : 2.0;
    const double end = below * std::ldexp(1.0, 8 * static_cast<int>(sizeof(T)) - 1);
    if (!(value >= static_cast<double>(std::numeric_limits<T>::min()) && value < end &&
          value == std::floor(value)))
      refuse_value(info, value, data_type_of<T>());
    return static_cast<T>(value);
  }
}

template <class T>
void convert_all(const std::byte* raw, std::size_t count, const NiftiInfo& info, T* out) {
  const bool scaled = info.scaled();
  visit(info.type, [&](auto zero) {
    using S = decltype(zero);
    for (std::size_t i = 0; i < count; ++i) {
      S stored;
      std::memcpy(&stored, raw + i * sizeof(S), sizeof(S));
      out[i] = convert<T>(stored, info, scaled);
    }
  });
}

/// Reads `count` voxels that follow each other in the file.
template <class T>
void read_values(ByteSource& source, const NiftiInfo& info, std::vector<std::byte>& raw, T* out,
                 std::int64_t count) {
  if (!info.scaled() && !info.big_endian && info.type == data_type_of<T>())
    return source.read(out, static_cast<std::size_t>(count) * sizeof(T));
  const std::size_t size = size_of(info.type);
  while (count > 0) {
    const std::size_t n = std::min(static_cast<std::size_t>(count), chunk_bytes / size);
    raw.resize(std::max(raw.size(), n * size));
    source.read(raw.data(), n * size);
    if (info.big_endian) swap_bytes(raw.data(), n, size);
    convert_all(raw.data(), n, info, out);
    out += n;
    count -= static_cast<std::int64_t>(n);
  }
}

/// Reads `box` of the volume that starts at voxel `first` of the file.
template <class T>
void read_view(ByteSource& source, const NiftiInfo& info, std::int64_t first, View<T> out) {
  const Box& box = out.stored;
  const int ny = info.grid.size[1], nx = info.grid.size[2];
  const std::int64_t size = static_cast<std::int64_t>(size_of(info.type));
  std::vector<std::byte> raw;
  const auto run = [&](int z, int y, std::int64_t count) {
    const std::int64_t voxel = first + (std::int64_t{z} * ny + y) * nx + box.lo[2];
    source.seek(info.data_offset + voxel * size);
    read_values(source, info, raw, &out(z, y, box.lo[2]), count);
  };
  const bool whole_rows = box.size(2) == nx, whole_planes = whole_rows && box.size(1) == ny;
  if (box.empty()) return;
  if (whole_planes) return run(box.lo[0], box.lo[1], box.volume());
  for (int z = box.lo[0]; z < box.hi[0]; ++z) {
    if (whole_rows) {
      run(z, box.lo[1], std::int64_t{box.size(1)} * nx);
      continue;
    }
    for (int y = box.lo[1]; y < box.hi[1]; ++y) run(z, y, box.size(2));
  }
}

/// Likewise, of component `component` of a file whose vectors lie one by one.
template <class T>
void read_component(ByteSource& source, const NiftiInfo& info, std::int64_t component,
                    View<T> out) {
  const Box& box = out.stored;
  const std::int64_t width = info.components(),
                     size = static_cast<std::int64_t>(size_of(info.type));
  std::vector<std::byte> raw;
  std::vector<T> vectors(static_cast<std::size_t>(width * box.size(2)));
  for (int z = box.lo[0]; z < box.hi[0]; ++z)
    for (int y = box.lo[1]; y < box.hi[1]; ++y) {
      const std::int64_t voxel =
          (std::int64_t{z} * info.grid.size[1] + y) * info.grid.size[2] + box.lo[2];
      source.seek(info.data_offset + voxel * width * size);
      read_values(source, info, raw, vectors.data(), width * box.size(2));
      for (int x = 0; x < box.size(2); ++x)
        out(z, y, box.lo[2] + x) = vectors[static_cast<std::size_t>(width * x + component)];
    }
}

void require_numbers(const NiftiInfo& info) {
  if (!info.unsupported.empty())
    throw IoError(info.path + ": voxels are " + info.unsupported +
                  ", real numbers of 8 to 64 bits are supported");
}

void log_warnings(const NiftiInfo& info) {
  for (const std::string& warning : info.warnings) log(Level::warning, info.path + ": " + warning);
}

}  // namespace

NiftiInfo read_info(const std::string& path) { return open_nifti(path).info; }

NiftiReader::NiftiReader(const std::string& path) {
  OpenNifti file = open_nifti(path);
  info_ = std::move(file.info);
  source_ = std::move(file.source);
  if (info_.unsupported.empty()) log_warnings(info_);
}
NiftiReader::NiftiReader(NiftiReader&&) noexcept = default;
NiftiReader& NiftiReader::operator=(NiftiReader&&) noexcept = default;
NiftiReader::~NiftiReader() = default;

template <class T>
Field<T> NiftiReader::read_box(const Box& box, std::int64_t volume) {
  require(info_.grid.domain().contains(box), info_.path + ": box " + to_string(box) +
                                                 " is asked, the image is " +
                                                 to_string(info_.grid.domain()));
  require_numbers(info_);  // before memory of whatever size the header claims
  Field<T> field(Backend::cpu, box);
  read_into<T>(volume, field);
  return field;
}

template <class T>
void NiftiReader::read_into(std::int64_t volume, View<T> out) {
  const std::int64_t volumes = info_.volumes() * info_.components();
  require(volume >= 0 && volume < volumes, info_.path + ": volume " + std::to_string(volume) +
                                               " is asked, the file has " +
                                               std::to_string(volumes));
  require_numbers(info_);
  if (info_.interleaved && info_.components() > 1)
    read_component<T>(*source_, info_, volume, out);
  else
    read_view<T>(*source_, info_, volume * info_.grid.domain().volume(), out);
}

template <class T>
Image<T> NiftiReader::read_volume(std::int64_t volume) {
  return {info_.grid, read_box<T>(info_.grid.domain(), volume)};
}

template <class T>
Image<T> read_image(const std::string& path) {
  NiftiReader reader(path);
  require_scalar(reader.info());
  return reader.read_volume<T>(0);
}

bool is_displacement(const NiftiInfo& info) {
  // Some programs write the components as volumes.
  if (info.dimension == 4 && info.volumes() == 3 && info.components() == 1) return true;
  return info.dimension == 5 && info.volumes() == 1 &&
         (info.components() == 3 || (info.components() == 2 && info.grid.size[0] == 1));
}

void require_displacement(const NiftiInfo& info) {
  if (!is_displacement(info) || !info.unsupported.empty())
    throw IoError(info.path + ": " + std::to_string(info.dimension) + " dimensions, " +
                  std::to_string(info.volumes()) + " volumes, " +
                  std::to_string(info.components()) +
                  " components; a displacement field has dim = [5, nx, ny, nz, 1, 3]");
  if (info.intent != intent_vector && info.intent != intent_displacement)
    log(Level::warning, info.path + ": intent " + std::to_string(info.intent) +
                            ", read as a displacement field in LPS mm (intent 1007)");
}

void read_displacement(const NiftiInfo& info,
                       const std::function<void(std::int64_t component, View<float> to)>& read,
                       VectorView<float> out) {
  const std::int64_t voxels = out.stored.volume();
  for (int c = 0; c < 3; ++c) {
    const View<float> component = out[c];
    if (c >= info.volumes() * info.components()) {
      std::fill(component.data, component.data + voxels, 0.0F);
      continue;
    }
    read(c, component);
    if (info.intent == intent_displacement && c < 2)
      for (std::int64_t i = 0; i < voxels; ++i) component.data[i] = -component.data[i];
  }
}

DisplacementImage read_displacement(const std::string& path) {
  NiftiReader reader(path);
  const NiftiInfo& info = reader.info();
  require_displacement(info);
  DisplacementImage image{info.grid, VectorField<float>(Backend::cpu, info.grid.domain())};
  read_displacement(
      info, [&](std::int64_t c, View<float> to) { reader.read_into<float>(c, to); }, image.data);
  return image;
}

template Field<std::uint8_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<std::int8_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<std::uint16_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<std::int16_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<std::uint32_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<std::int32_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<std::uint64_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<std::int64_t> NiftiReader::read_box(const Box&, std::int64_t);
template Field<float> NiftiReader::read_box(const Box&, std::int64_t);
template Field<double> NiftiReader::read_box(const Box&, std::int64_t);
template void NiftiReader::read_into(std::int64_t, View<std::uint8_t>);
template void NiftiReader::read_into(std::int64_t, View<std::int8_t>);
template void NiftiReader::read_into(std::int64_t, View<std::uint16_t>);
template void NiftiReader::read_into(std::int64_t, View<std::int16_t>);
template void NiftiReader::read_into(std::int64_t, View<std::uint32_t>);
template void NiftiReader::read_into(std::int64_t, View<std::int32_t>);
template void NiftiReader::read_into(std::int64_t, View<std::uint64_t>);
template void NiftiReader::read_into(std::int64_t, View<std::int64_t>);
template void NiftiReader::read_into(std::int64_t, View<float>);
template void NiftiReader::read_into(std::int64_t, View<double>);
template Image<std::uint8_t> NiftiReader::read_volume(std::int64_t);
template Image<std::int8_t> NiftiReader::read_volume(std::int64_t);
template Image<std::uint16_t> NiftiReader::read_volume(std::int64_t);
template Image<std::int16_t> NiftiReader::read_volume(std::int64_t);
template Image<std::uint32_t> NiftiReader::read_volume(std::int64_t);
template Image<std::int32_t> NiftiReader::read_volume(std::int64_t);
template Image<std::uint64_t> NiftiReader::read_volume(std::int64_t);
template Image<std::int64_t> NiftiReader::read_volume(std::int64_t);
template Image<float> NiftiReader::read_volume(std::int64_t);
template Image<double> NiftiReader::read_volume(std::int64_t);
template Image<std::uint8_t> read_image(const std::string&);
template Image<std::int8_t> read_image(const std::string&);
template Image<std::uint16_t> read_image(const std::string&);
template Image<std::int16_t> read_image(const std::string&);
template Image<std::uint32_t> read_image(const std::string&);
template Image<std::int32_t> read_image(const std::string&);
template Image<std::uint64_t> read_image(const std::string&);
template Image<std::int64_t> read_image(const std::string&);
template Image<float> read_image(const std::string&);
template Image<double> read_image(const std::string&);

}  // namespace ffdp::io
