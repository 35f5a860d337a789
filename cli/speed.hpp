// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/registration/config.hpp"

namespace ffdp::cli {

/// The speed of an iteration of the deformable stage on one kind of machine.
struct Speed {
  // Time per voxel [ns]; the parts that apply are added:
  double vectors;  ///< update of the moments, composition, smoothing by the default Gaussians
  double reach;    ///< each plane that wider Gaussians read beyond these
  double damping;  ///< damping of the divergence
  double lncc, lncc_radius;  ///< LNCC and its sampling: a constant, and a term times the radius
  double mi, mse, gc;
  double link;  ///< bandwidth between two ranks [bytes/ns = GB/s]
};

/// One H200, from benchmarks/results/h200.csv, 1024x1024x1024 (b6d24cc) and 512x512x512 (fe2c940):
/// `vectors` from the rows descent_update, descent_compose and smooth_displacement_s1 of fe2c940; a
/// metric from its iteration minus these; `lncc_radius` from the rows lncc_r1 to lncc_r8. `reach`
/// is from fe2c940 in h200x4.csv, `damping` from iterations of 1760x1760x1278 with and without it
/// (cbb8a2b). `link` is NVLink, NCCL's send and receive in one direction.
inline constexpr Speed h200{.vectors = 0.0364,
                            .reach = 0.0017,
                            .damping = 0.0134,
                            .lncc = 0.0320,
                            .lncc_radius = 0.0021,
                            .mi = 0.0381,
                            .mse = 0.0228,
                            .gc = 0.0334,
                            .link = 360};

/// One thread of an EPYC 9005, from the rows of one thread, 160x192x224, in
/// benchmarks/results/epyc-9005-2core.csv, in the same way. `reach` is not measured; it is the same
/// share of `vectors` as on the GPU. `link` is nearly that of a 100 Gbit/s network.
inline constexpr Speed epyc_thread{.vectors = 28.3,
                                   .reach = 2.5,
                                   .damping = 0.53,
                                   .lncc = 25.4,
                                   .lncc_radius = 2.0,
                                   .mi = 31.5,
                                   .mse = 22.1,
                                   .gc = 20.4,
                                   .link = 10};

/// Time of an iteration per voxel that a rank works on [ns].
double nanoseconds_of(const Speed& speed, const registration::DeformableStage& stage);

}  // namespace ffdp::cli
