// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"

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

}  // namespace ffdp
