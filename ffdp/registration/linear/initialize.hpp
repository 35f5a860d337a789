// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/registration/linear/linear.hpp"

namespace ffdp::registration {

/// A first map, fixed to moving points (LPS mm). `automatic` scores identity, centres and moments,
/// searches rotations about the best of them at a coarse level, refines a few and returns the one
/// with the most mutual information.
/// @param most  the most general kind of map `automatic` may return
Affine initialize(Context& ctx, dist::Comm& comm, Initialization kind, LinearKind most,
                  const Pair& pair, const ProgressSink& progress);

}  // namespace ffdp::registration
