// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/fetch.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "tests/dist/boxes.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/error.hpp"
#include "ffdp/core/half.hpp"
#include "ffdp/dist/threads.hpp"

namespace ffdp::dist {
namespace {

using namespace test::boxes;

class Fetching : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, Fetching, testing::Values(1, 2, 3, 4, 6, 64),
                         testing::PrintToStringParamName());

TEST_P(Fetching, GivesEveryBoxOfAnyField) {
  run_threads(GetParam(), [&](Comm& comm) {
    Context ctx;
    for (const Cut& cut : {Cut(comm, domain), Cut::always(domain, comm.size())}) {
      const Box own = cut.own(comm);
      const auto scalar = test::make_field(own, value);
      const auto vector = test::make_vector_field(
          own, [](int c, int z, int y, int x) { return value(z, y, x) + 0.25F * c; });
      const auto bytes = test::make_field<std::uint8_t>(
          own, [](int z, int y, int x) { return (7 * z + 3 * y + x) & 255; });
      for (int kind = 0; kind < 4; ++kind) {
        const Box box = wanted_by(comm.rank(), own, kind);
        const auto got = fetched(ctx, comm, cut, scalar, box);
        const auto got_vector = fetched(ctx, comm, cut, vector, box);
        const auto got_bytes = fetched(ctx, comm, cut, bytes, box);
        int wrong = 0;
        test::for_each_voxel(box, [&](int z, int y, int x) {
          wrong += got.view()(z, y, x) != value(z, y, x);
          for (int c = 0; c < 3; ++c)
            wrong += got_vector.view()[c](z, y, x) != value(z, y, x) + 0.25F * c;
          wrong += got_bytes.view()(z, y, x) != ((7 * z + 3 * y + x) & 255);
        });
        EXPECT_EQ(wrong, 0) << "kind " << kind << ", rank " << comm.rank();
      }
    }
  });
}

TEST_P(Fetching, FillsAHaloInPlaceAndLeavesTheRestAlone) {
  run_threads(GetParam(), [&](Comm& comm) {
    Context ctx;
    const Cut cut = Cut::always(domain, comm.size());
    const Box own = cut.own(comm);
    const Box halo = intersect(grow(own, Int3{2, 0, 0}), domain);
    const Box stored = grow(own, Int3{4, 1, 2});
    auto field = test::make_field(stored, value);
    test::poison_outside(field, own);
    Fetch fetch(comm, cut, own.empty() ? Box{} : halo);
    auto transfer = fetch.start(ctx, field.view(), field.view());
    transfer.finish();
    int wrong = 0, kept = 0;
    test::for_each_voxel(stored, [&](int z, int y, int x) {
      const float v = field.view()(z, y, x);
      if (fetch.wanted().contains(z, y, x) || own.contains(z, y, x))
        wrong += v != value(z, y, x);
      else
        kept += v == v;
    });
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(kept, 0);
  });
}

/// <fetch x, y> = <x, adjoint y>, in whole numbers, so to the last bit.
TEST_P(Fetching, AdjointIsTheTranspose) {
  std::vector<double> forward(64, 0), backward(64, 0);
  run_threads(GetParam(), [&](Comm& comm) {
    Context ctx;
    const Cut cut = Cut::always(domain, comm.size());
    const Box own = cut.own(comm);
    for (int kind = 0; kind < 4; ++kind) {
      const Box box = wanted_by(comm.rank(), own, kind);
      const auto x =
          test::make_field(own, [](int z, int y, int i) { return (z * 7 + y * 3 + i) % 11; });
      const auto y = test::make_field(
          box, [&](int z, int j, int i) { return (z * 5 + j + i * 2 + comm.rank()) % 13 - 6; });
      const Fetch fetch(comm, cut, box);
      const auto fx = fetched(ctx, comm, cut, x, box);
      auto ay = test::make_field(own, [](int, int, int) { return 0; });
      fetch.adjoint(ctx, y.view(), ay.view());
      double a = 0, b = 0;
      test::for_each_voxel(box, [&](int z, int j, int i) {
        a += double{fx.view()(z, j, i)} * double{y.view()(z, j, i)};
      });
      test::for_each_voxel(own, [&](int z, int j, int i) {
        b += double{x.view()(z, j, i)} * double{ay.view()(z, j, i)};
      });
      double sums[2] = {a, b};
      comm.all_sum_exact(sums);
      EXPECT_EQ(sums[0], sums[1]);
      EXPECT_NE(sums[0], 0) << "a test of zeros";
    }
  });
}

TEST(Fetch, RejectsABoxOutsideTheDomainAndAFieldThatDoesNotHoldIt) {
  SoloComm comm;
  Context ctx;
  const Cut cut(comm, domain);
  EXPECT_THROW(Fetch(comm, cut, grow(domain, 1)), InvalidArgument);
  const auto field = test::make_field(domain, value);
  Field<float> small(Backend::cpu, test::inner_part(domain));
  EXPECT_THROW(Fetch(comm, cut, domain)(ctx, field.view(), small.view()), InvalidArgument);
  VectorField<float> vector(Backend::cpu, domain);
  EXPECT_THROW(Fetch(comm, cut, domain)(ctx, field.view(), vector.view()), InvalidArgument);
}

}  // namespace
}  // namespace ffdp::dist
