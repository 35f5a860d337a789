// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/registration/config.hpp"

namespace ffdp::cli {

/// How fast an iteration of the deformable stage is on one kind of machine.
struct Speed {
  // Of a voxel [ns], each an addend:
  double vectors;  ///< update of the moments, composition, smoothing by the default Gaussians
  double reach;    ///< each plane that wider smoothing looks at beyond these
  double lncc, lncc_radius;  ///< the metric and the sampling for it: LNCC, and its radius times
  double mi, mse, gc;
  double link;  ///< bytes that travel from one rank to the next [1/ns, GB/s]
};

/// One H200: rows of 1024x1024x1024 (b6d24cc) and 512x512x512 (fe2c940) in
/// benchmarks/results/h200.csv (`vectors`: the rows descent_update, descent_compose and
/// smooth_displacement_s1 of fe2c940; a metric: its iteration less these; `lncc_radius`: the rows
/// lncc_r1 to lncc_r8), fe2c940 in h200x4.csv (`reach`). `link`: NVLink, NCCL's send and receive in
/// one direction.
inline constexpr Speed h200{.vectors = 0.0364,
                            .reach = 0.0017,
                            .lncc = 0.0320,
                            .lncc_radius = 0.0021,
                            .mi = 0.0381,
                            .mse = 0.0228,
                            .gc = 0.0334,
                            .link = 360};

/// One thread of an EPYC 9005: rows of one thread of 160x192x224 in
/// benchmarks/results/epyc-9005-2core.csv, taken apart in the same way. `reach` is not measured: as
/// large a share of `vectors` as on the GPU. `link`: a network of 100 Gbit/s, nearly.
inline constexpr Speed epyc_thread{.vectors = 28.3,
                                   .reach = 2.5,
                                   .lncc = 25.4,
                                   .lncc_radius = 2.0,
                                   .mi = 31.5,
                                   .mse = 22.1,
                                   .gc = 20.4,
                                   .link = 10};

/// What an iteration takes for each voxel that a rank works on [ns].
double nanoseconds_of(const Speed& speed, const registration::DeformableStage& stage);

}  // namespace ffdp::cli
