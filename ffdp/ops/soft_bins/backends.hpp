// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/soft_bins/soft_bins.hpp"

namespace ffdp::soft_bins {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  template <class T>
  static void accumulate(Context&, const Params&, std::int64_t n, const T* a, const T* b,
                         double* joint);
  template <class T>
  static void backward(Context&, const Params&, std::int64_t n, const T* a, const T* b,
                       const T* table, T* grad_a);
};

}  // namespace ffdp::soft_bins
