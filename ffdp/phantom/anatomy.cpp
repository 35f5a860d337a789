// SPDX-License-Identifier: Apache-2.0
#include "ffdp/phantom/anatomy.hpp"

namespace ffdp::phantom {
namespace {

enum Tissue {
  csf,
  grey,
  white,
  thin_grey,
  thalamus,
  caudate,
  putamen,
  pallidum,
  hippocampus,
  stem
};

/// Intensity by contrast and tissue [1].
constexpr float intensity[3][10] = {
    {0.18F, 0.58F, 0.90F, 0.55F, 0.74F, 0.63F, 0.66F, 0.79F, 0.58F, 0.80F},
    {1.00F, 0.56F, 0.36F, 0.58F, 0.47F, 0.52F, 0.50F, 0.30F, 0.58F, 0.40F},
    {0.32F, 0.85F, 0.50F, 0.82F, 0.66F, 0.80F, 0.78F, 0.42F, 0.86F, 0.52F},
};

/// Puts `value` and the label of the side over the block where depth(|x|, y, z) > 0.
template <class Depth>
void paint_over(Block& b, float voxel, float value, int left, int right, const Depth& depth) {
  const float sharpness = 1 / voxel;
#pragma omp simd
  for (int i = 0; i < Block::size; ++i) {
    const float d = depth(std::abs(b.x[i]), b.y[i], b.z[i]);
    const float share = std::min(1.0F, std::max(0.0F, 0.5F + d * sharpness));
    b.value[i] += share * (value - b.value[i]);
    const int side = b.x[i] > 0 ? left : right;
    b.label[i] = d > 0 ? side : b.label[i];
  }
}

float larger(float a, float b) { return a > b ? a : b; }
float smaller(float a, float b) { return a < b ? a : b; }

constexpr Ellipsoid cerebrum{0, 0, 8, 66, 84, 56};
constexpr Ellipsoid cerebrum_base{0, 0, 8, 66, 84, 31};
constexpr Ellipsoid temporal{41, -10, -23, 24, 42, 21, 0.1F};
constexpr Ellipsoid core{0, 4, 2, 26, 38, 23};
constexpr Ellipsoid cerebellum{20, 46, -38, 31, 29, 21};
constexpr Ellipsoid vermis{0, 44, -37, 10, 25, 20};
constexpr Rod brain_stem{0, 9, -10, 12, 0, 22, -62, 8};
constexpr Ellipsoid pons{0, 4, -31, 15, 12, 13};

float cerebrum_depth(float x, float y, float z) {
  const float main = z > cerebrum.cz ? cerebrum(x, y, z) : cerebrum_base(x, y, z);
  return larger(main, temporal(x, y, z));
}

float cerebellum_depth(float x, float y, float z) {
  return larger(cerebellum(x, y, z), vermis(x, y, z));
}

float stem_depth(float x, float y, float z) { return larger(brain_stem(x, y, z), pons(x, y, z)); }

}  // namespace

Anatomy::Anatomy(std::uint32_t subject, Contrast contrast) : contrast_(contrast) {
  Draws draws(subject * 7919U + 17U);
  for (Wave& wave : folds_) wave = draws.wave(18, 23);
  for (float& shift : side_shift_) shift = draws.between(-0.12F, 0.12F);
  sulcal_depth_ = draws.wave(60, 90);
  for (Wave& wave : texture_) wave = draws.wave(9, 14);
  folia_bend_ = draws.wave(40, 60);
  nuclei_ = draws.between(0.93F, 1.07F);
  ventricles_ = draws.between(0.8F, 1.25F);
  thickness_ = draws.between(2.6F, 3.1F);
}

void Anatomy::paint(Block& b, float voxel) const {
  float inside = 0;
  for (int i = 0; i < Block::size; ++i) {
    const float x = std::abs(b.x[i]), y = b.y[i], z = b.z[i];
    const bool cerebral = x * x / (71 * 71) + y * y / (89 * 89) + (z - 8) * (z - 8) / (61 * 61) < 1;
    const bool low = x < 70 && y > -60 && y < 80 && z > -74 && z < 8;
    inside = larger(inside, cerebral || low ? 1.0F : 0.0F);
    b.value[i] = b.head[i] = 0;
    b.label[i] = 0;
  }
  if (inside == 0) return;
  const auto head = [](float x, float y, float z) {
    return 2.2F +
           larger(larger(cerebrum_depth(x, y, z), cerebellum_depth(x, y, z)), stem_depth(x, y, z));
  };
  paint_over(b, voxel, 1, 24, 24, head);
  std::copy(b.value, b.value + Block::size, b.head);
  for (float& value : b.value) value *= intensity[static_cast<int>(contrast_)][csf];
  paint_cerebrum(b, voxel);
  paint_cerebellum(b, voxel);
  paint_inside(b, voxel);
  paint_texture(b);
}

void Anatomy::paint_cerebrum(Block& b, float voxel) const {
  const float* tissue = intensity[static_cast<int>(contrast_)];
  alignas(64) float pial[Block::size];  // depth below the folded surface [mm]
#pragma omp simd
  for (int i = 0; i < Block::size; ++i) {
    const float x = std::abs(b.x[i]), y = b.y[i], z = b.z[i];
    const float medial = larger(x - 0.7F, core(x, y, z));
    const float depth = smaller(cerebrum_depth(x, y, z), medial);
    // Folds are sheets of a band-limited random field, taken on the hull so that they stand on it.
    constexpr float cx = 27, cy = 2, cz = 6, ax = 37, ay = 82, az = 52;
    const float ux = (x - cx) / ax, uy = (y - cy) / ay, uz = (z - cz) / az;
    const float r = 1 / (std::sqrt(ux * ux + uy * uy + uz * uz) + 1e-3F);
    const float lift = 0.65F * r + 0.35F;  // the rest follows the point, which bends the sheets
    const float hx = ux * lift * ax, hy = uy * lift * ay, hz = uz * lift * az;
    const float side = b.x[i] > 0 ? 1.0F : -1.0F;
    float field = 0;
    for (std::size_t j = 0; j < folds_.size(); ++j) {
      const Wave& w = folds_[j];
      field += sin_turns(w.kx * hx + w.ky * hy + w.kz * hz + w.phase + side * side_shift_[j]);
    }
    const float to_sheet = 1.7F * std::abs(field);  // [mm], for the field's slope is about 0.6/mm
    const float bottom = 13.5F + 5.5F * sulcal_depth_(hx, hy, hz);
    const float below = larger(0.0F, depth - bottom);
    const float to_sulcus = std::sqrt(to_sheet * to_sheet + below * below) - 0.8F;
    pial[i] = smaller(depth, to_sulcus);
  }
  const auto layer = [&](float value, int left, int right, float offset) {
    const float sharpness = 1 / voxel;
#pragma omp simd
    for (int i = 0; i < Block::size; ++i) {
      const float d = pial[i] - offset;
      const float share = std::min(1.0F, std::max(0.0F, 0.5F + d * sharpness));
      b.value[i] += share * (value - b.value[i]);
      const int side = b.x[i] > 0 ? left : right;
      b.label[i] = d > 0 ? side : b.label[i];
    }
  };
  layer(tissue[grey], 3, 42, 0);
  layer(tissue[white], 2, 41, thickness_);
}

void Anatomy::paint_cerebellum(Block& b, float voxel) const {
  const float* tissue = intensity[static_cast<int>(contrast_)];
  const auto folia = [this](float x, float y, float z) {
    const float height = (z + 38) / (1 + 0.02F * larger(0.0F, y - 20));
    return sin_turns(height / 6.5F + 0.7F * folia_bend_(x, y, z));
  };
  paint_over(b, voxel, tissue[thin_grey], 8, 47, [&](float x, float y, float z) {
    const float d = cerebellum_depth(x, y, z);
    const float furrow = larger(0.0F, folia(x, y, z) - 0.75F) * 14;
    return d - smaller(furrow, 3.5F);
  });
  paint_over(b, voxel, tissue[white], 7, 46, [&](float x, float y, float z) {
    return cerebellum_depth(x, y, z) - 8 - 5 * folia(x, y, z);
  });
  paint_over(b, voxel, tissue[stem], 16, 16, stem_depth);
}

void Anatomy::paint_inside(Block& b, float voxel) const {
  const float* tissue = intensity[static_cast<int>(contrast_)];
  const float n = nuclei_, v = ventricles_;
  const auto callosum = [](float x, float y, float z) {
    const float uy = (y - 3) / 37, uz = (z - 0) / 23;
    const float r = std::sqrt(uy * uy + uz * uz) + 1e-3F;
    const float arc = 3.0F - 23 * std::abs(r - 1);
    return smaller(smaller(arc, 0.5F * (16 - x)), z - 2 + 0.2F * y);
  };
  paint_over(b, voxel, tissue[white], 192, 192, callosum);
  paint_over(b, voxel, tissue[thalamus], 10, 49,
             Ellipsoid{11, 10, 2, 8.5F * n, 14 * n, 8.5F * n, 0.2F});
  const Rod caudate_head{13, -20, 5, 6.5F * n, 16, -4, 16, 4 * n};
  const Rod caudate_body{16, -4, 16, 4 * n, 23, 20, 17, 2.2F};
  paint_over(b, voxel, tissue[caudate], 11, 50, [&](float x, float y, float z) {
    return larger(caudate_head(x, y, z), caudate_body(x, y, z));
  });
  paint_over(b, voxel, tissue[putamen], 12, 51, Ellipsoid{27, -2, 0, 6 * n, 16 * n, 10 * n, 0.18F});
  paint_over(b, voxel, tissue[pallidum], 13, 52,
             Ellipsoid{19.5F, 0, -1, 3.8F * n, 9 * n, 6.5F * n, 0.22F});
  const Rod hippocampus_rod{25, 6, -21, 5.5F * n, 28, 30, -8, 3.6F * n};
  paint_over(b, voxel, tissue[hippocampus], 17, 53, hippocampus_rod);
  paint_over(b, voxel, tissue[hippocampus], 18, 54, Ellipsoid{23, -5, -21, 7 * n, 7 * n, 7 * n});
  const Rod frontal_horn{7, -29, 7, 4 * v, 9, 0, 19, 4.2F * v};
  const Rod body{9, 0, 19, 4.2F * v, 22, 30, 12, 5.5F * v};
  const Rod occipital_horn{22, 30, 12, 5.5F * v, 24, 50, 4, 2 * v};
  const Rod temporal_horn{22, 30, 12, 4 * v, 33, 8, -17, 1.4F * v};
  paint_over(b, voxel, tissue[csf], 4, 43, [&](float x, float y, float z) {
    const float upper = larger(frontal_horn(x, y, z), body(x, y, z));
    const float horns = larger(occipital_horn(x, y, z), temporal_horn(x, y, z));
    return smaller(larger(upper, horns), x - 1.3F);
  });
  paint_over(b, voxel, tissue[csf], 14, 14, Ellipsoid{0, 6, 0, 2 * v, 13, 9});
  paint_over(b, voxel, tissue[csf], 15, 15, Ellipsoid{0, 27, -36, 6 * v, 4 * v, 9});
}

void Anatomy::paint_texture(Block& b) const {
#pragma omp simd
  for (int i = 0; i < Block::size; ++i) {
    const float x = b.x[i], y = b.y[i], z = b.z[i];
    b.value[i] *=
        1 + 0.04F * texture_[0](x, y, z) * texture_[1](x, y, z) + 0.02F * texture_[2](x, y, z);
  }
}

}  // namespace ffdp::phantom
