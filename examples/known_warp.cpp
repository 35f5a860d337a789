// SPDX-License-Identifier: Apache-2.0
// Makes a brain and a warped copy of it, undoes the warp with the sampler, and measures how well.
#include <cmath>
#include <cstdio>
#include <exception>

#include "ffdp/core/field.hpp"
#include "ffdp/ops/jacobian/jacobian.hpp"
#include "ffdp/ops/sampler/sampler.hpp"
#include "ffdp/phantom/phantom.hpp"

namespace {

using namespace ffdp;

/// Correlation of two images over the voxels where both are there.
double correlation(const Field<float>& a, const Field<float>& b) {
  double n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double p = a.data()[i], q = b.data()[i];
    if (std::isnan(p) || std::isnan(q)) continue;
    n += 1;
    sa += p;
    sb += q;
    saa += p * p;
    sbb += q * q;
    sab += p * q;
  }
  return (n * sab - sa * sb) / std::sqrt((n * saa - sa * sa) * (n * sbb - sb * sb));
}

int run() {
  Grid grid;  // 2 mm voxels, LPS, z, y, x
  grid.size = {72, 94, 76};
  grid.spacing = {2, 2, 2};
  const Box domain = grid.domain();
  Context ctx;
  ctx.threads = 2;

  phantom::Phantom moving = phantom::fitted_to(grid, {});
  phantom::Phantom fixed = moving;
  fixed.warp_mm = 6;
  fixed.scan = 2;
  Field<float> fixed_image(Backend::cpu, domain), moving_image(Backend::cpu, domain);
  make_phantom(ctx, fixed, grid, domain, fixed_image, {});
  make_phantom(ctx, moving, grid, domain, moving_image, {});

  VectorField<float> d(Backend::cpu, domain);  // components x, y, z [mm]
  make_true_warp(ctx, fixed, moving, grid, domain, d);
  VectorField<float> u(Backend::cpu, domain);  // components z, y, x [voxels]
  for (int c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < domain.volume(); ++i)
      u.view()[c].data[i] = d.view()[2 - c].data[i] / static_cast<float>(grid.spacing[2 - c]);

  sampler::Params params;  // the identity between both grids
  params.displacement_map = params.map.linear;
  params.moving_domain = domain;
  Field<float> warped(Backend::cpu, domain);
  sampler::forward(ctx, params, domain, domain, moving_image, u, {}, warped);
  const auto folds = jacobian::statistics(ctx, domain, domain, u, {}).total();

  const double before = correlation(fixed_image, moving_image);
  const double after = correlation(fixed_image, warped);
  std::printf("correlation before %.3f, after %.3f; determinant %.2f to %.2f, %lld folds\n", before,
              after, folds.min, folds.max, static_cast<long long>(folds.folded));
  return after > 0.95 && after > before && folds.folded == 0 ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "known_warp: %s\n", error.what());
    return 1;
  }
}
