// SPDX-License-Identifier: Apache-2.0
// Whole registrations on both backends: the same map, and the same bits at two runs on the device.
#include "ffdp/core/device.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/compare.hpp"
#include "tests/support/device.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/grids.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/phantom/phantom.hpp"
#include "ffdp/registration/linear/linear.hpp"
#include "ffdp/registration/register.hpp"

namespace ffdp::registration {
namespace {

using phantom::Phantom;
using transforms::inverse_warp;
using transforms::repair_folds;
using transforms::to_world;
struct Case {
  std::string name;
  std::function<void(Config&)> change;
  std::string preset = "default";
  bool linear_stages = false;  ///< otherwise it starts from the pose
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

using test::brain_grid;

const Affine pose{{{{0.995, -0.0998, 0}, {0.0998, 0.995, 0}, {0, 0, 1}}}, {5, -3, 4}};

/// A slice stays in its plane.
Affine pose_of(const Grid& grid) {
  Affine p = pose;
  if (grid.size[0] == 1) p.translation[2] = 0;
  return p;
}

/// A phantom brain and the same one, warped and posed; with masks.
Inputs inputs(const Grid& grid, bool masked) {
  Context ctx;
  Phantom fixed = phantom::fitted_to(grid, {}), moving = fixed;
  fixed.warp_mm = 8;
  moving.scan = 2;
  moving.pose = pose_of(grid);
  Inputs in;
  const auto make = [&](const Phantom& phantom) {
    Image<float> image{grid, Field<float>(Backend::cpu, grid.domain())};
    phantom::make_phantom(ctx, phantom, grid, grid.domain(), image.data, {});
    return image;
  };
  in.fixed.push_back(make(fixed));
  in.moving.push_back(make(moving));
  in.fixed_names = {"fixed"};
  in.moving_names = {"moving"};
  const auto mask = [&](int margin) {
    const Box inside = grow(grid.domain(), -margin);
    return Image<std::uint8_t>{
        grid, test::make_field<std::uint8_t>(grid.domain(), [&](int z, int y, int x) {
          return inside.contains(z, y, x) ? 1 : 0;
        })};
  };
  if (masked) {
    in.fixed_mask = mask(2);
    in.moving_mask = mask(1);
  }
  return in;
}

struct Outcome {
  Affine affine;
  VectorField<float> displacement, inverse;  // on the host
};

class Device : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { test::has_device(); }

  static Grid case_grid() {
    Grid grid = brain_grid();
    if (GetParam().name != "slice") return grid;
    grid.size[0] = 1;
    grid.origin[2] = 0;
    return grid;
  }

  static Outcome run(const Config& config, Backend backend, bool masked) {
    Context ctx;
    ctx.backend = backend;
    ctx.threads = 2;
    const Stream stream(backend);
    ctx.stream = stream.get();
    dist::SoloComm comm;
    Inputs in = inputs(case_grid(), masked);
    if (config.linear.empty()) in.start = pose_of(case_grid());
    Result result = register_images(ctx, comm, config, std::move(in), nullptr);
    Outcome outcome{result.affine, {}, {}};
    if (!result.displacement.empty()) {
      EXPECT_EQ(result.displacement.backend(), backend);
      outcome.displacement = copy_to(ctx, Backend::cpu, result.displacement);
      outcome.inverse = copy_to(ctx, Backend::cpu, result.inverse);
    }
    return outcome;
  }

  /// Distance of where both send the voxels of the grid [voxels].
  struct Distance {
    double mean = 0, largest = 0;
  };
  static Distance distance(const Grid& grid, const Outcome& a, const Outcome& b) {
    const Affine world = grid.to_world(), index = grid.to_index();
    const auto mapped = [&](const Outcome& o, int z, int y, int x) {
      Vec3 at{static_cast<double>(z), static_cast<double>(y), static_cast<double>(x)};
      for (int c = 0; c < 3 && !o.displacement.empty(); ++c)
        at[c] += static_cast<double>(o.displacement.view()[c](z, y, x));
      return index(o.affine(world(at)));
    };
    Distance d;
    test::for_each_voxel(grid.domain(), [&](int z, int y, int x) {
      const Vec3 p = mapped(a, z, y, x), q = mapped(b, z, y, x);
      const double here = std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
      d.mean += here / static_cast<double>(grid.domain().volume());
      d.largest = std::max(d.largest, here);
    });
    return d;
  }
};

void set_metric(Config& config, MetricKind kind) {
  config.deformable[0].metrics[0].kind = kind;
  use_global_metrics(config);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Device,
    testing::Values(Case{"deformable", {}}, Case{"deformable_fast", {}, "fast"},
                    Case{"all_stages", {}, "default", true}, Case{"affine", {}, "affine", true},
                    Case{"mi", [](Config& c) { set_metric(c, MetricKind::mi); }},
                    Case{"mse", [](Config& c) { set_metric(c, MetricKind::mse); }},
                    Case{"gc", [](Config& c) { set_metric(c, MetricKind::gc); }}, Case{"slice", {}},
                    Case{"splines",
                         [](Config& c) {
                           c.deformable[0].knots_update = {{3, 3, 3}};
                           c.deformable[0].knots_warp = {{1.5, 1.5, 1.5}};
                         }},
                    Case{"symmetric",
                         [](Config& c) {
                           c.symmetric = true;
                           c.refine = 3;
                         }},
                    Case{"prepared_and_masked",
                         [](Config& c) {
                           c.winsorize_lo = 0.01;
                           c.winsorize_hi = 0.99;
                           c.match_histograms = true;
                         }}),
    [](const auto& parameter) { return parameter.param.name; });

TEST_P(Device, RegistersAsTheCpuDoesAndTheSameAtEveryRun) {
  Config config = preset(GetParam().preset);
  if (GetParam().change) GetParam().change(config);
  if (!GetParam().linear_stages) config.linear.clear();
  const bool masked = GetParam().name == "prepared_and_masked";
  const Grid grid = case_grid();
  const Outcome cpu = run(config, Backend::cpu, masked);
  const Outcome cuda = run(config, Backend::cuda, masked);
  const Outcome again = run(config, Backend::cuda, masked);
  const Distance apart = distance(grid, cpu, cuda);
  RecordProperty("largest_distance", std::to_string(apart.largest));
  EXPECT_LT(apart.mean, 0.01);
  EXPECT_LT(apart.largest, 0.5);
  EXPECT_GT(distance(grid, cpu, Outcome{}).mean, 0.5) << "nothing was registered";
  EXPECT_EQ(cuda.affine, again.affine);
  EXPECT_TRUE(std::equal(cuda.displacement.begin(), cuda.displacement.end(),
                         again.displacement.begin(), again.displacement.end()));
  EXPECT_TRUE(std::equal(cuda.inverse.begin(), cuda.inverse.end(), again.inverse.begin(),
                         again.inverse.end()));
}

class DeviceLinear : public Device {};
INSTANTIATE_TEST_SUITE_P(
    Metrics, DeviceLinear,
    testing::Values(Case{"mi", [](Config& c) { c.linear[0].metric.kind = MetricKind::mi; }},
                    Case{"mse", [](Config& c) { c.linear[0].metric.kind = MetricKind::mse; }},
                    Case{"gc", [](Config& c) { c.linear[0].metric.kind = MetricKind::gc; }},
                    Case{"lncc", [](Config& c) { c.linear[0].metric.kind = MetricKind::lncc; }}),
    [](const auto& parameter) { return parameter.param.name; });

TEST_P(DeviceLinear, CostAndGradientAreThoseOfTheCpu) {
  Config config = preset("affine");
  GetParam().change(config);
  std::vector<double> numbers[2];
  for (const Backend backend : {Backend::cpu, Backend::cuda}) {
    Context ctx;
    ctx.backend = backend;
    dist::SoloComm comm;
    Inputs in = inputs(brain_grid(), true);
    for (Image<float>* image : {&in.fixed[0], &in.moving[0]})
      image->data = copy_to(ctx, backend, image->data);
    Pair pair{in.fixed[0], in.moving[0]};
    const auto bring = [&](std::optional<Image<std::uint8_t>>& mask) {
      if (mask) mask->data = copy_to(ctx, backend, mask->data);
      return mask ? &*mask : nullptr;
    };
    pair.fixed_mask = bring(in.fixed_mask);
    pair.moving_mask = bring(in.moving_mask);
    ASSERT_NE(pair.fixed_mask, nullptr);
    LinearProblem problem(ctx, comm, pair, config.linear[0].metric, 6);
    for (const Affine& map : {Affine{}, pose, inverse(pose)}) {
      Affine gradient;
      auto& out = numbers[backend == Backend::cuda];
      out.push_back(problem.cost(map, &gradient));
      for (const Vec3& row : gradient.linear) out.insert(out.end(), row.begin(), row.end());
      out.insert(out.end(), gradient.translation.begin(), gradient.translation.end());
    }
  }
  const auto difference = test::compare(numbers[1], numbers[0]);
  // Three ops in a row, warp, metric and affine gradient, each of which may differ by 1e-5.
  EXPECT_LT(difference.relative_l2, 3e-5) << difference;
}

class DeviceWarp : public testing::Test {
 protected:
  void SetUp() override { test::has_device(); }
};

TEST_F(DeviceWarp, FoldsAreRepairedAndInvertedAsOnTheCpu) {
  const Box domain = box_of({20, 24, 30});
  dist::SoloComm solo;
  const dist::Cut cut(solo, domain);
  std::vector<double> values[2];
  for (const Backend backend : {Backend::cpu, Backend::cuda}) {
    Context ctx;
    ctx.backend = backend;
    auto u = copy_to(ctx, backend, test::make_vector_field(domain, [&](int c, int z, int y, int x) {
                       const bool spike = c == 2 && noise(z, y, x, 5) < 0.002F;
                       return spike ? -4.0 : 2 * test::smooth_noise(z, y, x, 8, 3) - 1;
                     }));
    ASSERT_GT(jacobian::statistics(ctx, domain, domain, u, {}).total().folded, 10);
    const auto after = repair_folds(ctx, solo, cut, u, 0.01, 50);
    EXPECT_EQ(after.folded, 0);
    invert::Residual residual;
    const auto inverse = inverse_warp(ctx, solo, cut, u, 0.02, &residual);
    auto& out = values[backend == Backend::cuda];
    const auto repaired = copy_to(ctx, Backend::cpu, u);
    out.assign(repaired.begin(), repaired.end());
    out.push_back(after.min);
    EXPECT_LT(residual.sum / static_cast<double>(domain.volume()), 0.02);
    EXPECT_EQ(inverse.backend(), backend);
    Grid grid;
    grid.size = {20, 24, 30};
    grid.spacing = {0.5, 2, 3};
    const auto world = copy_to(ctx, Backend::cpu, to_world(ctx, grid, std::move(u)).data);
    out.insert(out.end(), world.begin(), world.end());
  }
  const auto difference = test::compare(values[1], values[0]);
  EXPECT_LT(difference.relative_max, 1e-5) << difference;
}

}  // namespace
}  // namespace ffdp::registration
