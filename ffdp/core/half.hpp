// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "ffdp/core/host_device.hpp"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace ffdp {

/// IEEE 754 binary16, for storage only: 11 bits of precision, largest value 65504.
struct Half {
  std::uint16_t bits = 0;
  friend bool operator==(const Half&, const Half&) = default;
};

FFDP_HD inline float to_float(float value) { return value; }
FFDP_HD inline float to_float(std::uint8_t value) { return static_cast<float>(value); }
FFDP_HD inline float to_float(std::uint16_t value) { return static_cast<float>(value); }
FFDP_HD inline float to_float(Half value) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(value.bits));
#else
  const std::uint32_t sign = (value.bits & 0x8000U) << 16U, magnitude = value.bits & 0x7fffU;
  if (magnitude >= 0x7c00U)  // infinite or NaN
    return std::bit_cast<float>(sign | 0x7f800000U | (magnitude & 0x3ffU) << 13U);
  // Exact for subnormal halves too: the exponent is corrected by a multiplication.
  const float scaled = std::bit_cast<float>(magnitude << 13U) * 0x1p112F;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(scaled));
#endif
}

/// Rounds to nearest even. A value beyond the range of T becomes the nearest end of it; NaN stays
/// NaN.
template <class T>
FFDP_HD T from_float(float value);

template <>
FFDP_HD inline float from_float<float>(float value) {
  return value;
}
template <>
FFDP_HD inline Half from_float<Half>(float value) {
  constexpr float largest = 65504.0F;
  float v = value < -largest ? -largest : value;
  v = v > largest ? largest : v;
#if defined(__CUDA_ARCH__)
  return {__half_as_ushort(__float2half_rn(v))};
#else
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(v);
  const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
  std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return {static_cast<std::uint16_t>(sign | 0x7e00U)};
  if (magnitude < 0x38800000U) {  // subnormal: adding 0.5 leaves the rounded bits at the end
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    magnitude = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U;
    return {static_cast<std::uint16_t>(sign | magnitude)};
  }
  magnitude += 0xfffU + ((magnitude >> 13U) & 1U);
  return {static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000U) >> 13U))};
#endif
}

}  // namespace ffdp
