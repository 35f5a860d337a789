// SPDX-License-Identifier: Apache-2.0
// Images in half precision, uint8 and uint16 give what their intensities give as float32.
#include <algorithm>
#include <bit>
#include <cmath>

#include "tests/support/compare.hpp"
#include "tests/support/device.hpp"
#include "tests/support/fields.hpp"

#include <gtest/gtest.h>

#include "ffdp/core/copy.hpp"
#include "ffdp/ops/resize/resize.hpp"
#include "ffdp/ops/sampler/sampler.hpp"

namespace ffdp {
namespace {

template <class T>
class CudaStorage : public testing::Test {
 protected:
  void SetUp() override { test::has_device(); }
};

using Types = testing::Types<float, Half, std::uint8_t, std::uint16_t>;
TYPED_TEST_SUITE(CudaStorage, Types);

template <class T>
T stored_value(int z, int y, int x) {
  const float value = 40 + 30 * noise(z, y, x, 3);  // within every type
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, Half>)
    return from_float<T>(value);
  else
    return static_cast<T>(value);
}

TYPED_TEST(CudaStorage, GivesWhatItsIntensitiesGiveAsFloats) {
  using T = TypeParam;
  const Box domain = box_of({9, 11, 14});
  Context ctx;
  ctx.backend = Backend::cuda;
  const auto raw = test::make_field<T>(domain, stored_value<T>);
  const float scale = std::is_same_v<T, float> ? 1.0F : 0.25F;
  const float offset = std::is_same_v<T, float> ? 0.0F : -3.0F;
  const auto values = test::make_field<float>(domain, [&](int z, int y, int x) {
    return offset + scale * to_float(stored_value<T>(z, y, x));
  });
  const auto stored = copy_to(ctx, Backend::cuda, raw);
  const auto floats = copy_to(ctx, Backend::cuda, values);
  ImageView image(stored);
  image.scale = scale;
  image.offset = offset;

  const auto u =
      copy_to(ctx, Backend::cuda, test::make_vector_field(domain, [](int c, int z, int y, int x) {
                return 1.5F * noise(z, y, x, 7U + static_cast<std::uint32_t>(c)) - 0.7F;
              }));
  sampler::Params p;
  p.map.linear = {{{1.02, 0.1, 0}, {-0.1, 0.98, 0.03}, {0, 0.02, 1}}};
  p.displacement_map = p.map.linear;
  p.moving_domain = domain;
  p.outside = -1;
  const Box small = box_of({5, 6, 8});
  const auto run = [&](const ImageView& from) {
    std::vector<double> result;
    const auto append = [&](const auto& field) {
      const auto host = copy_to(ctx, Backend::cpu, field);
      result.insert(result.end(), host.begin(), host.end());
    };
    Field<float> warped(Backend::cuda, domain), shrunk(Backend::cuda, small);
    VectorField<float> grad(Backend::cuda, domain);
    result.push_back(
        static_cast<double>(sampler::forward(ctx, p, domain, domain, from, u, {}, warped)));
    append(warped);
    sampler::forward_uncounted(ctx, p, domain, domain, from, u, {}, warped);
    append(warped);
    sampler::backward_displacement(ctx, p, domain, domain, from, u, floats,
                                   {grad, 0.7F, sampler::Into::overwrite});
    append(grad);
    const auto affine = sampler::backward_affine(ctx, p, domain, domain, from, u, floats).total();
    for (int c = 0; c < 3; ++c) {
      result.push_back(affine.translation[c]);
      for (int k = 0; k < 3; ++k) result.push_back(affine.map[c][k]);
    }
    resize::shrink(ctx, {}, {domain, small}, small, from, shrunk);
    append(shrunk);
    return result;
  };
  const auto difference = test::compare(run(image), run(floats));
  EXPECT_LT(difference.relative_l2, 1e-5) << difference;
}

/// Of a part alone in memory of its own, samples count whose corners are stored, and have the bits
/// of the whole. compute-sanitizer sees a read beside it.
TYPED_TEST(CudaStorage, PartsAreReadWhereTheyAreStored) {
  using T = TypeParam;
  const Box domain = box_of({9, 11, 14}), part{{3, 2, 4}, {7, 9, 12}};
  Context ctx;
  ctx.backend = Backend::cuda;
  const auto on_device = [&](const auto& field) { return copy_to(ctx, Backend::cuda, field); };
  const auto whole = on_device(test::make_field<T>(domain, stored_value<T>));
  const auto alone = on_device(test::make_field<T>(part, stored_value<T>));
  const auto g = on_device(test::image(domain, 6));
  const auto u = on_device(test::displacement(domain, domain, 2.5, 5));
  auto poisoned_host = test::image(domain, 3);
  test::poison_outside(poisoned_host, part);
  const auto poisoned = on_device(poisoned_host);
  sampler::Params p;
  p.map.linear = {{{1.021, 0.103, 0.017}, {-0.101, 0.983, 0.031}, {0.011, 0.023, 1.007}}};
  p.displacement_map = p.map.linear;
  p.moving_domain = domain;
  const auto run = [&](const ImageView& from) {
    Field<float> warped(Backend::cuda, domain), counted(Backend::cuda, domain);
    VectorField<float> grad(Backend::cuda, domain);
    sampler::forward_uncounted(ctx, p, domain, domain, from, u, {}, warped);
    sampler::forward(ctx, p, domain, domain, from, u, {}, counted);
    sampler::backward_displacement(ctx, p, domain, domain, from, u, g,
                                   {grad, 0.7F, sampler::Into::overwrite});
    sampler::backward_affine(ctx, p, domain, domain, from, u, g);
    std::vector<float> result;
    const auto append = [&](const auto& field) {
      const auto host = copy_to(ctx, Backend::cpu, field);
      result.insert(result.end(), host.begin(), host.end());
    };
    append(warped);
    append(counted);
    append(grad);
    return result;
  };
  const auto all = run(whole), some = run(alone), known = run(poisoned);
  std::int64_t counting = 0, wrong = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool counts = !std::isnan(known[i]);
    const bool value = i < 2 * static_cast<std::size_t>(domain.volume());
    counting += counts;
    if (counts)
      wrong += some[i] != all[i];
    else
      wrong += value ? !std::isnan(some[i]) : some[i] != 0;
  }
  EXPECT_GT(counting, 4 * part.volume());
  EXPECT_EQ(wrong, 0);
}

/// Parts that overlap by a plane, one after the other, give the bits of the whole.
TYPED_TEST(CudaStorage, PartsOneAfterTheOtherGiveTheBitsOfTheWhole) {
  using T = TypeParam;
  const Box domain = box_of({13, 11, 14});
  Context ctx;
  ctx.backend = Backend::cuda;
  const auto on_device = [&](const auto& field) { return copy_to(ctx, Backend::cuda, field); };
  const auto whole = on_device(test::make_field<T>(domain, stored_value<T>));
  const auto g = on_device(test::image(domain, 6));
  const auto u = on_device(test::displacement(domain, domain, 2.5, 5));
  sampler::Params p;  // a turn by 60 degrees
  p.map.linear = {{{0.5, 0.87, 0.02}, {-0.86, 0.51, 0}, {0.01, 0.02, 1}}};
  p.map.translation = {-1.7, 7.9, 0.3};
  p.displacement_map = p.map.linear;
  p.moving_domain = domain;
  const auto scaled = [](const auto& field) {
    ImageView image(field);
    if (!std::is_same_v<T, float>) image.scale = 0.25F, image.offset = -3;
    return image;
  };
  const auto mask_at = [](int z, int y, int x) { return noise(z, y, x, 9) < 0.8F; };
  const auto mask = on_device(test::make_field<std::uint8_t>(domain, mask_at));
  Field<float> want(Backend::cuda, domain);
  VectorField<float> want_u(Backend::cuda, domain);
  sampler::forward_uncounted(ctx, p, domain, domain, scaled(whole), u, {mask.view(), mask.view()},
                             want);
  for (const auto into : {sampler::Into::overwrite, sampler::Into::add})
    sampler::backward_displacement(ctx, p, domain, domain, scaled(whole), u, g,
                                   {want_u, 0.7F, into});
  const auto bits = [&](const auto& field) {
    const auto host = copy_to(ctx, Backend::cpu, field);
    std::vector<std::uint32_t> words;
    for (const float value : host) words.push_back(std::bit_cast<std::uint32_t>(value));
    return words;
  };
  for (const int count : {1, 2, 3, 4, 6}) {
    Field<float> got(Backend::cuda, domain);
    VectorField<float> slopes(Backend::cuda, domain), got_u(Backend::cuda, domain);
    for (int i = count - 1; i >= 0; --i) {
      Box box = domain;
      box.lo[0] = i * domain.size(0) / count;
      box.hi[0] = std::min((i + 1) * domain.size(0) / count + 1, domain.hi[0]);
      const auto part = on_device(test::make_field<T>(box, stored_value<T>));
      const auto part_mask = on_device(test::make_field<std::uint8_t>(box, mask_at));
      sampler::forward_part(ctx, p, domain, domain, scaled(part), u,
                            {mask.view(), part_mask.view()}, {got, slopes});
      synchronize(ctx);
    }
    for (const auto into : {sampler::Into::overwrite, sampler::Into::add})
      sampler::backward_slopes(ctx, p, domain, domain, slopes, g, {got_u, 0.7F, into});
    EXPECT_EQ(bits(got), bits(want)) << count << " parts";
    EXPECT_EQ(bits(got_u), bits(want_u)) << count << " parts";
  }
}

}  // namespace
}  // namespace ffdp
