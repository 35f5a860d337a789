// SPDX-License-Identifier: Apache-2.0
#include "ffdp/io/datatype.hpp"

#include <utility>

#include "ffdp/core/error.hpp"

namespace ffdp::io {

const char* to_string(DataType type) {
  switch (type) {
    case DataType::uint8:
      return "uint8";
    case DataType::int8:
      return "int8";
    case DataType::uint16:
      return "uint16";
    case DataType::int16:
      return "int16";
    case DataType::uint32:
      return "uint32";
    case DataType::int32:
      return "int32";
    case DataType::uint64:
      return "uint64";
    case DataType::int64:
      return "int64";
    case DataType::float32:
      return "float32";
    case DataType::float64:
      break;
  }
  return "float64";
}

DataType data_type_from_string(const std::string& name) {
  static constexpr std::pair<const char*, DataType> names[] = {
      {"uint8", DataType::uint8},     {"int8", DataType::int8},     {"uint16", DataType::uint16},
      {"int16", DataType::int16},     {"uint32", DataType::uint32}, {"int32", DataType::int32},
      {"uint64", DataType::uint64},   {"int64", DataType::int64},   {"float32", DataType::float32},
      {"float64", DataType::float64}, {"uchar", DataType::uint8},   {"char", DataType::int8},
      {"ushort", DataType::uint16},   {"short", DataType::int16},   {"uint", DataType::uint32},
      {"int", DataType::int32},       {"float", DataType::float32}, {"double", DataType::float64}};
  for (const auto& [known, type] : names)
    if (name == known) return type;
  throw InvalidArgument("voxel type: got '" + name +
                        "', wanted one of uint8 int8 uint16 int16 uint32 int32 uint64 int64 "
                        "float32 float64");
}

}  // namespace ffdp::io
