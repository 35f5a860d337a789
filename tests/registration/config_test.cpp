// SPDX-License-Identifier: Apache-2.0
// What validate() accepts, no op refuses later.
#include "ffdp/registration/config.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/registration/register.hpp"

namespace ffdp::registration {
namespace {

Image<float> structure(std::uint32_t seed) {
  const Grid grid{.size = {14, 12, 13}};
  return {grid, test::make_field(grid.domain(), [&](int z, int y, int x) {
            return test::smooth_noise(z + 0.3 * seed, y, x, 4, 5);
          })};
}

void run(const Config& config) {
  Inputs in;
  in.fixed.push_back(structure(0));
  in.moving.push_back(structure(1));
  in.fixed_names = {"fixed"};
  in.moving_names = {"moving"};
  in.start = Affine{};
  Context ctx;
  dist::SoloComm solo;
  register_images(ctx, solo, config, std::move(in), nullptr);
}

Config one_iteration() {
  Config config;
  LinearStage linear;
  linear.metric.kind = MetricKind::lncc;
  linear.resolutions = {1};
  linear.iterations = {1};
  config.linear = {linear};
  config.deformable = {DeformableStage{.shrink = {1}, .iterations = {2}}};
  return config;
}

using Change = std::pair<std::string, std::function<void(MetricConfig&)>>;

/// The metrics' settings at their limits.
std::vector<Change> metric_changes() {
  std::vector<Change> changes{
      {"radius 1", [](auto& m) { m.radius = 1; }},
      {"radius 32", [](auto& m) { m.radius = 32; }},
      {"coarse radius 32", [](auto& m) { m.coarse_radii = {32}; }},
      {"no floor", [](auto& m) { m.floor = 0; }},
      {"highest floor", [](auto& m) { m.floor = 1; }},
      {"weight 0", [](auto& m) { m.weight = 0; }},
      {"weight 1e6", [](auto& m) { m.weight = 1e6; }},
      {"mse", [](auto& m) { m.kind = MetricKind::mse; }},
      {"gc", [](auto& m) { m.kind = MetricKind::gc; }},
      {"a zero-padded window of mi, which has none",
       [](auto& m) {
         m.kind = MetricKind::mi;
         m.window = lncc::Window::zero_padded_box;
       }},
  };
  for (const double sigma : {0.1, 16.0})
    changes.emplace_back("sigma " + std::to_string(sigma), [=](MetricConfig& m) {
      m.window = lncc::Window::gaussian;
      m.sigma = sigma;
    });
  for (const auto parzen : {mi::Parzen::mattes, mi::Parzen::cubic, mi::Parzen::gaussian})
    for (const int bins : {10, 128})
      changes.emplace_back(std::to_string(bins) + " bins", [=](MetricConfig& m) {
        m.kind = MetricKind::mi;
        m.parzen = parzen;
        m.bins = bins;
        m.measure = mi::Measure::normalized;
      });
  return changes;
}

TEST(Recipe, EveryMetricThatIsAcceptedRuns) {
  for (const auto& [name, change] : metric_changes()) {
    SCOPED_TRACE(name);
    Config config = one_iteration();
    change(config.linear[0].metric);
    change(config.deformable[0].metrics[0]);
    EXPECT_NO_THROW(validate(config));
    EXPECT_NO_THROW(run(config));
  }
}

TEST(Recipe, EveryStageThatIsAcceptedRuns) {
  const std::vector<std::pair<std::string, std::function<void(DeformableStage&)>>> changes{
      {"gradient descent", [](auto& s) { s.optimizer = Optimizer::gradient; }},
      {"a second moment each", [](auto& s) { s.second_moment = descent::SecondMoment::element; }},
      {"no second moment", [](auto& s) { s.second_moment = descent::SecondMoment::none; }},
      {"no memory", [](auto& s) { s.beta1 = s.beta2 = 0; }},
      {"long memory", [](auto& s) { s.beta1 = 0.9999, s.beta2 = 0.99999; }},
      {"no epsilon", [](auto& s) { s.epsilon = 0; }},
      {"epsilon 1e6", [](auto& s) { s.epsilon = 1e6; }},
      {"step 1e-6", [](auto& s) { s.step = 1e-6; }},
      {"step 1", [](auto& s) { s.step = 1; }},
      {"no smoothing", [](auto& s) { s.sigma_update = s.sigma_warp = 0; }},
      {"wide smoothing", [](auto& s) { s.sigma_update = s.sigma_warp = 32; }},
      {"widening 3", [](auto& s) { s.widening = 3; }},
      {"damping 0.4", [](auto& s) { s.damping = 0.4; }},
      {"wide and gentle", [](auto& s) { s.gentle = {0, 10, 32, 32, 65536, 1, 0}; }},
      {"Gaussians that vanish", [](auto& s) { s.update_fall = s.warp_fall = 1; }},
      {"near knots", [](auto& s) { s.knots_update = s.knots_warp = {{1, 0, 1}}; }},
      {"far knots", [](auto& s) { s.knots_update = s.knots_warp = {{64, 64, 64}}; }},
      {"a radius by the size", [](auto& s) { s.metrics[0].radius = 0; }},
      {"one axis", [](auto& s) { s.restriction = {0, 0, 1}; }},
      {"shrunk away", [](auto& s) { s.shrink = {1024}; }},
      {"no iteration", [](auto& s) { s.iterations = {0}; }},
  };
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    Config config = one_iteration();
    config.linear.clear();
    change(config.deformable[0]);
    EXPECT_NO_THROW(validate(config));
    EXPECT_NO_THROW(run(config));
  }
}

TEST(Recipe, RefusesWindowsThatOnlyTrainingHas) {
  const MetricConfig padded{.window = lncc::Window::zero_padded_box};
  std::vector<Config> configs(3, one_iteration());
  configs[0].linear[0].metric = padded;
  configs[1].linear[0].further = {padded};
  configs[2].deformable[0].metrics = {MetricConfig{}, padded};
  for (const Config& config : configs) {
    std::string message;
    try {
      validate(config);
    } catch (const InvalidArgument& e) {
      message = e.what();
    }
    EXPECT_EQ(message,
              "config: the window of lncc is zero_padded_box, which is for training, box or "
              "gaussian is wanted");
  }
}

TEST(Recipe, RefusesARadiusThatIsNone) {
  for (const int radius : {-1, 33}) {
    Config config = one_iteration();
    config.deformable[0].metrics[0].radius = radius;
    EXPECT_THROW(validate(config), InvalidArgument) << radius;
  }
  Config config = one_iteration();
  config.linear[0].metric.radius = 0;  // only a deformable stage finds it from the size
  EXPECT_THROW(validate(config), InvalidArgument);
  config = one_iteration();
  config.linear[0].further = {MetricConfig{.radius = 0}};
  EXPECT_THROW(validate(config), InvalidArgument);
}

TEST(Recipe, RefusesARestrictionOfAnotherNumberOfParameters) {
  for (const std::size_t count : {5U, 6U, 7U}) {
    Config config = one_iteration();
    config.deformable.clear();
    config.linear[0].kind = LinearKind::rigid;
    config.linear[0].restriction.assign(count, 1);
    if (count == 6)
      EXPECT_NO_THROW(run(config));
    else
      EXPECT_THROW(run(config), InvalidArgument) << count;
  }
}

}  // namespace
}  // namespace ffdp::registration
