// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include "ffdp/core/context.hpp"
#include "ffdp/core/image.hpp"
#include "ffdp/dist/comm.hpp"

namespace ffdp::transforms {

/// The type in which cubic B-spline coefficients are stored. float holds those of 8- and 16-bit
/// images to 1e-7 of their range.
template <class T>
using SplineCoefficient =
    std::conditional_t<(sizeof(T) > 2) && !std::is_same_v<T, float>, double, float>;

/// Cubic B-spline coefficients of an image that is cut among ranks. The filter runs along the rows
/// and columns of the planes that a rank owns, then along z, for which each rank takes a share of
/// the rows of all planes. Collective. The bits do not depend on the number of ranks.
/// @param image   stored over at least what this rank owns of its grid
/// @param wanted  voxels that this rank wants to have
/// @return the coefficients, stored over at least `wanted`
template <class T>
Image<SplineCoefficient<T>> spline_coefficients(Context& ctx, dist::Comm& comm,
                                                const Image<T>& image, const Box& wanted);

}  // namespace ffdp::transforms
