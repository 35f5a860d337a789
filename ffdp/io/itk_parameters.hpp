// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ffdp/core/affine.hpp"

namespace ffdp::io {

/// The linear map, in LPS mm, that an ITK transform of class `type` ("AffineTransform_double_3_3",
/// "Euler3DTransform_...") has with these parameters and fixed parameters (centre first). 2-D
/// transforms act on x and y. Throws IoError, whose text begins with `path`, for other classes and
/// wrong numbers of values.
Affine affine_from_itk(const std::string& path, const std::string& type,
                       const std::vector<double>& parameters, const std::vector<double>& fixed);

/// An affine as ITK writes it.
struct ItkParameters {
  std::string type;                ///< AffineTransform_double_3_3 or _2_2
  std::vector<double> parameters;  ///< 12 or 6
  std::vector<double> fixed;       ///< the centre, 3 or 2
};
/// Whether an affine does not change z, and moves x and y independently of z.
bool is_planar(const Affine& affine);
/// @param affine     LPS mm
/// @param dimension  3, or 2 for a planar affine; throws InvalidArgument if it is not planar
ItkParameters itk_from_affine(const Affine& affine, const Vec3& centre, int dimension);

/// Converts an affine from RAS mm to LPS mm, or back.
Affine flip_ras_lps(const Affine& affine);

}  // namespace ffdp::io
