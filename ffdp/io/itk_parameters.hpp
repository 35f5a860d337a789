// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ffdp/core/affine.hpp"

namespace ffdp::io {

/// The linear map that ITK's class `type` ("AffineTransform_double_3_3", "Euler3DTransform_..."
/// ...) makes of its parameters and fixed parameters (centre first), in LPS mm; 2-D ones act on
/// x and y. Throws IoError, starting with `path`, for other classes and wrong numbers of values.
Affine affine_from_itk(const std::string& path, const std::string& type,
                       const std::vector<double>& parameters, const std::vector<double>& fixed);

/// An affine as ITK writes it.
struct ItkParameters {
  std::string type;                ///< AffineTransform_double_3_3 or _2_2
  std::vector<double> parameters;  ///< 12 or 6
  std::vector<double> fixed;       ///< the centre, 3 or 2
};
/// Whether an affine leaves z alone, and x and y are moved the same everywhere along it.
bool is_planar(const Affine& affine);
/// @param affine     LPS mm
/// @param dimension  3, or 2 for a planar one; InvalidArgument where it is not
ItkParameters itk_from_affine(const Affine& affine, const Vec3& centre, int dimension);

/// An affine in RAS mm as one in LPS mm, and back.
Affine flip_ras_lps(const Affine& affine);

}  // namespace ffdp::io
