// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/host_device.hpp"

namespace ffdp {

/// Bijective mixing of 32 bits: every bit of the result depends on every bit of `h`.
FFDP_HD constexpr std::uint32_t mix_bits(std::uint32_t h) {
  h ^= h >> 16;
  h *= 0x7feb352dU;
  h ^= h >> 15;
  h *= 0x846ca68bU;
  return h ^ (h >> 16);
}

/// 32 pseudo-random bits that belong to the global index (z, y, x) and `seed`.
FFDP_HD constexpr std::uint32_t noise_bits(int z, int y, int x, std::uint32_t seed) {
  std::uint32_t h = mix_bits(seed + 0x9e3779b9U * static_cast<std::uint32_t>(z));
  h = mix_bits(h ^ (0x85ebca6bU * static_cast<std::uint32_t>(y)));
  return mix_bits(h ^ (0xc2b2ae35U * static_cast<std::uint32_t>(x)));
}

/// White noise, uniform in [0,1). It is a hash of the global index, so that any part of an image
/// can be made by itself and equals that part of the whole.
FFDP_HD constexpr float noise(int z, int y, int x, std::uint32_t seed) {
  return static_cast<float>(noise_bits(z, y, x, seed) >> 8) * 0x1p-24F;
}

}  // namespace ffdp
