// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ffdp/core/affine.hpp"
#include "ffdp/registration/config.hpp"

namespace ffdp::registration {

/// How many parameters a kind of map has.
int parameters(LinearKind kind, int dimension);
/// Throws unless the restriction of a stage has a share for each of its parameters, or none.
void require_shares(const LinearStage& stage, int dimension);

/// The map of `kind` with parameters `theta` about `centre`, identity at 0. Every parameter is in
/// mm: the motion it causes at `radius` mm from the centre.
Affine parametric_map(LinearKind kind, int dimension, const std::vector<double>& theta,
                      const Vec3& centre, double radius);

/// The gradient w.r.t. b of a function of a o b o c, from its gradient `grad` w.r.t. a o b o c.
Affine pull_back(const Affine& a, const Affine& grad, const Affine& c);

/// Angle between the rotations nearest to two maps [degrees].
double turn_between(const Affine& a, const Affine& b);

/// A turn of more than `needs_reason` degrees must lower the cost by the share `clear_gain`.
constexpr double needs_reason = 5, clear_gain = 0.03;
/// Orientations further apart than this are different ones [degrees].
constexpr double far_turn = 30;

}  // namespace ffdp::registration
