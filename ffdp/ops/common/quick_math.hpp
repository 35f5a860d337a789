// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "ffdp/core/host_device.hpp"

/// Divisions and roots that take a few instructions on a GPU, where exact ones take a dozen. On the
/// CPU they are exact.
namespace ffdp {

/// 1 / value, for values that are not subnormal. On a GPU within 1 ulp, and 0 for values beyond
/// 2^126.
template <class T>
FFDP_HD inline T reciprocal(T value) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
#else
  return 1 / value;
#endif
}

/// a / b. On a GPU within 2 ulp, for |b| between 2^-126 and 2^126.
template <class T>
FFDP_HD inline T quotient(T a, T b) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("div.full.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
#else
  return a / b;
#endif
}

/// The square root. On a GPU within 1 ulp.
template <class T>
FFDP_HD inline T root(T value) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("sqrt.approx.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
#else
  return std::sqrt(value);
#endif
}

}  // namespace ffdp
