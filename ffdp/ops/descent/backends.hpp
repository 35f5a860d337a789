// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/descent/descent.hpp"

namespace ffdp::descent {

/// The functions of a backend, for dispatch: cpu.cpp defines On<Backend::cpu>, cuda.cu
/// On<Backend::cuda>.
template <Backend>
struct On {
  template <class T>
  static void update(Context&, const Params&, const smooth::Params&, Box domain, Box compute,
                     VectorView<const float> grad, const Moments<T>& moments, Sums* sums);
  template <class T>
  static void longest(Context&, const Params&, Box domain, Box compute, const Moments<T>& moments,
                      Sums* sums);
  template <class T>
  static void compose(Context&, const Params&, const Step&, Box domain, Box compute,
                      const Moments<T>& moments, VectorView<const float> u, VectorView<float> out);
};

}  // namespace ffdp::descent
