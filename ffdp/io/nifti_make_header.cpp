// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "ffdp/io/nifti_header.hpp"
#include "ffdp/io/nifti_layout.hpp"
#include "ffdp/io/orientation.hpp"

namespace ffdp::io {
namespace {

static_assert(std::endian::native == std::endian::little, "headers are written little-endian");

/// The bytes of a header, filled field by field.
struct Writer {
  int version;
  std::string bytes;

  explicit Writer(int of_version)
      : version(of_version), bytes(static_cast<std::size_t>(voxels()), '\0') {}
  int size() const { return version == 1 ? header1_bytes : header2_bytes; }
  /// Behind four bytes that say: no extension follows.
  int voxels() const { return size() + 4; }
  int at(Offset o) const { return version == 1 ? o.v1 : o.v2; }
  template <class T>
  void put(int offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof(value));
  }
  void put_real(Offset o, int i, double value) {
    if (version == 1)
      put(o.v1 + 4 * i, static_cast<float>(value));
    else
      put(o.v2 + 8 * i, value);
  }
  void put_code(Offset o, int value) {
    if (version == 1)
      put(o.v1, static_cast<std::int16_t>(value));
    else
      put(o.v2, static_cast<std::int32_t>(value));
  }
};

void put_sizes(Writer& w, const HeaderContent& c) {
  const auto [nz, ny, nx] = c.grid.size;
  const Series& series = c.series;
  const int axes = series.components > 1 ? 5 : series.volumes > 1 ? 4 : file_dimension(c.grid);
  const std::int64_t dims[8] = {axes, nx, ny, nz, series.volumes, series.components, 1, 1};
  for (int i = 0; i < 8; ++i) {
    if (w.version == 1)
      w.put(dim_at.v1 + 2 * i, static_cast<std::int16_t>(dims[i]));
    else
      w.put(dim_at.v2 + 8 * i, dims[i]);
  }
}

void put_values(Writer& w, const HeaderContent& c) {
  constexpr int mm = 2;
  w.put(w.at(datatype_at), static_cast<std::int16_t>(code_of(c.type)));
  w.put(w.at(bitpix_at), static_cast<std::int16_t>(8 * size_of(c.type)));
  if (w.version == 1)
    w.put(data_at.v1, static_cast<float>(w.voxels()));
  else
    w.put(data_at.v2, std::int64_t{w.voxels()});
  w.put_real(slope_at, 0, c.slope);
  w.put_real(inter_at, 0, c.intercept);
  w.put_real(toffset_at, 0, c.series.time_offset);
  w.put_code(intent_at, c.series.intent);
  if (w.version == 1)
    w.put(units_at.v1, static_cast<std::int8_t>(mm | c.series.time_unit));
  else
    w.put(units_at.v2, std::int32_t{mm | c.series.time_unit});
}

void put_space(Writer& w, const HeaderContent& c) {
  Mat3 ras = c.grid.direction;
  Vec3 origin = c.grid.origin;
  for (int i = 0; i < 2; ++i) {
    for (double& value : ras[i]) value = -value;
    origin[i] = -origin[i];
  }
  const bool straight = is_orthonormal(ras);
  const Quaternion q = straight ? quaternion_of(ras) : Quaternion{};
  w.put_code(qform_code_at, straight ? 1 : 0);
  w.put_code(sform_code_at, 1);
  w.put_real(pixdim_at, 0, q.qfac);
  for (int i = 0; i < 3; ++i) {
    w.put_real(pixdim_at, i + 1, c.grid.spacing[i]);
    w.put_real(quatern_at, i, i == 0 ? q.b : i == 1 ? q.c : q.d);
    w.put_real(qoffset_at, i, origin[i]);
    for (int j = 0; j < 3; ++j) w.put_real(srow_at, 4 * i + j, ras[i][j] * c.grid.spacing[j]);
    w.put_real(srow_at, 4 * i + 3, origin[i]);
  }
  w.put_real(pixdim_at, 4, c.series.time_step);
  for (int i = 5; i < 8; ++i) w.put_real(pixdim_at, i, 1);
}

}  // namespace

int code_of(DataType type) {
  switch (type) {
    case DataType::uint8:
      return 2;
    case DataType::int16:
      return 4;
    case DataType::int32:
      return 8;
    case DataType::float32:
      return 16;
    case DataType::float64:
      return 64;
    case DataType::int8:
      return 256;
    case DataType::uint16:
      return 512;
    case DataType::uint32:
      return 768;
    case DataType::int64:
      return 1024;
    case DataType::uint64:
      break;
  }
  return 1280;
}

int file_dimension(const Grid& grid) {
  const bool flat = grid.size[0] == 1 && grid.origin[2] == 0 &&
                    grid.direction[2] == Vec3{0, 0, 1} && grid.direction[0][2] == 0 &&
                    grid.direction[1][2] == 0;
  return flat ? 2 : 3;
}

std::string make_header(const HeaderContent& c) {
  const auto [nz, ny, nx] = c.grid.size;
  const auto longest = std::max<std::int64_t>({nx, ny, nz, c.series.volumes, c.series.components});
  Writer w(longest > 32767 ? 2 : 1);
  w.put(0, std::int32_t{w.size()});
  std::memcpy(w.bytes.data() + w.at(magic_at), w.version == 1 ? "n+1\0" : "n+2\0\r\n\032\n",
              w.version == 1 ? 4 : 8);
  std::memcpy(w.bytes.data() + w.at(description_at), c.description.data(),
              std::min<std::size_t>(c.description.size(), 79));
  put_sizes(w, c);
  put_values(w, c);
  put_space(w, c);
  return std::move(w.bytes);
}

}  // namespace ffdp::io
