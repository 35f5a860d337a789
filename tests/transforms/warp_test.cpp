// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/warp.hpp"

#include <utility>

#include "tests/support/compare.hpp"
#include "tests/support/context.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

namespace ffdp::transforms {
namespace {

using test::relative_error;

TEST(Warp, TurnsAWorldVectorIntoStepsAndBack) {
  DisplacementImage d;
  d.grid.size = {3, 4, 5};
  d.grid.spacing = {0.5, 2, 4};
  d.grid.direction = {
      {{0, -1, 0}, {1, 0, 0}, {0, 0, -1}}};  // x index along +y, y along -x, z along -z
  d.data = test::make_vector_field(d.grid.domain(), [](int c, int, int, int) { return c + 1; });
  Context ctx = test::two_threads();
  const Grid grid = d.grid;
  const auto before = test::values(d.data.view(), grid.domain());
  VectorField<float> u = to_voxels(ctx, std::move(d));
  for (int c = 0; c < 3; ++c)
    for (double value : test::values(u.view()[c], grid.domain()))
      EXPECT_LT(relative_error(value, c == 0 ? -3.0 / 4 : c == 1 ? -1.0 / 2 : 2 / 0.5), 1e-6);
  const auto difference = test::compare(to_world(ctx, grid, std::move(u)).data, before);
  EXPECT_LT(difference.relative_max, 1e-6) << difference;
}

TEST(Warp, FoldsAreRepairedAndTheRestIsLeftAlone) {
  const Box domain = box_of({12, 16, 30});
  const auto make = [&] {
    return test::make_vector_field(domain, [](int c, int z, int y, int x) {
      return c == 2 && z == 6 && y == 8 && x == 15 ? -4 : 0.1 * c;
    });
  };
  Context ctx = test::two_threads();
  dist::SoloComm solo;
  VectorField<float> u = make();
  ASSERT_GT(jacobian::statistics(ctx, domain, domain, u, {}).total().folded, 0);
  const auto after = repair_folds(ctx, solo, dist::Cut(solo, domain), u, 0.01, 50);
  EXPECT_EQ(after.folded, 0);
  EXPECT_EQ(jacobian::statistics(ctx, domain, domain, u, {}).total().folded, 0);
  const Box far{{0, 0, 0}, {12, 16, 6}};
  EXPECT_EQ(test::values(u.view(), far), test::values(make().view(), far));
}

}  // namespace
}  // namespace ffdp::transforms
