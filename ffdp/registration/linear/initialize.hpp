// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/registration/linear/linear.hpp"

namespace ffdp::registration {

/// A first map, fixed to moving points (LPS mm). `automatic` scores the identity, the centres, the
/// moments and rotations at a coarse level, refines the best, and returns the one with the most
/// mutual information (docs/algorithm.md).
/// @param most  the most general kind of map `automatic` may return
Affine initialize(Context& ctx, dist::Comm& comm, Initialization kind, LinearKind most,
                  const Pair& pair, const ProgressSink& progress);

}  // namespace ffdp::registration
