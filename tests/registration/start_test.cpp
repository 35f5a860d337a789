// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numbers>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/registration/images/pyramid.hpp"
#include "ffdp/registration/linear/maps.hpp"
#include "ffdp/registration/register.hpp"

/// Where a registration starts from: turns, masks, overlap.
namespace ffdp::registration {
namespace {

Grid centred(Int3 size, Vec3 spacing) {
  Grid grid;
  grid.size = size;
  grid.spacing = spacing;
  const Vec3 centre = grid.centre();
  grid.origin = {-centre[0], -centre[1], -centre[2]};
  return grid;
}

double norm(const Vec3& v) { return std::hypot(v[0], v[1], v[2]); }
Vec3 minus(const Vec3& a, const Vec3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
/// 1 inside, 0 outside; d is the distance to the edge [mm].
double soft(double d) { return 1 / (1 + std::exp(1.5 * d)); }
double blob(const Vec3& p, const Vec3& at, double square) {
  return std::exp(-std::pow(norm(minus(p, at)), 2) / square);
}

/// The image value(p) + noise * white noise, p in mm.
template <class T = float, class Value>
Image<T> image_of(const Grid& grid, double noise_size, std::uint32_t seed, Value&& value) {
  const Affine world = grid.to_world();
  return {grid, test::make_field<T>(grid.domain(), [&](int z, int y, int x) {
            const Vec3 p = world({double(z), double(y), double(x)});
            return value(p) + noise_size * static_cast<double>(noise(z, y, x, seed) - 0.5F);
          })};
}

Inputs inputs(Image<float> fixed, Image<float> moving) {
  Inputs in;
  in.fixed.push_back(std::move(fixed));
  in.moving.push_back(std::move(moving));
  in.fixed_names = {"fixed.nii"};
  in.moving_names = {"moving.nii"};
  return in;
}

Affine affine_of(const char* name, Inputs in) {
  Context ctx;
  ctx.threads = 1;
  dist::SoloComm comm;
  return register_images(ctx, comm, preset(name), std::move(in), nullptr).affine;
}

/// Mean distance between two maps over the points where weight(p) [mm].
template <class Where>
double apart(const Grid& grid, const Affine& a, const Affine& b, Where&& where) {
  double sum = 0, count = 0;
  const Affine world = grid.to_world();
  test::for_each_voxel(grid.domain(), [&](int z, int y, int x) {
    const Vec3 p = world({double(z), double(y), double(x)});
    if (!where(p)) return;
    sum += norm(minus(a(p), b(p)));
    ++count;
  });
  return sum / count;
}

using Shape = double (*)(const Vec3&);
struct Round {
  const char* name;
  Shape shape;
  double noise;
};
void PrintTo(const Round& r, std::ostream* out) { *out << r.name; }

class RoundObject : public testing::TestWithParam<Round> {};

TEST_P(RoundObject, IsNotTurnedWithoutNeed) {
  const Affine shift{Affine{}.linear, {-4, 3, 2}};
  const Grid fixed = centred({44, 56, 48}, {1.4, 1.3, 1.5});
  const Grid moving = centred({46, 54, 46}, {1.5, 1.4, 1.4});
  const auto& [name, shape, white] = GetParam();
  for (const char* preset : {"rigid", "affine"}) {
    const Affine got = affine_of(
        preset, inputs(image_of(fixed, white, 1, shape), image_of(moving, white, 2, [&](Vec3 p) {
                         return shape(minus(p, shift.translation));
                       })));
    EXPECT_LT(apart(fixed, got, shift, [](const Vec3& p) { return norm(p) < 20; }), 1.4) << preset;
  }
}
INSTANTIATE_TEST_SUITE_P(
    Shapes, RoundObject,
    testing::Values(
        Round{"ball", [](const Vec3& p) { return norm(p) < 20 ? 1.0 : 0.0; }, 0},
        Round{"noisy_ball", [](const Vec3& p) { return soft(norm(p) - 20); }, 0.2},
        // One solution only, but small beside the ball.
        Round{"embryo",
              [](const Vec3& p) {
                return soft(norm(p) - 20) + 0.3 * blob(p, {8, 5, 3}, 20) +
                       0.25 * blob(p, {-6, 9, -4}, 25);
              },
              0.1},
        Round{"cord",
              [](const Vec3& p) {
                return soft(std::max(std::hypot(p[0], p[1]) - 9, std::abs(p[2]) - 20));
              },
              0.1},
        Round{"pancake", [](const Vec3& p) { return soft(norm({p[0], p[1], 1.7 * p[2]}) - 20); },
              0.1},
        Round{"shell", [](const Vec3& p) { return soft(std::abs(norm(p) - 17) - 3); }, 0.1}),
    [](const auto& tested) { return std::string(tested.param.name); });

/// A head-like pattern without symmetry.
double pattern(const Vec3& p, int which) {
  double v = soft(norm({p[0], 0.9 * p[1], 1.2 * p[2]}) - 12);
  for (int k = 0; k < 6; ++k) {
    const auto at = [&](int c) { return 14 * (static_cast<double>(noise(k, c, which, 9)) - 0.5); };
    v += (k % 2 ? 0.7 : -0.5) * blob(p, {at(0), at(1), at(2)}, 9 + 3 * k);
  }
  return v;
}

Affine turn(double degrees, Vec3 from, Vec3 to) {
  const double a = degrees * std::numbers::pi / 180;
  Affine map;
  map.linear = {{{std::cos(a), -std::sin(a), 0}, {std::sin(a), std::cos(a), 0}, {0, 0, 1}}};
  const Vec3 turned = map(from);
  for (int i = 0; i < 3; ++i) map.translation[i] = to[i] - turned[i];
  return map;
}

TEST(Start, ATurnThatIsNeededIsTaken) {
  const Grid grid = centred({40, 44, 42}, {1, 1, 1});
  for (const double degrees : {20.0, 75.0, 130.0, 180.0}) {
    const Affine truth = turn(degrees, {0, 0, 0}, {3, -2, 1});
    const Affine back = inverse(truth);
    const Affine got = affine_of(
        "rigid", inputs(image_of(grid, 0.05, 1, [](Vec3 p) { return pattern(p, 1); }),
                        image_of(grid, 0.05, 2, [&](Vec3 p) { return pattern(back(p), 1); })));
    EXPECT_LT(apart(grid, got, truth, [](const Vec3& p) { return norm(p) < 12; }), 0.5) << degrees;
  }
}

/// Three arms, a third of a turn apart, that differ little.
double star(const Vec3& p) {
  double v = 0.8 * soft(norm(p) - 7);
  for (int k = 0; k < 3; ++k) {
    const double a = 2 * std::numbers::pi * k / 3;
    v += (1 - 0.05 * k) * blob(p, {11 * std::cos(a), 11 * std::sin(a), 2}, 18);
  }
  return v;
}

TEST(Start, OfSeveralOrientationsThatFitTheHeadersDecide) {
  const Grid grid = centred({36, 44, 44}, {1, 1, 1});
  const Affine back = inverse(turn(120, {0, 0, 0}, {2, -1, 1}));
  for (const char* name : {"rigid", "affine"}) {
    const Affine got =
        affine_of(name, inputs(image_of(grid, 0.02, 1, star),
                               image_of(grid, 0.02, 2, [&](Vec3 p) { return star(back(p)); })));
    EXPECT_LT(turn_between(got, Affine{}), far_turn) << name;
  }
}

TEST(Start, ATranslationDoesNotTurn) {
  const Grid grid = centred({40, 44, 42}, {1, 1, 1});
  const Affine back = inverse(turn(20, {0, 0, 0}, {3, -2, 1}));
  Config config = preset("rigid");
  for (LinearStage& stage : config.linear) stage.kind = LinearKind::translation;
  Context ctx;
  dist::SoloComm comm;
  const Affine got =
      register_images(ctx, comm, config,
                      inputs(image_of(grid, 0.05, 1, [](Vec3 p) { return pattern(p, 1); }),
                             image_of(grid, 0.05, 2, [&](Vec3 p) { return pattern(back(p), 1); })),
                      nullptr)
          .affine;
  EXPECT_EQ(got.linear, Affine{}.linear);
  EXPECT_LT(norm(minus(got.translation, {3, -2, 1})), 1.5);
}

/// A few wide, bright and dark places.
double clouds(const Vec3& p, int which) {
  double v = 0;
  for (int k = 0; k < 8; ++k) {
    const auto at = [&](int c) { return 36 * (static_cast<double>(noise(k, c, which, 9)) - 0.5); };
    v += (k % 2 ? 0.7 : -0.5) * blob(p, {at(0), at(1), at(2)}, 60);
  }
  return v;
}

TEST(Start, UnlikeImagesAreNotFlattened) {
  const Grid grid = centred({36, 40, 38}, {1, 1, 1});
  for (const int other : {2, 7, 8}) {
    Context ctx;
    ctx.threads = 1;
    dist::SoloComm comm;
    Config config = preset("affine");
    for (LinearStage& stage : config.linear) stage.metric = MetricConfig{.kind = MetricKind::mi};
    const Affine got =
        register_images(ctx, comm, config,
                        inputs(image_of(grid, 0.02, 1, [](Vec3 p) { return clouds(p, 1); }),
                               image_of(grid, 0.02, 2, [&](Vec3 p) { return clouds(p, other); })),
                        nullptr)
            .affine;
    double squares = 0;  // of the reciprocal stretches of the three axes
    for (const auto& row : inverse(got).linear)
      for (const double value : row) squares += value * value;
    EXPECT_LT(squares, 6) << other;
  }
}

/// Two objects; the first one moves from one side to the other, the second one the other way.
struct Exchange {
  Grid grid = centred({36, 40, 64}, {1.2, 1.2, 1.2});
  Vec3 here{-20, 0, 0}, there{18, 4, 3};
  Affine truth = turn(7, here, there);

  Image<float> fixed() const {
    return image_of(grid, 0.03, 1, [&](Vec3 p) {
      return pattern(minus(p, here), 1) + pattern(minus(p, {19, -3, 0}), 2);
    });
  }
  Image<float> moving() const {
    const Affine back = inverse(truth);
    return image_of(grid, 0.03, 2, [&](Vec3 p) {
      return pattern(minus(back(p), here), 1) + pattern(minus(p, {-20, -3, 0}), 2);
    });
  }
  Image<std::uint8_t> mask(const Vec3& at) const {
    return image_of<std::uint8_t>(grid, 0, 0,
                                  [&](Vec3 p) { return norm(minus(p, at)) < 16 ? 1 : 0; });
  }
  double error(const Affine& got) const {
    return apart(grid, got, truth, [&](const Vec3& p) { return norm(minus(p, here)) < 12; });
  }
};

TEST(Start, MasksOfBothImagesSetIt) {
  const Exchange e;
  Inputs in = inputs(e.fixed(), e.moving());
  in.fixed_mask = e.mask(e.here);
  in.moving_mask = e.mask(e.there);
  EXPECT_LT(e.error(affine_of("rigid", std::move(in))), 0.6);
}

TEST(Start, WithoutOverlapIsAnError) {
  const auto refused = [](Inputs in, const char* preset_name, Initialization start) {
    Context ctx;
    dist::SoloComm comm;
    Config config = preset(preset_name);
    config.initialization = start;
    try {
      register_images(ctx, comm, config, std::move(in), nullptr);
    } catch (const InvalidArgument& error) {
      return std::string(error.what()).find("overlap") != std::string::npos;
    }
    return false;
  };
  const Exchange e;
  const auto masked = [&] {
    Inputs in = inputs(e.fixed(), e.moving());
    in.fixed_mask = e.mask(e.here);
    in.moving_mask = e.mask(e.there);
    return in;
  };
  EXPECT_TRUE(refused(masked(), "rigid", Initialization::identity));
  EXPECT_TRUE(refused(masked(), "default", Initialization::geometric_centre));
  Inputs given = masked();
  given.start = Affine{};
  EXPECT_TRUE(refused(std::move(given), "affine", Initialization::automatic));
  Inputs far = inputs(e.fixed(), e.moving());
  far.moving[0].grid.origin[1] += 500;
  EXPECT_TRUE(refused(std::move(far), "rigid", Initialization::identity));
}

/// A bent cord in a body.
double body(const Vec3& p) {
  const double bend = 4 * std::sin(p[2] / 30);
  const auto ellipse = [&](double u, double v, double a, double b) {
    return soft(6 * (std::hypot((p[0] - u) / a, (p[1] - v) / b) - 1));
  };
  double v = 80 * ellipse(0, 0, 60, 45) + 60 * ellipse(bend, -10, 9, 8) -
             50 * ellipse(bend, -10, 6, 4.5) + 40 * ellipse(bend, 18, 16, 12);
  for (int k = 0; k < 6; ++k) v += 30 * blob(p, {45.0 - 18 * k, 8.0 * k - 25, 12.0 * k - 30}, 120);
  return v;
}

TEST(Start, ThinMasksCount) {
  const Grid grid = centred({28, 60, 64}, {2.4, 2.4, 3});
  const Affine truth = turn(3, {0, 0, 0}, {3, -2, 4});
  const Affine back = inverse(truth);
  const auto cord = [](const Vec3& p) {
    return std::hypot((p[0] - 4 * std::sin(p[2] / 30)) / 6, (p[1] + 10) / 4.5) < 1;
  };
  const auto skin = [](const Vec3& p) {
    return std::abs(std::hypot(p[0] / 60, p[1] / 45) - 1) < 0.04;
  };
  for (const bool thin : {true, false}) {
    const auto inside = [&](const Vec3& p) { return thin ? cord(p) : skin(p); };
    Inputs in = inputs(image_of(grid, 2, 1, body),
                       image_of(grid, 2, 2, [&](Vec3 p) { return body(back(p)); }));
    in.fixed_mask = image_of<std::uint8_t>(grid, 0, 0, [&](Vec3 p) { return inside(p) ? 1 : 0; });
    EXPECT_LT(apart(grid, affine_of("rigid", std::move(in)), truth, inside), 2.4)
        << (thin ? "cord" : "skin");
  }
}

TEST(Pyramid, AMaskNeverVanishesAndKeepsItsVolume) {
  const Grid grid = centred({48, 48, 48}, {1, 1, 1});
  const auto flat = image_of(grid, 0, 0, [](Vec3 p) { return p[0]; });
  Context ctx;
  dist::SoloComm solo;
  for (const double half : {0.6, 1.5, 4.0, 12.0}) {
    const auto sheet = image_of<std::uint8_t>(
        grid, 0, 0, [&](Vec3 p) { return std::abs(p[1] - 0.3) < half ? 1 : 0; });
    double full = 0;
    for (const std::uint8_t m : sheet.data) full += m;
    for (const double spacing : {2.0, 4.0, 8.0}) {
      const Grid level = level_grid(grid, spacing, 4);
      const MaskedImage small = shrink_to(ctx, solo, flat, sheet, level);
      double kept = 0;
      for (const std::uint8_t m : small.mask.data) kept += m;
      const double share = kept * std::pow(48.0 / level.size[0], 3) / full;
      EXPECT_GT(share, 0.49) << half << " at " << spacing;
      EXPECT_LT(share, 48 / level.size[0] / half + 1) << half << " at " << spacing;
    }
  }
}

}  // namespace
}  // namespace ffdp::registration
