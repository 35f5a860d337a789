// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/ops/descent/descent.hpp"

namespace ffdp::descent {
namespace cpu {
void update(Context&, const adam::Params&, const smooth::Params&, Box domain, Box compute,
            VectorView<const float> grad, const Moments<float>& moments, Sums* sums);
void longest(Context&, const adam::Params&, Box domain, Box compute, const Moments<float>& moments,
             Sums* sums);
void compose(Context&, const adam::Params&, const Step&, Box domain, Box compute,
             const Moments<float>& moments, const Sums* sums, VectorView<const float> u,
             VectorView<float> out);
}  // namespace cpu
namespace cuda {
template <class T>
void update(Context&, const adam::Params&, const smooth::Params&, Box domain, Box compute,
            VectorView<const float> grad, const Moments<T>& moments, Sums* sums);
template <class T>
void longest(Context&, const adam::Params&, Box domain, Box compute, const Moments<T>& moments,
             Sums* sums);
template <class T>
void compose(Context&, const adam::Params&, const Step&, Box domain, Box compute,
             const Moments<T>& moments, const Sums* sums, VectorView<const float> u,
             VectorView<float> out);
}  // namespace cuda
}  // namespace ffdp::descent
