// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ffdp/core/affine.hpp"
#include "ffdp/core/context.hpp"
#include "ffdp/core/grid.hpp"
#include "ffdp/core/view.hpp"
#include "ffdp/phantom/contrast.hpp"

/// A procedural brain. Every voxel is a formula of its world point. So any box of an image of any
/// size can be made by itself, and two images differ by a warp that is known exactly.
namespace ffdp::phantom {

/// The parameters of image(p) = anatomy(pose^-1(p + d(p))).
struct Phantom {
  Contrast contrast = Contrast::t1;
  std::uint32_t subject = 1;  ///< seed of the anatomy: folding, sizes of structures
  std::uint32_t scan = 1;     ///< seed of noise and bias field
  double noise = 0.02;        ///< standard deviation [share of the white-matter intensity]
  double bias = 0.2;          ///< amplitude of the receive field about 1 [1]
  double warp_mm = 0;         ///< strength of d: about its largest length [mm]
  std::uint32_t warp = 1;     ///< seed of d
  Affine pose;                ///< anatomy (LPS mm) to image (LPS mm)
  Vec3 centre{};              ///< centre of the brain [mm], LPS
  double scale = 1;           ///< size relative to an adult's (about 132 x 168 x 130 mm) [1]

  friend bool operator==(const Phantom&, const Phantom&) = default;
};

/// `phantom` with centre and scale such that the brain fills the extent of `grid`.
Phantom fitted_to(const Grid& grid, Phantom phantom);

/// Makes the voxels of `compute`. Throws InvalidArgument if warp_mm is so large that the warp could
/// fold.
/// @param grid     of the whole image
/// @param image    [z,y,x] about 0 to 1000 [intensity], 0 outside the head; stored over compute;
///                 null if not wanted
/// @param labels   [z,y,x] FreeSurfer's numbers (see phantom_labels), stored over compute; or null
void make_phantom(Context& ctx, const Phantom& phantom, const Grid& grid, const Box& compute,
                  const View<float>& image, const View<std::uint8_t>& labels);

/// Displacement t(p) with p + t(p) = moving.pose(p + d(p)), where d is that of `fixed`. It is the
/// true warp from the image of `fixed` to that of `moving` if both have the same subject, centre
/// and scale, and `moving` has warp_mm = 0.
/// @param warp  [3,z,y,x] LPS mm, component c is world axis c (x, y, z); stored over compute
void make_true_warp(Context& ctx, const Phantom& fixed, const Phantom& moving, const Grid& grid,
                    const Box& compute, const VectorView<float>& warp);

struct PhantomLabel {
  std::uint8_t number;
  std::string name;
};
/// All labels of the phantom, ascending.
std::vector<PhantomLabel> phantom_labels();

}  // namespace ffdp::phantom
