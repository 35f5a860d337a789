// SPDX-License-Identifier: Apache-2.0
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ffdp::io {

#if defined(__x86_64__)
/// To be called after ISA-L, which (2.30) leaves the upper halves of vector registers in use: code
/// without AVX, as ours outside of the ops, is two to four times as slow on this thread then.
__attribute__((target("avx"))) inline void zero_upper_halves() { _mm256_zeroupper(); }
inline void clear_upper_halves() {
  if (__builtin_cpu_supports("avx")) zero_upper_halves();
}
#else
inline void clear_upper_halves() {}
#endif

}  // namespace ffdp::io
