// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/view.hpp"

/// Double-precision oracle for tests.
namespace ffdp::vectors::reference {

/// m * v at a voxel, cut to +-limit.
inline Vec3 transformed(const Mat3& m, double limit, const VectorView<const float>& v,
                        const Int3& i) {
  Vec3 r = Affine{m, {}}({static_cast<double>(v[0](i[0], i[1], i[2])),
                          static_cast<double>(v[1](i[0], i[1], i[2])),
                          static_cast<double>(v[2](i[0], i[1], i[2]))});
  for (double& c : r) c = std::clamp(c, -limit, limit);
  return r;
}

}  // namespace ffdp::vectors::reference
