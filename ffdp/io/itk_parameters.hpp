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

/// Parameters (12) of AffineTransform_double_3_3 about `centre` for an affine in LPS mm.
std::vector<double> itk_from_affine(const Affine& affine, const Vec3& centre);

/// An affine in RAS mm as one in LPS mm, and back.
Affine flip_ras_lps(const Affine& affine);

}  // namespace ffdp::io
