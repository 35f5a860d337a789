// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/box.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/view.hpp"

namespace ffdp {
namespace {

TEST(Box, IsHalfOpen) {
  const Box box{{1, 2, 3}, {4, 6, 8}};
  EXPECT_TRUE(box.contains(1, 2, 3));
  EXPECT_TRUE(box.contains(3, 5, 7));
  EXPECT_FALSE(box.contains(4, 5, 7));
  EXPECT_EQ(box.volume(), 60);
  EXPECT_TRUE((Box{{1, 1, 1}, {1, 2, 2}}.empty()));
}

TEST(Box, IntersectsAndGrows) {
  const Box a = box_of({10, 10, 10}), b{{8, -2, 4}, {12, 5, 6}};
  EXPECT_EQ(intersect(a, b), (Box{{8, 0, 4}, {10, 5, 6}}));
  EXPECT_TRUE(intersect(a, Box{{20, 20, 20}, {30, 30, 30}}).empty());
  EXPECT_EQ(grow(b, {1, 2, 3}), (Box{{7, -4, 1}, {13, 7, 9}}));
  EXPECT_TRUE(a.contains(intersect(a, b)));
  EXPECT_EQ(to_string(b), "[8,12)x[-2,5)x[4,6)");
}

TEST(View, OffsetsBeyondTwoToThe31) {
  const Box box = box_of({3000, 3000, 3000});
  EXPECT_EQ(box.volume(), 27000000000);
  const View<float> view{nullptr, box, std::int64_t{3000} * 3000, 3000};
  EXPECT_EQ(view.offset(2999, 2999, 2999), box.volume() - 1);
}

TEST(View, IsIndexedByGlobalVoxels) {
  int data[2 * 3 * 4];
  for (int i = 0; i < 24; ++i) data[i] = i;
  const View<int> view{data, {{5, -1, 10}, {7, 2, 14}}, 12, 4};
  EXPECT_EQ(view(5, -1, 10), 0);
  EXPECT_EQ(view(6, 1, 13), 23);
  EXPECT_EQ(view.row(6, 0)[11], 12 + 4 + 1);
}

}  // namespace
}  // namespace ffdp
