// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ffdp/core/noise.hpp"

/// Arithmetic of the phantom. It has no branches, so that loops over voxels become vector code.
namespace ffdp::phantom {

/// sin(2 pi t) to 2e-4 for |t| < 2^21.
inline float sin_turns(float t) {
  constexpr float magic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to whole turns
  t -= (t + magic) - magic;
  t = std::abs(t) > 0.25F ? std::copysign(0.5F, t) - t : t;
  const float s = t * t;
  return t * (6.2831853F + s * (-41.341702F + s * (81.605249F + s * -76.70586F)));
}

/// sin(2 pi (kx x + ky y + kz z + phase)).
struct Wave {
  float kx, ky, kz;  ///< [turns / mm]
  float phase;       ///< [turns]

  float operator()(float x, float y, float z) const {
    return sin_turns(kx * x + ky * y + kz * z + phase);
  }
};

/// A sequence of uniform random numbers.
class Draws {
 public:
  explicit Draws(std::uint32_t seed) : seed_(seed) {}
  float between(float lo, float hi) { return lo + (hi - lo) * noise(0, 0, next_++, seed_); }
  /// A wave of random direction and phase.
  Wave wave(float shortest_mm, float longest_mm) {
    const float cz = between(-1, 1), turn = between(0, 1);
    const float k = 1 / between(shortest_mm, longest_mm);
    const float r = std::sqrt(1 - cz * cz) * k;
    return {r * sin_turns(turn), r * sin_turns(turn + 0.25F), cz * k, between(0, 1)};
  }

 private:
  std::uint32_t seed_;
  int next_ = 0;
};

/// Depth below the surface [mm], negative outside; first order, exact at the surface.
struct Ellipsoid {
  float cx, cy, cz;  ///< centre [mm]
  float ax, ay, az;  ///< semi-axes [mm]
  float lean = 0;    ///< how far x moves per mm of y [1]

  float operator()(float x, float y, float z) const {
    const float ix = 1 / ax, iy = 1 / ay, iz = 1 / az;
    const float ux = (x - cx - lean * (y - cy)) * ix, uy = (y - cy) * iy, uz = (z - cz) * iz;
    const float gx = ux * ix, gy = uy * iy, gz = uz * iz;
    return (1 - (ux * ux + uy * uy + uz * uz)) /
           (2 * std::sqrt(gx * gx + gy * gy + gz * gz) + 1e-6F);
  }
};

/// Depth below the surface of a rod with round ends and changing radius [mm].
struct Rod {
  float px, py, pz, pr;  ///< one end and its radius [mm]
  float qx, qy, qz, qr;  ///< the other

  float operator()(float x, float y, float z) const {
    const float bx = qx - px, by = qy - py, bz = qz - pz;
    const float dx = x - px, dy = y - py, dz = z - pz;
    const float along = (dx * bx + dy * by + dz * bz) / (bx * bx + by * by + bz * bz);
    const float t = std::min(1.0F, std::max(0.0F, along));
    const float ex = dx - t * bx, ey = dy - t * by, ez = dz - t * bz;
    return pr + t * (qr - pr) - std::sqrt(ex * ex + ey * ey + ez * ez);
  }
};

}  // namespace ffdp::phantom
