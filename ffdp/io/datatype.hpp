// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace ffdp::io {

/// The type of a voxel in a file.
enum class DataType { uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32, float64 };

/// Calls f(T{}) with the C++ type of `type`.
template <class F>
decltype(auto) visit(DataType type, F&& f) {
  switch (type) {
    case DataType::uint8:
      return f(std::uint8_t{});
    case DataType::int8:
      return f(std::int8_t{});
    case DataType::uint16:
      return f(std::uint16_t{});
    case DataType::int16:
      return f(std::int16_t{});
    case DataType::uint32:
      return f(std::uint32_t{});
    case DataType::int32:
      return f(std::int32_t{});
    case DataType::uint64:
      return f(std::uint64_t{});
    case DataType::int64:
      return f(std::int64_t{});
    case DataType::float32:
      return f(float{});
    case DataType::float64:
      break;
  }
  return f(double{});
}

template <class T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, float>)
    return DataType::float32;
  else if constexpr (std::is_same_v<T, double>)
    return DataType::float64;
  else if constexpr (std::is_signed_v<T>)
    return sizeof(T) == 1   ? DataType::int8
           : sizeof(T) == 2 ? DataType::int16
           : sizeof(T) == 4 ? DataType::int32
                            : DataType::int64;
  else
    return sizeof(T) == 1   ? DataType::uint8
           : sizeof(T) == 2 ? DataType::uint16
           : sizeof(T) == 4 ? DataType::uint32
                            : DataType::uint64;
}

/// Size of one value [bytes].
inline std::size_t size_of(DataType type) {
  return visit(type, [](auto value) { return sizeof(value); });
}
inline bool is_integer(DataType type) {
  return type != DataType::float32 && type != DataType::float64;
}
/// "uint8", "float32" and so on.
const char* to_string(DataType type);
/// The inverse of to_string; also takes ANTs' names (char, uchar, short, ushort, int, uint, float,
/// double). Throws InvalidArgument.
DataType data_type_from_string(const std::string& name);

}  // namespace ffdp::io
