// SPDX-License-Identifier: Apache-2.0
// One registration on many ranks: the bits of one, whatever the stages.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <numbers>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/device.hpp"
#include "tests/support/fields.hpp"
#include "tests/support/grids.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/dist/fetch.hpp"
#include "ffdp/dist/threads.hpp"
#include "ffdp/phantom/phantom.hpp"
#include "ffdp/registration/register.hpp"

namespace ffdp::registration {
namespace {

using phantom::Contrast;
using phantom::Phantom;

/// A registration, and which parts of it are there.
struct Case {
  std::string name;
  Config config;
  Int3 size{44, 50, 46};
  Contrast moving = Contrast::t1;
  int pairs = 1;
  bool masks = false;
  double turn = 0;  ///< of the moving image's axes about the x axis [degrees]
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

Config short_config(MetricKind kind) {
  Config config = preset("fast");
  LinearStage linear;
  linear.metric.kind = kind == MetricKind::mse ? MetricKind::mi : kind;
  linear.resolutions = {2, 1};
  linear.iterations = {8, 3};
  config.linear = {linear};
  config.deformable[0].metrics[0] = {.kind = kind, .radius = 2};
  config.deformable[0].shrink = {2, 1};
  config.deformable[0].iterations = {8, 5};
  return config;
}

std::vector<Case> cases() {
  std::vector<Case> all{
      {"lncc", short_config(MetricKind::lncc)},
      {"mi", short_config(MetricKind::mi), {44, 50, 46}, Contrast::t2},
      {"mse", short_config(MetricKind::mse)},
      {"gc", short_config(MetricKind::gc)},
      {"splines", short_config(MetricKind::gc)},
      {"gradient", short_config(MetricKind::lncc)},  // whose step is always scaled to its longest
      {"masks", short_config(MetricKind::lncc)},
      {"two_pairs", short_config(MetricKind::lncc), {44, 50, 46}, Contrast::t1, 2},
      {"symmetric", short_config(MetricKind::mse)},
      {"gentle", short_config(MetricKind::lncc)},
      {"slice", short_config(MetricKind::lncc), {1, 76, 60}},
      {"prepared", short_config(MetricKind::mse)}};
  for (Case& c : all) {
    if (c.name == "masks") c.masks = true;
    if (c.name == "gradient") c.config.deformable[0].optimizer = Optimizer::gradient;
    // Between the limits, so that each bit of the change counts.
    if (c.name == "gentle" || c.name == "symmetric")
      c.config.deformable[0].gentle = {0, 1, 2.6, 1.3, 0};
    if (c.name == "splines") {
      c.config.deformable[0].knots_update = {{3.25, 3.25, 3.25}, {2, 2.5, 3}};
      c.config.deformable[0].knots_warp = {{1.5, 1.5, 1.5}};
    }
    if (c.name == "symmetric") c.config.symmetric = true, c.config.refine = 2;
    if (c.name == "prepared") {
      c.config.winsorize_lo = 0.005, c.config.winsorize_hi = 0.995;
      c.config.match_histograms = true;
    }
    if (c.name == "two_pairs") {
      DeformableStage& stage = c.config.deformable[0];
      stage.metrics.push_back({.kind = MetricKind::mi, .weight = 0.5, .image_pair = 1});
      stage.update_fall = 0.6, stage.warp_fall = 0.4;
    }
  }
  return all;
}

/// Turns the axes of a grid about its centre and the x axis.
void turn(Grid& grid, double degrees) {
  const Vec3 centre = grid.centre();
  const double c = std::cos(degrees * std::numbers::pi / 180),
               s = std::sin(degrees * std::numbers::pi / 180);
  grid.direction = {{{1, 0, 0}, {0, c, -s}, {0, s, c}}};
  const Vec3 moved = grid.centre();
  for (int a = 0; a < 3; ++a) grid.origin[a] += centre[a] - moved[a];
}

Grid moving_grid_of(const Case& c) {
  Grid grid = test::brain_grid({c.size[0] > 1 ? c.size[0] + 5 : 1, c.size[1] - 3, c.size[2] + 2});
  turn(grid, c.turn);
  return grid;
}

/// What this rank owns of the images of a case.
Inputs inputs_of(const Case& c, dist::Comm& comm) {
  Context ctx;
  const Grid fixed_grid = test::brain_grid(c.size);
  const Grid moving_grid = moving_grid_of(c);
  Phantom fixed = phantom::fitted_to(fixed_grid, {});
  fixed.warp_mm = 4;
  Phantom moving = phantom::fitted_to(fixed_grid, {});
  moving.scan = 2;
  moving.contrast = c.moving;
  moving.pose.translation = {3, -2, c.size[0] > 1 ? 4.0 : 0.0};
  const auto make = [&](Phantom p, const Grid& grid, int pair) {
    p.scan += 10 * static_cast<std::uint32_t>(pair);
    const Box own = dist::Cut(comm, grid.domain()).own(comm);
    Image<float> image{grid, Field<float>(Backend::cpu, own)};
    phantom::make_phantom(ctx, p, grid, own, image.data, {});
    return image;
  };
  Inputs in;
  for (int pair = 0; pair < c.pairs; ++pair) {
    in.fixed.push_back(make(fixed, fixed_grid, pair));
    in.moving.push_back(make(moving, moving_grid, pair));
    in.fixed_names.push_back("fixed.nii");
    in.moving_names.push_back("moving.nii");
  }
  if (c.masks) {
    const auto ball = [&](const Grid& grid, double radius) {
      const Box own = dist::Cut(comm, grid.domain()).own(comm);
      const Int3 n = grid.size;
      return Image<std::uint8_t>{
          grid, test::make_field<std::uint8_t>(own, [&](int z, int y, int x) {
            return std::hypot(2.0 * z / n[0] - 1, 2.0 * y / n[1] - 1, 2.0 * x / n[2] - 1) < radius;
          })};
    };
    in.fixed_mask = ball(fixed_grid, 0.8);
    in.moving_mask = ball(moving_grid, 0.9);
  }
  return in;
}

/// Everything that a result says, as bytes; the fields gathered.
struct Bytes {
  std::vector<double> numbers;
  std::vector<float> fields;
  friend bool operator==(const Bytes& a, const Bytes& b) {
    return a.numbers.size() == b.numbers.size() && a.fields.size() == b.fields.size() &&
           std::memcmp(a.numbers.data(), b.numbers.data(), a.numbers.size() * sizeof(double)) ==
               0 &&
           std::memcmp(a.fields.data(), b.fields.data(), a.fields.size() * sizeof(float)) == 0;
  }
};

Bytes run(const Case& c, dist::Comm& comm, Checkpoint* checkpoint = nullptr,
          Backend backend = Backend::cpu) {
  Context ctx;
  ctx.backend = backend;
  const Stream stream(backend);
  ctx.stream = stream.get();
  const Result result =
      register_images(ctx, comm, c.config, inputs_of(c, comm), nullptr, checkpoint);
  Bytes bytes;
  for (int i = 0; i < 3; ++i) {
    bytes.numbers.push_back(result.affine.translation[i]);
    for (int j = 0; j < 3; ++j) bytes.numbers.push_back(result.affine.linear[i][j]);
  }
  const auto& jac = result.jacobian;
  bytes.numbers.insert(
      bytes.numbers.end(),
      {jac.min, jac.max, jac.sum_log, jac.sum_log_squared, static_cast<double>(jac.count),
       result.inverse_residual.max, result.inverse_residual.sum});
  for (const LevelTrace& level : result.levels) {
    bytes.numbers.insert(bytes.numbers.end(), level.costs.begin(), level.costs.end());
    bytes.numbers.insert(bytes.numbers.end(),
                         {level.change.value_or(-1), level.sigma_update, level.sigma_warp});
  }
  const Box domain = result.fixed_grid.domain();
  const dist::Cut cut(comm, domain);
  for (const auto* field : {&result.displacement, &result.inverse}) {
    EXPECT_EQ(field->stored(), cut.own(comm));
    const auto own = copy_to(ctx, Backend::cpu, *field);
    Context host;
    const auto whole = dist::fetched(host, comm, cut, own, domain);
    bytes.fields.insert(bytes.fields.end(), whole.begin(), whole.end());
  }
  return bytes;
}

class Ranks : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Stages, Ranks, testing::ValuesIn(cases()),
                         testing::PrintToStringParamName());

TEST_P(Ranks, GiveTheBitsOfOne) {
  dist::SoloComm solo;
  const Bytes one = run(GetParam(), solo);
  const float moved = *std::max_element(one.fields.begin(), one.fields.end());
  EXPECT_GT(moved, 0.5F) << "a registration of nothing";
  for (const int ranks : {2, 3, 4, 6})
    dist::run_threads(ranks, [&](dist::Comm& comm) {
      EXPECT_TRUE(run(GetParam(), comm) == one) << "rank " << comm.rank() << " of " << ranks;
    });
}

/// As many ranks as a small cluster has, four planes each: the halos span several ranks.
TEST(ManyRanks, SixtyFourGiveTheBitsOfOne) {
  Case c{"lncc", short_config(MetricKind::lncc), {256, 22, 24}};
  c.config.deformable[0].shrink = {1};
  c.config.deformable[0].iterations = {3};
  c.config.linear[0].resolutions = {1};
  c.config.linear[0].iterations = {2};
  dist::SoloComm solo;
  const Bytes one = run(c, solo);
  EXPECT_GT(*std::max_element(one.fields.begin(), one.fields.end()), 0.5F);
  dist::run_threads(64, [&](dist::Comm& comm) {
    EXPECT_FALSE(dist::Cut(comm, box_of(c.size)).whole());
    EXPECT_TRUE(run(c, comm) == one) << "rank " << comm.rank();
  });
}

class RanksOnGpus : public Ranks {};
INSTANTIATE_TEST_SUITE_P(Stages, RanksOnGpus, testing::ValuesIn(cases()),
                         testing::PrintToStringParamName());

/// Ranks take the GPUs of this machine in turn: all of this runs on one, too.
TEST_P(RanksOnGpus, GiveTheBitsOfOne) {
  if (!test::has_device()) return;
  const int gpus = cuda_devices();
  std::vector<Case> both(2, GetParam());
  both[1].config.memory = MemoryMode::compact;
  for (const Case& c : both) {
    dist::SoloComm solo;
    select_device(0);
    const Bytes one = run(c, solo, nullptr, Backend::cuda);
    const float moved = *std::max_element(one.fields.begin(), one.fields.end());
    EXPECT_GT(moved, 0.5F) << "a registration of nothing";
    const auto expect_one = [&](const Case& of, int ranks, dist::Transport transport) {
      dist::run_threads(ranks, [&](dist::Comm& comm) {
        select_device(comm.rank() % gpus);
        comm.use_device(transport);
        EXPECT_TRUE(run(of, comm, nullptr, Backend::cuda) == one)
            << "rank " << comm.rank() << " of " << ranks << ", " << comm.transport() << ", way "
            << static_cast<int>(of.config.moving_access)
            << (c.config.memory == MemoryMode::compact ? ", compact" : "");
      });
    };
    for (const int ranks : {2, 3, 4}) expect_one(c, ranks, dist::Transport::peer);
    expect_one(c, 2, dist::Transport::staged);
    for (const MovingAccess access :
         {MovingAccess::replicate, MovingAccess::fetch, MovingAccess::ring}) {
      Case way = c;
      way.config.moving_access = access;
      expect_one(way, 3, dist::Transport::peer);
    }
    if (gpus >= 2 && test::has_nccl()) expect_one(c, 2, dist::Transport::nccl);
  }
}

/// The moving image's axes lie askew, so that a part of the fixed image reaches nearly all of it.
/// However a rank gets at it, the bits are those of one rank.
TEST(RanksMoving, EveryWayToTheMovingImageGivesTheBitsOfOne) {
  for (Case c : cases()) {
    if (c.name == "gradient" || c.name == "prepared" || c.name == "slice") continue;
    c.turn = 60;
    c.size = {36, 40, 38};
    c.config.initialization = Initialization::identity;
    c.config.linear.clear();
    c.config.deformable[0].iterations = {3, 4};
    dist::SoloComm solo;
    const Bytes one = run(c, solo);
    EXPECT_GT(*std::max_element(one.fields.begin(), one.fields.end()), 0.5F);
    for (const MovingAccess access :
         {MovingAccess::replicate, MovingAccess::fetch, MovingAccess::ring}) {
      c.config.moving_access = access;
      EXPECT_TRUE(run(c, solo) == one) << c.name << ", way " << static_cast<int>(access);
      for (const int ranks : {2, 3, 4, 6})
        dist::run_threads(ranks, [&](dist::Comm& comm) {
          EXPECT_TRUE(run(c, comm) == one) << c.name << ", way " << static_cast<int>(access)
                                           << ", rank " << comm.rank() << " of " << ranks;
        });
    }
  }
}

struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("stopped") {}
};

/// What was saved, by all ranks.
struct Saved {
  std::mutex mutex;
  std::optional<Standing> standing;
  std::map<std::string, std::vector<std::byte>> fields;
};

/// One rank's access to it. Ends the registration at the time that it saves.
class InMemory final : public Checkpoint {
 public:
  /// @param stop  after how many questions it is time; 0: never
  InMemory(Saved& saved, int stop) : saved_(saved), stop_(stop) {}
  const Standing* standing() const override {
    return saved_.standing ? &*saved_.standing : nullptr;
  }
  void load(Context&, const OwnPlanes& field) override {
    each(field,
         [](void* own, std::byte* kept, std::size_t bytes) { std::memcpy(own, kept, bytes); });
  }
  bool due(dist::Comm&) override { return ++asked_ == stop_; }
  void save(Context&, dist::Comm& comm, const Standing& standing,
            const std::vector<OwnPlanes>& fields) override {
    for (const OwnPlanes& field : fields)
      each(field,
           [](void* own, std::byte* kept, std::size_t bytes) { std::memcpy(kept, own, bytes); });
    comm.barrier();
    const std::lock_guard lock(saved_.mutex);
    saved_.standing = standing;
    throw Stopped();
  }

 private:
  template <class Move>
  void each(const OwnPlanes& field, Move&& move) {
    const std::lock_guard lock(saved_.mutex);
    auto& kept = saved_.fields[field.name];
    const auto plane = static_cast<std::size_t>(field.plane_bytes);
    kept.resize(field.components.size() * field.all * plane);
    for (std::size_t c = 0; c < field.components.size(); ++c)
      move(field.components[c], kept.data() + (c * field.all + field.first) * plane,
           field.count * plane);
  }
  Saved& saved_;
  int stop_, asked_ = 0;
};

TEST_P(Ranks, GoOnFromACheckpointOnAnotherNumberOfRanks) {
  const Case& c = GetParam();
  dist::SoloComm solo;
  const Bytes one = run(c, solo);
  std::vector<int> stops{1, 5, 12};             // initialised; in the first level; in the second
  if (c.config.symmetric) stops = {9, 20, 30};  // forward, backward, refinement
  for (const int stop : stops) {
    Saved saved;
    const int before = 1 + stop % 3, after = 1 + (stop + 1) % 3;
    EXPECT_THROW(dist::run_threads(before,
                                   [&](dist::Comm& comm) {
                                     InMemory checkpoint(saved, stop);
                                     run(c, comm, &checkpoint);
                                   }),
                 std::runtime_error);
    ASSERT_TRUE(saved.standing) << stop;
    dist::run_threads(after, [&](dist::Comm& comm) {
      InMemory checkpoint(saved, 0);
      EXPECT_TRUE(run(c, comm, &checkpoint) == one)
          << "stopped after " << stop << " on " << before << " ranks, then " << after;
    });
  }
}

TEST(RanksPlan, SaysWhatAnIterationSendsAndThatRanksNeedLess) {
  Case c{"lncc", short_config(MetricKind::lncc)};
  c.config.deformable[0].shrink = {1};
  c.config.deformable[0].step = 0.01;  // nothing of the moving image is fetched anew
  const auto sent = [&](int iterations) {
    c.config.deformable[0].iterations = {iterations};
    std::int64_t bytes = 0;
    dist::run_threads(3, [&](dist::Comm& comm) {
      run(c, comm);
      if (comm.rank() == 1) bytes = comm.bytes_sent();
    });
    return bytes;
  };
  const Grid fixed = test::brain_grid(c.size);
  const auto planned = [&](int ranks) {
    const Extent extent{.fixed = fixed, .moving = moving_grid_of(c), .ranks = ranks};
    return make_plan(resolved(c.config, fixed), extent, Backend::cpu);
  };
  for (const MovingAccess access :
       {MovingAccess::replicate, MovingAccess::fetch, MovingAccess::ring}) {
    c.config.moving_access = access;
    const auto measured = static_cast<double>(sent(5) - sent(2)) / 3;
    std::int64_t said = 0;
    for (const PlanStage& stage : planned(3).stages) said = std::max(said, stage.sent);
    EXPECT_NEAR(measured, static_cast<double>(said), 0.01 * measured);
  }
  EXPECT_LT(planned(3).peak, planned(1).peak);
  EXPECT_LT(planned(8).peak, planned(3).peak);
}

/// GPUs do not cut small levels: all ranks have all of them, and nothing travels.
TEST(RanksPlan, KnowsLevelsThatAreNotCut) {
  Grid grid;
  grid.size = {256, 256, 256};
  Config config = short_config(MetricKind::lncc);
  config.deformable[0].shrink = {2, 1};
  config.deformable[0].iterations = {5, 5};
  const auto levels = [&](std::int64_t uncut) {
    const Extent extent{.fixed = grid, .moving = grid, .ranks = 4, .uncut = uncut};
    std::vector<PlanStage> found;
    for (const PlanStage& stage : make_plan(config, extent, Backend::cuda).stages)
      if (stage.iterations > 0) found.push_back(stage);
    return found;
  };
  const auto cut = levels(0), kept = levels(dist::small_on_gpus);
  ASSERT_EQ(cut.size(), 2U);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_GT(cut[0].sent, 0);
  EXPECT_EQ(kept[0].sent, 0);
  EXPECT_EQ(kept[0].voxels, 128 * 128 * 128);
  EXPECT_EQ(kept[1].sent, cut[1].sent);
  EXPECT_LT(kept[1].voxels, 256 * 256 * 256 / 3);
}

}  // namespace
}  // namespace ffdp::registration
