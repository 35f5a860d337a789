// SPDX-License-Identifier: Apache-2.0
#include "ffdp/phantom/phantom.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "ffdp/core/error.hpp"
#include "ffdp/core/noise.hpp"
#include "ffdp/core/parallel.hpp"
#include "ffdp/phantom/anatomy.hpp"

namespace ffdp::phantom {
namespace {

/// d(p) = sum of four shear and swell waves; the sum of |amplitude| |wave vector| bounds its
/// derivative, so below 1 the warp p + d(p) is a diffeomorphism.
struct TrueWarp {
  std::array<Wave, 4> waves;
  std::array<std::array<float, 3>, 4> amplitude;  ///< [mm]

  explicit TrueWarp(const Phantom& p) {
    Draws draws(p.warp * 104729U + 5U);
    const auto size = static_cast<float>(p.scale);
    double bound = 0;
    for (std::size_t j = 0; j < waves.size(); ++j) {
      waves[j] = draws.wave(100 * size, 150 * size);
      const Wave direction = draws.wave(1, 1);  // a random unit vector
      const auto length = static_cast<float>(0.5 * p.warp_mm);
      amplitude[j] = {length * direction.kx, length * direction.ky, length * direction.kz};
      const Wave& w = waves[j];
      bound += length * 2 * std::numbers::pi *
               std::sqrt(static_cast<double>(w.kx * w.kx + w.ky * w.ky + w.kz * w.kz));
      shift_phase(waves[j], p.centre);
    }
    if (!(bound < 0.98))
      throw InvalidArgument("phantom: warp strength " + std::to_string(p.warp_mm) +
                            " mm, at most " + std::to_string(0.98 * p.warp_mm / bound) +
                            " mm keeps this warp free of folds");
  }

  /// The waves are meant about `centre`, so that a moved brain has the same warp.
  static void shift_phase(Wave& w, const Vec3& centre) {
    w.phase -= static_cast<float>(w.kx * centre[0] + w.ky * centre[1] + w.kz * centre[2]);
  }

  void operator()(float x, float y, float z, float& dx, float& dy, float& dz) const {
    dx = dy = dz = 0;
    for (std::size_t j = 0; j < waves.size(); ++j) {
      const float s = waves[j](x, y, z);
      dx += amplitude[j][0] * s;
      dy += amplitude[j][1] * s;
      dz += amplitude[j][2] * s;
    }
  }
};

/// World points (LPS mm) of the voxels of one row.
struct Row {
  std::array<float, 3> first;  ///< at x = 0
  std::array<float, 3> step;

  Row(const Affine& to_world, int z, int y) {
    const Vec3 p = to_world({static_cast<double>(z), static_cast<double>(y), 0});
    for (int c = 0; c < 3; ++c) {
      first[c] = static_cast<float>(p[c]);
      step[c] = static_cast<float>(to_world.linear[c][2]);
    }
  }
};

/// pose^-1, then centred and scaled: world point to millimetres of the anatomy.
std::array<std::array<float, 4>, 3> to_anatomy(const Phantom& p) {
  const Affine back = inverse(p.pose);
  std::array<std::array<float, 4>, 3> m{};
  for (int c = 0; c < 3; ++c) {
    for (int k = 0; k < 3; ++k) m[c][k] = static_cast<float>(back.linear[c][k] / p.scale);
    m[c][3] = static_cast<float>((back.translation[c] - p.centre[c]) / p.scale);
  }
  return m;
}

/// Receive field: 1 plus a quadratic of the normalised position, different for each scan.
struct Bias {
  std::array<float, 9> c;

  explicit Bias(const Phantom& p) {
    Draws draws(p.scan * 31337U + 3U);
    const auto a = static_cast<float>(p.bias);
    for (float& value : c) value = draws.between(-a, a);
  }
  float operator()(float x, float y, float z) const {
    x /= 80;
    y /= 80;
    z /= 80;
    return 1 + c[0] * x + c[1] * y + c[2] * z +
           0.5F * (c[3] * x * x + c[4] * y * y + c[5] * z * z) +
           0.5F * (c[6] * x * y + c[7] * y * z + c[8] * z * x);
  }
};

/// About normal, mean 0 and variance 1: the sum of the four bytes of a hash.
inline float bell(std::uint32_t bits) {
  const auto sum = (bits & 255U) + ((bits >> 8) & 255U) + ((bits >> 16) & 255U) + (bits >> 24);
  return (static_cast<float>(static_cast<int>(sum)) - 510.0F) * (1 / 147.8F);
}

void require_box(const Grid& grid, const Box& compute) {
  require(!compute.empty() && grid.domain().contains(compute),
          "phantom: compute is " + to_string(compute) + ", must be a non-empty part of " +
              to_string(grid.domain()));
}

}  // namespace

Contrast contrast_from(std::string_view name) {
  if (name == "t1") return Contrast::t1;
  if (name == "t2") return Contrast::t2;
  if (name == "flash") return Contrast::flash;
  throw InvalidArgument("phantom: contrast " + std::string(name) + ", must be t1, t2 or flash");
}

Phantom fitted_to(const Grid& grid, Phantom phantom) {
  constexpr Vec3 room{150, 188, 148};  // of an adult brain with some air about it [mm]
  phantom.centre = grid.centre();
  phantom.scale = 0;
  for (int c = 0; c < 3; ++c) {
    // A slice has no extent worth fitting along its normal.
    double reach = 0;
    for (int axis = 0; axis < 3; ++axis)
      if (grid.size[2 - axis] > 1)
        reach += std::abs(grid.direction[c][axis]) * grid.spacing[axis] * grid.size[2 - axis];
    if (reach <= 0) continue;
    const double scale = reach / room[c];
    phantom.scale = phantom.scale > 0 ? std::min(phantom.scale, scale) : scale;
  }
  if (!(phantom.scale > 0)) phantom.scale = 1;
  return phantom;
}

void make_phantom(Context& ctx, const Phantom& options, const Grid& grid, const Box& compute,
                  const View<float>& image, const View<std::uint8_t>& labels) {
  require_box(grid, compute);
  const phantom::Anatomy anatomy(options.subject, options.contrast);
  const TrueWarp warp(options);
  const Bias bias(options);
  const Affine to_world = grid.to_world();
  const auto m = to_anatomy(options);
  const double smallest = *std::min_element(grid.spacing.begin(), grid.spacing.end());
  const auto voxel = static_cast<float>(std::max(smallest / options.scale, 0.05));
  const auto noise_level = static_cast<float>(options.noise * 0.9);
  const std::uint32_t noise_seed = options.scan * 2654435761U + 1U;

  parallel_for(ctx, std::int64_t{compute.size(0)} * compute.size(1), [&](std::int64_t row, int) {
    const int z = compute.lo[0] + static_cast<int>(row / compute.size(1));
    const int y = compute.lo[1] + static_cast<int>(row % compute.size(1));
    const Row world(to_world, z, y);
    Block b;
    for (int x0 = compute.lo[2]; x0 < compute.hi[2]; x0 += Block::size) {
#pragma omp simd
      for (int i = 0; i < Block::size; ++i) {
        const auto t = static_cast<float>(x0 + i);
        float p[3];
        for (int c = 0; c < 3; ++c) p[c] = world.first[c] + t * world.step[c];
        float dx = 0, dy = 0, dz = 0;
        warp(p[0], p[1], p[2], dx, dy, dz);
        const float qx = p[0] + dx, qy = p[1] + dy, qz = p[2] + dz;
        b.x[i] = m[0][0] * qx + m[0][1] * qy + m[0][2] * qz + m[0][3];
        b.y[i] = m[1][0] * qx + m[1][1] * qy + m[1][2] * qz + m[1][3];
        b.z[i] = m[2][0] * qx + m[2][1] * qy + m[2][2] * qz + m[2][3];
      }
      anatomy.paint(b, voxel);
      const int n = std::min(Block::size, compute.hi[2] - x0);
      if (labels)
        for (int i = 0; i < n; ++i)
          labels.row(z, y)[x0 + i] = static_cast<std::uint8_t>(b.label[i]);
      if (!image) continue;
      float* const out = image.row(z, y) + x0;
#pragma omp simd
      for (int i = 0; i < n; ++i) {
        const float grain = bell(noise_bits(z, y, x0 + i, noise_seed)) * noise_level * b.head[i];
        out[i] = 1000 * std::abs(b.value[i] * bias(b.x[i], b.y[i], b.z[i]) + grain);
      }
    }
  });
}

void make_true_warp(Context& ctx, const Phantom& fixed, const Phantom& moving, const Grid& grid,
                    const Box& compute, const VectorView<float>& warp) {
  require_box(grid, compute);
  const TrueWarp displacement(fixed);
  const Affine to_world = grid.to_world();
  const Affine pose = moving.pose * inverse(fixed.pose);
  float m[3][4];
  for (int c = 0; c < 3; ++c) {
    for (int k = 0; k < 3; ++k) m[c][k] = static_cast<float>(pose.linear[c][k] - (c == k ? 1 : 0));
    m[c][3] = static_cast<float>(pose.translation[c]);
  }
  parallel_for(ctx, std::int64_t{compute.size(0)} * compute.size(1), [&](std::int64_t row, int) {
    const int z = compute.lo[0] + static_cast<int>(row / compute.size(1));
    const int y = compute.lo[1] + static_cast<int>(row % compute.size(1));
    const Row world(to_world, z, y);
    float* out[3];
    for (int c = 0; c < 3; ++c) out[c] = warp[c].row(z, y);
#pragma omp simd
    for (int x = compute.lo[2]; x < compute.hi[2]; ++x) {
      const auto t = static_cast<float>(x);
      float p[3], d[3];
      for (int c = 0; c < 3; ++c) p[c] = world.first[c] + t * world.step[c];
      displacement(p[0], p[1], p[2], d[0], d[1], d[2]);
      for (int c = 0; c < 3; ++c) {
        float sum = d[c] + m[c][3];
        for (int k = 0; k < 3; ++k) sum += m[c][k] * (p[k] + d[k]);
        out[c][x] = sum;
      }
    }
  });
}

std::vector<PhantomLabel> phantom_labels() {
  return {{2, "left white matter"},
          {3, "left cortex"},
          {4, "left lateral ventricle"},
          {7, "left cerebellum white matter"},
          {8, "left cerebellum cortex"},
          {10, "left thalamus"},
          {11, "left caudate"},
          {12, "left putamen"},
          {13, "left pallidum"},
          {14, "third ventricle"},
          {15, "fourth ventricle"},
          {16, "brain stem"},
          {17, "left hippocampus"},
          {18, "left amygdala"},
          {24, "cerebrospinal fluid"},
          {41, "right white matter"},
          {42, "right cortex"},
          {43, "right lateral ventricle"},
          {46, "right cerebellum white matter"},
          {47, "right cerebellum cortex"},
          {49, "right thalamus"},
          {50, "right caudate"},
          {51, "right putamen"},
          {52, "right pallidum"},
          {53, "right hippocampus"},
          {54, "right amygdala"},
          {192, "corpus callosum"}};
}

}  // namespace ffdp::phantom
