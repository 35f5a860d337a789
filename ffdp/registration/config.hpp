// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ffdp/core/affine.hpp"
#include "ffdp/ops/descent/descent.hpp"
#include "ffdp/ops/lncc/lncc.hpp"
#include "ffdp/ops/mi/mi.hpp"

namespace ffdp::registration {

enum class MetricKind { lncc, mi, mse, gc };

/// One metric of a stage. Its cost, which is minimised, is -mean cc, -MI, the mean squared
/// difference of the normalised images, or minus the square of their correlation.
struct MetricConfig {
  MetricKind kind = MetricKind::lncc;
  double weight = 1;                        ///< [1]
  int image_pair = 0;                       ///< index of the fixed/moving pair that it compares
  lncc::Window window = lncc::Window::box;  ///< LNCC: not zero_padded_box, which is for training
  /// LNCC, box window [voxels of the level]. 0, in a deformable stage: radius_for the level's size.
  int radius = 2;
  /// LNCC in a deformable stage: the radius at the levels above the finest, coarse to fine; still
  /// coarser ones take the first. Empty: `radius` at all [voxels of the level].
  std::vector<int> coarse_radii{};
  double sigma = 1.5;   ///< LNCC, Gaussian window [voxels of the level]
  double floor = 1e-3;  ///< LNCC: variance floor, part of the image's variance [1]
  int bins = 32;        ///< MI
  mi::Parzen parzen = mi::Parzen::mattes;
  mi::Measure measure = mi::Measure::mutual_information;
  friend bool operator==(const MetricConfig&, const MetricConfig&) = default;
};

enum class Initialization {
  automatic,         ///< tries all others and a search over rotations; takes the best by MI
  identity,          ///< trust the headers
  geometric_centre,  ///< centres of the extents
  centre_of_mass,
  origin,
  moments,  ///< centre of mass and principal axes, four rotations scored
};

enum class LinearKind { translation, rigid, similarity, affine };

/// A linear stage: quasi-Newton (BFGS) on the exact gradient, level by level.
struct LinearStage {
  LinearKind kind = LinearKind::affine;
  MetricConfig metric{.kind = MetricKind::mi};
  std::vector<double> resolutions{4, 2};  ///< per level [multiples of the finest spacing]
  std::vector<int> iterations{100, 50};   ///< per level
  /// Levels of the fixed image with more voxels are made coarser; 0: none is [voxels].
  double most_voxels = 0;
  double tolerance = 0.002;             ///< stop when two steps move no corner by more [voxels]
  std::vector<MetricConfig> further{};  ///< metrics added to `metric`, each with its weight
  /// The share of each parameter's gradient that is kept, in the order of parametric_map [1].
  /// Empty: all.
  std::vector<double> restriction{};
  friend bool operator==(const LinearStage&, const LinearStage&) = default;
};

enum class Optimizer {
  adam,      ///< compositive Adam (ops/descent)
  gradient,  ///< the smoothed gradient, scaled to a largest step
};

/// Wider Gaussians, less damped, at the finest level if the warp has been gentle so far. Two brains
/// differ in every fold; within one person the true warp is smooth, and what narrow Gaussians add
/// is noise.
struct Gentle {
  /// Limits for how much the warp that the level starts with changes volumes (change_of in
  /// deformable/smoothing.hpp) [1]. Up to `full`, the Gaussians are those given here; from `none`
  /// on, those of the stage; in between they are mixed. Without a warp they are those of the stage.
  double full = 0.15, none = 0.18;
  double sigma_update = 0, sigma_warp = 0;  ///< nothing is made narrower [voxels of the level]
  /// A change within fewer voxels across counts more, in proportion: at 3 mm, where folds are not
  /// seen, volumes change between two brains no more than within one person at 1 mm [voxels].
  int across = 90;
  /// A gentle level has at most this update_fall and this damping; units as in DeformableStage.
  double update_fall = 1, damping = 0.4;
  friend bool operator==(const Gentle&, const Gentle&) = default;
};

/// The greedy deformable stage (docs/algorithm.md).
struct DeformableStage {
  std::vector<MetricConfig> metrics{MetricConfig{}};
  std::vector<int> shrink;      ///< per level, coarse to fine; empty: chosen from the image size
  std::vector<int> iterations;  ///< per level, coarse to fine; empty: from the preset's default
  Optimizer optimizer = Optimizer::adam;
  descent::SecondMoment second_moment = descent::SecondMoment::vector;
  double beta1 = 0.9, beta2 = 0.99;
  double epsilon = 1;          ///< added to sqrt(v) [root mean square of the first gradient]
  double step = 0.5;           ///< largest step of one iteration [voxels of the level]
  double sigma_update = 0.8;   ///< smoothing of the gradient [voxels of the level]
  double sigma_warp = 0.7071;  ///< smoothing of the warp [voxels of the level]
  /// A level of N voxels across, N the cube root of its voxels, has Gaussians wider by
  /// max(1, N / 256)^widening, but none above 8/3 voxels. 0: sigmas hold at any size [1].
  double widening = 0;
  /// How much of grad(div u) is added to the warp before it is smoothed: changes of volume are
  /// damped, shear is not. Within 0 and 0.4 [squared voxels of the level]; knots_warp take its
  /// place.
  double damping = 0;
  Gentle gentle{};
  /// Distance of the knots along z, y, x [voxels of the level] of a cubic B-spline that smooths the
  /// gradient or the warp in place of the Gaussian (ops/spline). One distance for all levels, or
  /// one per level, coarse to fine; 0 does not smooth along an axis. Empty: the Gaussian.
  std::vector<Vec3> knots_update{}, knots_warp{};
  /// The share by which each Gaussian narrows from the first to the last iteration of a level [1].
  double update_fall = 0, warp_fall = 0;
  /// The share of the steps that is kept along the axes x, y, z of the world [1].
  std::array<double, 3> restriction{1, 1, 1};
  friend bool operator==(const DeformableStage&, const DeformableStage&) = default;
};

/// How much memory a registration may take per voxel of the finest level
/// (docs/adr/0011-slabs-and-memory.md).
enum class MemoryMode {
  automatic,  ///< standard if it fits, else compact
  standard,   ///< float32 throughout, at most 48 B/voxel
  compact,    ///< moving images and moments in half precision, at most 36 B/voxel; CUDA only
};

/// How a rank gets at the moving image in the deformable stage; all ways give the same bytes
/// (docs/grid_parallel.md).
enum class MovingAccess {
  automatic,  ///< chosen by memory (choose_access in deformable/moving_samples.hpp)
  replicate,  ///< a rank has all of it
  fetch,      ///< a rank has the box that its own voxels reach, and a margin
  ring,       ///< the parts of all ranks pass round the ranks in every iteration
};

/// Everything that decides a registration; recipe files hold exactly this.
struct Config {
  std::string preset = "default";
  Initialization initialization = Initialization::automatic;
  std::vector<LinearStage> linear;
  std::vector<DeformableStage> deformable;    ///< at most one; empty: linear only
  double winsorize_lo = 0, winsorize_hi = 1;  ///< quantiles the intensities are clamped to
  /// Maps moving intensities to fixed ones; 256 levels, 12 match points.
  bool match_histograms = false;
  /// Averages the warp with that of the registration the other way; then `refine` iterations at the
  /// finest level follow (docs/algorithm.md).
  bool symmetric = false;
  int refine = 0;
  double inverse_tolerance = 0.02;  ///< [voxels]
  MemoryMode memory = MemoryMode::automatic;
  MovingAccess moving_access = MovingAccess::automatic;
  std::uint64_t seed = 0;
  friend bool operator==(const Config&, const Config&) = default;
};

/// "fast", "default", "accurate", "affine" or "rigid"; throws InvalidArgument otherwise.
Config preset(const std::string& name);

/// Sets the linear stages and the smoothing for a deformable stage without LNCC. MI, MSE and GC say
/// little about each voxel, so the warp has to be smoother: with 5 and 3 voxels, the error of a
/// known warp between T1 and T2 falls from 1.67 to below 0.6 mm (docs/algorithm.md).
void use_global_metrics(Config& config);

/// Throws InvalidArgument naming the first setting that is out of range.
void validate(const Config& config);

}  // namespace ffdp::registration
