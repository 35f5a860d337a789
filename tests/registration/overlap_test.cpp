// SPDX-License-Identifier: Apache-2.0
// Ranks work while the rims of their parts travel: counted in their own processor time, which other
// programs on the machine do not change.
#include <algorithm>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "tests/support/fields.hpp"
#include <time.h>

#include <gtest/gtest.h>

#include "ffdp/dist/threads.hpp"
#include "ffdp/registration/deformable/level.hpp"

namespace ffdp::registration {
namespace {

/// Whether work goes on while messages travel.
enum class Travel { overlapped, waited_for };
/// What ranks exchange, as words or as planes.
constexpr std::size_t planes_at_least = std::size_t{1} << 15U;  // [bytes]

/// Processor time of the calling thread [s].
double worked() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Counts the work that a rank does between starting messages of planes and waiting for them.
class WatchedComm final : public dist::Comm {
 public:
  WatchedComm(dist::Comm& comm, Travel travel) : comm_(comm), travel_(travel) {}
  int rank() const override { return comm_.rank(); }
  int size() const override { return comm_.size(); }
  std::string backend() const override { return comm_.backend(); }
  /// Work between start and wait, of every exchange of planes so far [s].
  const std::vector<double>& meanwhile() const { return meanwhile_; }

 private:
  class Watched final : public Pending {
   public:
    Watched(std::unique_ptr<Pending> pending, WatchedComm& comm)
        : pending_(std::move(pending)), comm_(comm), started_(worked()) {}
    void wait() override {
      comm_.meanwhile_.push_back(worked() - started_);
      pending_->wait();
    }

   private:
    std::unique_ptr<Pending> pending_;
    WatchedComm& comm_;
    double started_;
  };
  std::unique_ptr<Pending> start_messages(std::span<const dist::Send> sends,
                                          std::span<const dist::Receive> receives) override {
    auto pending = comm_.start(sends, receives);
    const auto large = [](const auto& message) { return message.bytes >= planes_at_least; };
    if (!std::ranges::any_of(sends, large) && !std::ranges::any_of(receives, large)) return pending;
    auto watched = std::make_unique<Watched>(std::move(pending), *this);
    if (travel_ == Travel::overlapped) return watched;
    watched->wait();
    return comm_.start(std::span<const dist::Send>(), std::span<const dist::Receive>());
  }

  dist::Comm& comm_;
  Travel travel_;
  std::vector<double> meanwhile_;
};

struct Outcome {
  VectorField<float> u;
  std::vector<int> exchanges;   ///< of planes, by rank
  std::vector<int> overlapped;  ///< those with at least 1/30 of an iteration's work meanwhile
};

constexpr int iterations = 5;

/// Iterations of a level on two ranks.
Outcome iterate(Travel travel) {
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
    WatchedComm watched(comm, travel);
    GreedyLevel<float> level(ctx, watched, stage, cut, pairs,
                             test::displacement(domain, own, 0.8, 5), own.size(0), iterations + 1);
    level.iterate();  // reads the size of the gradient, and fetches the moving image
    const double before = worked();
    const std::size_t first = watched.meanwhile().size();
    for (int k = 0; k < iterations; ++k) level.iterate();
    const double little = (worked() - before) / iterations / 30;
    const std::span<const double> meanwhile = std::span(watched.meanwhile()).subspan(first);
    auto u = dist::fetched(ctx, comm, cut, level.take(), domain);
    const std::scoped_lock lock(mutex);
    outcome.exchanges.push_back(static_cast<int>(meanwhile.size()));
    outcome.overlapped.push_back(static_cast<int>(
        std::ranges::count_if(meanwhile, [&](double work) { return work > little; })));
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
  using Counts = std::vector<int>;
  EXPECT_EQ(with.exchanges, (Counts{5 * iterations, 5 * iterations}));
  EXPECT_EQ(with.overlapped, (Counts{3 * iterations, 3 * iterations}));
  EXPECT_EQ(without.overlapped, (Counts{0, 0}));
}

}  // namespace
}  // namespace ffdp::registration
