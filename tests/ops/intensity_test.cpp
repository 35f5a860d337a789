// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/intensity/intensity.hpp"

#include <cmath>
#include <numeric>

#include "tests/support/compare.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/ops/intensity/reference.hpp"

namespace ffdp::intensity {
namespace {

using test::relative_error;

class Intensity : public testing::TestWithParam<Box> {
 protected:
  Box domain = GetParam();
  /// Mean far above the spread; some voxels missing.
  Field<float> image = test::make_field(domain, [](int z, int y, int x) {
    return noise(z, y, x, 1) < 0.05F ? NAN : 900 + 50 * noise(z, y, x, 2);
  });
  Field<std::uint8_t> mask = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return noise(z, y, x, 3) < 0.7F ? 3 : 0; });
  Context ctx;
  void SetUp() override { ctx.threads = 2; }
};
INSTANTIATE_TEST_SUITE_P(Sizes, Intensity,
                         testing::Values(Box{{0, 0, 0}, {9, 11, 23}},
                                         Box{{0, -3, 2}, {1, 12, 40}}));

TEST_P(Intensity, StatisticsMatchReference) {
  for (const bool masked : {false, true}) {
    const View<const std::uint8_t> m = masked ? mask.view() : View<std::uint8_t>{};
    const auto samples = reference::samples(domain, image, m);
    const Statistics s = statistics(ctx, domain, image, m).total();
    EXPECT_EQ(s.count, std::ssize(samples));
    EXPECT_EQ(s.count + s.not_finite, m ? count(ctx, domain, m) : domain.volume());
    EXPECT_GT(s.not_finite, 0);
    EXPECT_LT(relative_error(s.sum, reference::power_sum(samples, 1)), 1e-13);
    EXPECT_LT(relative_error(s.sum_squares, reference::power_sum(samples, 2)), 1e-13);
    const auto [lo, hi] = std::minmax_element(samples.begin(), samples.end(),
                                              [](auto& a, auto& b) { return a.value < b.value; });
    EXPECT_EQ(s.lo, lo->value);
    EXPECT_EQ(s.hi, hi->value);
  }
}

TEST_P(Intensity, HistogramMatchesReferenceAndHoldsItsEnds) {
  const auto samples = reference::samples(domain, image, mask.view());
  const Statistics s = statistics(ctx, domain, image, mask).total();
  for (const int bins : {1, 7, 4096}) {
    const auto got = histogram(ctx, domain, {s.lo, s.hi}, bins, image, mask);
    ASSERT_EQ(std::ssize(got), bins);
    EXPECT_EQ(std::accumulate(got.begin(), got.end(), std::int64_t{0}), s.count);
    EXPECT_GT(got.back(), 0);
    for (int b = 0; b < bins; b += 1 + bins / 50)
      EXPECT_EQ(got[b], reference::in_bin(samples, s.lo, s.hi, bins, b)) << b << " of " << bins;
  }
}

TEST_P(Intensity, MomentsMatchReference) {
  const auto samples = reference::samples(domain, image, mask.view());
  const Moments m = moments(ctx, domain, {905, 940}, image, mask).total();
  const auto want = [&](int a, int i, int b, int j) {
    return reference::moment(samples, 905, 940, a, i, b, j);
  };
  EXPECT_LT(relative_error(m.mass, want(0, 0, 0, 0)), 1e-6);
  for (int a = 0; a < 3; ++a) {
    EXPECT_LT(relative_error(m.first[a], want(a, 1, 0, 0)), 1e-6);
    for (int b = 0; b < 3; ++b)
      EXPECT_LT(relative_error(m.second[a][b], want(a, 1, b, 1)), 1e-6) << a << b;
  }
}

TEST_P(Intensity, ShardedEqualsWhole) {
  const Range range{900, 950};
  const Statistics s = statistics(ctx, domain, image, mask).total();
  const auto bins = histogram(ctx, domain, range, 64, image, mask);
  const Moments m = moments(ctx, domain, range, image, {}).total();
  for (const auto& boxes : test::splits(domain)) {
    Statistics sum;
    Moments moment_sum;
    std::vector<std::int64_t> counts(64, 0);
    for (const Box& box : boxes) {
      sum += statistics(ctx, box, image, mask).total();
      moment_sum += moments(ctx, box, range, image, {}).total();
      const auto part = histogram(ctx, box, range, 64, image, mask);
      for (std::size_t b = 0; b < counts.size(); ++b) counts[b] += part[b];
    }
    EXPECT_EQ(sum.count, s.count);
    EXPECT_EQ(sum.lo, s.lo);
    EXPECT_EQ(sum.hi, s.hi);
    EXPECT_LT(relative_error(sum.sum_squares, s.sum_squares), 1e-12);
    EXPECT_LT(relative_error(moment_sum.second[2][1], m.second[2][1]), 1e-12);
    EXPECT_EQ(counts, bins);
  }
}

TEST_P(Intensity, ThreadsDoNotShow) {
  const Statistics two = statistics(ctx, domain, image, mask).total();
  const Moments moments_of_two = moments(ctx, domain, {905, 940}, image, {}).total();
  const auto bins = histogram(ctx, domain, {900, 950}, 64, image, mask);
  ctx.threads = 5;
  EXPECT_EQ(statistics(ctx, domain, image, mask).total().sum_squares, two.sum_squares);
  EXPECT_EQ(moments(ctx, domain, {905, 940}, image, {}).total().first, moments_of_two.first);
  EXPECT_EQ(histogram(ctx, domain, {900, 950}, 64, image, mask), bins);
}

/// Runs `change` on the inner part of a copy; want(value) there, the rest untouched.
template <class Change, class Want>
void expect_changed(const Field<float>& image, Change&& change, Want&& want) {
  const Box domain = image.stored(), box = test::inner_part(domain);
  auto copy = test::make_field(domain, [&](int z, int y, int x) { return image.view()(z, y, x); });
  change(box, copy.view());
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    const float before = image.view()(z, y, x), got = copy.view()(z, y, x);
    const double right = box.contains(z, y, x) ? want(static_cast<double>(before)) : before;
    EXPECT_EQ(std::isnan(got), std::isnan(right));
    if (std::isnan(right)) return;
    EXPECT_LT(std::abs(got - right), 1e-6 * std::max(1.0, std::abs(right)));
  });
}

TEST_P(Intensity, MapsChangeTheBoxAndNothingElse) {
  expect_changed(
      image, [&](const Box& box, auto view) { rescale(ctx, box, 900, 0.02F, view); },
      [](double v) { return (v - 900) * static_cast<double>(0.02F); });
  expect_changed(
      image, [&](const Box& box, auto view) { clamp(ctx, box, {910, 930}, view); },
      [](double v) { return std::isnan(v) ? v : std::clamp(v, 910.0, 930.0); });
  // Slope 1 below 920, 10 from there to 930, 0 beyond.
  expect_changed(
      image,
      [&](const Box& box, auto view) {
        remap(ctx, box, {910, 920, 930, 931}, {0, 10, 110, 110}, view);
      },
      [](double v) { return v < 920   ? v - 910
                            : v < 930 ? 10 + 10 * (v - 920)
                                      : 110 + 0 * v; });
}

TEST_P(Intensity, StorageGoesAndComes) {
  Field<Half> half(Backend::cpu, domain);
  Field<float> back(Backend::cpu, domain);
  store(ctx, domain, image, half);
  load(ctx, domain, View<const Half>(half.view()), back);
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    const float v = image.view()(z, y, x);
    if (std::isnan(v)) return;
    EXPECT_LE(std::abs(back.view()(z, y, x) - v), 0.25F) << v;
  });
  const auto bytes = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return 255 * noise(z, y, x, 5); });
  ImageView scaled = View<const std::uint8_t>(bytes.view());
  scaled.scale = 0.5F;
  scaled.offset = -3;
  load(ctx, domain, scaled, back);
  EXPECT_EQ(back.data()[7], -3 + 0.5F * bytes.data()[7]);
  Field<std::uint8_t> hard(Backend::cpu, domain);
  store_mask(ctx, domain, 90, back, hard);
  for (std::int64_t i = 0; i < mask.size(); ++i) EXPECT_EQ(hard.data()[i], back.data()[i] >= 90);
}

TEST_P(Intensity, DropsMissingVoxelsFromImageAndMask) {
  image.data()[3] = HUGE_VALF;
  const auto before = test::values(image.view(), domain);
  const auto mask_before = test::values(mask.view(), domain);
  drop_missing(ctx, domain, image, mask);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const bool missing = !std::isfinite(before[i]);
    EXPECT_EQ(image.data()[i], missing ? 0 : before[i]);
    EXPECT_EQ(mask.data()[i], missing ? 0 : mask_before[i]);
  }
}

TEST_P(Intensity, VoxelsBesideTheBoxStayAsTheyAre) {
  const Box box = test::inner_part(domain);
  const auto missing = test::make_field(domain, [](int, int, int) { return HUGE_VALF; });
  const auto twos = test::make_field(domain, [](int, int, int) { return 2.0F; });
  auto loaded = test::make_field(domain, [](int, int, int) { return -7.0F; });
  auto dropped = test::make_field(domain, [](int, int, int) { return HUGE_VALF; });
  auto hard = test::make_field<std::uint8_t>(domain, [](int, int, int) { return 9; });
  auto counts = test::make_field<std::uint8_t>(domain, [](int, int, int) { return 9; });
  Field<Half> half(Backend::cpu, domain);
  for (Half& one : half) one = from_float<Half>(-7);
  load(ctx, box, View<const float>(missing.view()), loaded);
  store(ctx, box, twos, half);
  store_mask(ctx, box, 0, missing, hard);
  drop_missing(ctx, box, dropped, counts);
  test::for_each_voxel(domain, [&](int z, int y, int x) {
    const bool made = box.contains(z, y, x);
    EXPECT_EQ(loaded.view()(z, y, x), made ? HUGE_VALF : -7);
    EXPECT_EQ(to_float(half.view()(z, y, x)), made ? 2 : -7);
    EXPECT_EQ(hard.view()(z, y, x), made ? 1 : 9);
    EXPECT_EQ(dropped.view()(z, y, x), made ? 0 : HUGE_VALF);
    EXPECT_EQ(counts.view()(z, y, x), made ? 0 : 9);
  });
}

TEST_P(Intensity, ExtendsAnImageBeyondItsMaskByOneVoxel) {
  const auto sparse = test::make_field<std::uint8_t>(
      domain, [](int z, int y, int x) { return noise(z, y, x, 9) < 0.05F; });
  const auto before =
      test::make_field(domain, [](int z, int y, int x) { return noise(z, y, x, 2); });
  for (const float hidden : {7.0F, test::nan}) {
    auto got = test::make_field(domain, [&](int z, int y, int x) {
      return sparse.view()(z, y, x) ? before.view()(z, y, x) : hidden;
    });
    const auto parts = test::splits(domain);
    for (const Box& box : parts.back()) extend(ctx, domain, box, sparse, got);
    test::for_each_voxel(domain, [&](int z, int y, int x) {
      double sum = 0, count = 0;
      const Box near = intersect(grow(Box{{z, y, x}, {z + 1, y + 1, x + 1}}, 1), domain);
      test::for_each_voxel(near, [&](int k, int j, int i) {
        if (!sparse.view()(k, j, i)) return;
        sum += static_cast<double>(before.view()(k, j, i));
        ++count;
      });
      const double want = sparse.view()(z, y, x) ? static_cast<double>(before.view()(z, y, x))
                          : count > 0            ? sum / count
                                                 : 0;
      EXPECT_LT(std::abs(static_cast<double>(got.view()(z, y, x)) - want), 1e-6);
    });
  }
}

/// The image is so large, and is counted so often, that a second worker gets some of the planes.
TEST(IntensityThreads, TheCountsOfAllWorkersEnterTheHistogram) {
  const Box box = box_of({200, 64, 64});
  const Field<float> image = test::image(box, 1);
  Context ctx;
  ctx.threads = 4;
  for (int call = 0; call < 40; ++call) {
    const auto counts = histogram(ctx, box, {0, 1}, 16, image, {});
    ASSERT_EQ(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), box.volume()) << call;
  }
}

TEST(IntensityRejects, WhatItCannotDo) {
  Context ctx;
  const Box box = box_of({4, 5, 6}), large = box_of({4, 5, 7});
  Field<float> image = test::image(box, 1);
  EXPECT_THROW(statistics(ctx, large, image, {}), InvalidArgument);
  EXPECT_THROW(statistics(ctx, Box{}, image, {}), InvalidArgument);
  EXPECT_THROW(histogram(ctx, box, {1, 1}, 8, image, {}), InvalidArgument);
  EXPECT_THROW(histogram(ctx, box, {0, 1}, 1 << 20, image, {}), InvalidArgument);
  EXPECT_THROW(remap(ctx, box, {1, 1}, {0, 1}, image), InvalidArgument);
  EXPECT_THROW(remap(ctx, box, {1}, {0}, image), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::intensity
