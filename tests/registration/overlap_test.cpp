// SPDX-License-Identifier: Apache-2.0
// Ranks work while the rims of their parts travel: seen with messages that take their time.
#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <ostream>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/dist/threads.hpp"
#include "ffdp/registration/deformable/level.hpp"

namespace ffdp::registration {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// Whether work goes on while messages travel.
enum class Travel { overlapped, waited_for };
/// What ranks exchange, as words or as planes.
constexpr std::size_t planes_at_least = std::size_t{1} << 15U;  // [bytes]

/// Messages of planes arrive only some time after they were sent.
class SlowComm final : public dist::Comm {
 public:
  SlowComm(dist::Comm& comm, Seconds takes, Travel travel)
      : comm_(comm), takes_(takes), travel_(travel) {}
  int rank() const override { return comm_.rank(); }
  int size() const override { return comm_.size(); }
  std::string backend() const override { return comm_.backend(); }
  /// Spent on waiting for what was still on its way.
  double seconds_idle() const { return idle_.count(); }

 private:
  class Late final : public Pending {
   public:
    Late(std::unique_ptr<Pending> pending, Clock::time_point arrives, Seconds& idle)
        : pending_(std::move(pending)), arrives_(arrives), idle_(idle) {}
    void wait() override {
      idle_ += std::max(Seconds(0), Seconds(arrives_ - Clock::now()));
      std::this_thread::sleep_until(arrives_);
      pending_->wait();
    }

   private:
    std::unique_ptr<Pending> pending_;
    Clock::time_point arrives_;
    Seconds& idle_;
  };
  std::unique_ptr<Pending> start_messages(std::span<const dist::Send> sends,
                                          std::span<const dist::Receive> receives) override {
    const auto large = [](const auto& message) { return message.bytes >= planes_at_least; };
    const bool planes = std::ranges::any_of(sends, large) || std::ranges::any_of(receives, large);
    const auto takes =
        planes ? std::chrono::duration_cast<Clock::duration>(takes_) : Clock::duration::zero();
    auto late = std::make_unique<Late>(comm_.start(sends, receives), Clock::now() + takes, idle_);
    if (travel_ == Travel::overlapped) return late;
    late->wait();
    return comm_.start(std::span<const dist::Send>(), std::span<const dist::Receive>());
  }

  dist::Comm& comm_;
  Seconds takes_;
  Travel travel_;
  Seconds idle_{0};
};

struct Outcome {
  VectorField<float> u;
  double seconds_idle = 0;  ///< of the rank that had to wait longest, in an iteration
};

/// Iterations of a level on two ranks.
Outcome iterate(Travel travel) {
  constexpr int iterations = 5;
  const Seconds takes(0.002);
  Outcome outcome;
  std::mutex mutex;
  dist::run_threads(2, [&](dist::Comm& comm) {
    Context ctx;
    Grid grid;
    grid.size = {72, 128, 128};
    const Box domain = grid.domain();
    const dist::Cut cut(comm, domain);
    const Box own = cut.own(comm);
    DeformableStage stage;
    stage.metrics = {{.kind = MetricKind::lncc, .radius = 2}};
    const Image<float> fixed{grid, test::image(own, 1)}, moving{grid, test::image(own, 2)};
    const Pair pair{fixed, moving, nullptr, nullptr};
    std::vector<LevelPair> pairs;
    pairs.emplace_back(ctx, comm, pair, grid, 1, Affine{},
                       intersect(grow(own, Halo(stage).warped), domain),
                       MovingLimit{.access = MovingAccess::fetch});
    SlowComm slow(comm, takes, travel);
    Level<float> level(ctx, slow, stage, cut, pairs, test::displacement(domain, own, 0.8, 5),
                       own.size(0), iterations + 1);
    level.iterate();  // reads the size of the gradient, and fetches the moving image
    const double before = slow.seconds_idle();
    for (int k = 0; k < iterations; ++k) level.iterate();
    const double idle = (slow.seconds_idle() - before) / iterations;
    auto u = dist::fetched(ctx, comm, cut, level.take(), domain);
    const std::scoped_lock lock(mutex);
    outcome.seconds_idle = std::max(outcome.seconds_idle, idle);
    outcome.u = std::move(u);
  });
  return outcome;
}

/// Five exchanges of planes in an iteration: rims of the warp, of the warped image to each side,
/// and of both moments. Those of the moments are under way together, and nothing is left to do
/// meanwhile; the others are on their way while a rank samples and compares its inside.
TEST(Overlap, RimsTravelWhileTheInsideIsWorkedOn) {
  const Outcome with = iterate(Travel::overlapped), without = iterate(Travel::waited_for);
  EXPECT_TRUE(std::equal(with.u.begin(), with.u.end(), without.u.begin(), without.u.end()));
  RecordProperty("idle_with_us", static_cast<int>(1e6 * with.seconds_idle));
  RecordProperty("idle_without_us", static_cast<int>(1e6 * without.seconds_idle));
  EXPECT_GT(without.seconds_idle, 4.5 * 0.002);
  EXPECT_LT(with.seconds_idle, 0.4 * without.seconds_idle)
      << with.seconds_idle << " s of " << without.seconds_idle;
}

}  // namespace
}  // namespace ffdp::registration
