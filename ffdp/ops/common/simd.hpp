// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace ffdp::simd {

/// Row buffers are padded to a multiple of this many floats on every target.
inline constexpr int padding = 16;

/// Width of a register of the target [bytes].
#if defined(__AVX512F__)
inline constexpr int bytes = 64;
#elif defined(__AVX__)
inline constexpr int bytes = 32;
#else
inline constexpr int bytes = 16;
#endif
inline constexpr int lanes = bytes / 4;
using Vector [[gnu::vector_size(bytes), gnu::aligned(4), gnu::may_alias]] = float;

inline const Vector& load(const float* p) { return *reinterpret_cast<const Vector*>(p); }
inline Vector& store(float* p) { return *reinterpret_cast<Vector*>(p); }

/// `n` rounded up to whole vectors.
constexpr std::size_t padded(std::size_t n) { return (n + padding - 1) / padding * padding; }

}  // namespace ffdp::simd
