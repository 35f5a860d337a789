// SPDX-License-Identifier: Apache-2.0
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ffdp::io {

#if defined(__x86_64__)
/// Call this after ISA-L. Version 2.30 leaves the upper halves of vector registers in use, which
/// makes code without AVX (all of ours outside the ops) two to four times as slow on this thread.
__attribute__((target("avx"))) inline void zero_upper_halves() { _mm256_zeroupper(); }
inline void clear_upper_halves() {
  if (__builtin_cpu_supports("avx")) zero_upper_halves();
}
#else
inline void clear_upper_halves() {}
#endif

}  // namespace ffdp::io
