// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/half.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace ffdp {
namespace {

TEST(Half, EveryFiniteValueSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Half half{static_cast<std::uint16_t>(bits)};
    if ((bits & 0x7c00U) == 0x7c00U) continue;  // infinite or NaN
    EXPECT_EQ(from_float<Half>(to_float(half)), half) << bits;
  }
  EXPECT_TRUE(std::isnan(to_float(from_float<Half>(NAN))));
  EXPECT_EQ(to_float(from_float<Half>(1e9F)), 65504);
  EXPECT_EQ(to_float(from_float<Half>(-INFINITY)), -65504);
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(to_float(Half{0x3c00}), 1);
  EXPECT_EQ(to_float(Half{0x0001}), 0x1p-24F);
  for (std::uint16_t bits = 0; bits < 0x7bff; ++bits) {
    const Half lower{bits}, upper{static_cast<std::uint16_t>(bits + 1)};
    const float middle = 0.5F * (to_float(lower) + to_float(upper));
    EXPECT_EQ(from_float<Half>(middle), bits % 2 == 0 ? lower : upper) << bits;
    EXPECT_EQ(from_float<Half>(std::nextafter(middle, 0.0F)), lower) << bits;
    EXPECT_EQ(from_float<Half>(std::nextafter(middle, 1e9F)), upper) << bits;
  }
}

}  // namespace
}  // namespace ffdp
