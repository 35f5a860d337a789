// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/vectors/vectors.hpp"

#include <string>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/vectors/backends.hpp"

namespace ffdp::vectors {
namespace {

void check(const Box& box, const char* name, const auto& view) {
  require_boxes("vectors", box, box);
  require_stored("vectors", name, view, box);
}

}  // namespace

void transform(Context& ctx, Box box, const Mat3& m, float limit, VectorView<const float> in,
               VectorView<float> out) {
  check(box, "in", in);
  check(box, "out", out);
  require(limit > 0,
          "vectors: the limit is " + std::to_string(limit) + ", a positive number is needed");
  dispatch(
      ctx, [&](auto& c) { cpu::transform(c, box, m, limit, in, out); },
      [&](auto& c) { cuda::transform(c, box, m, limit, in, out); });
}

void component(Context& ctx, Box box, const Vec3& row, VectorView<const float> in,
               View<float> out) {
  check(box, "in", in);
  check(box, "out", out);
  dispatch(
      ctx, [&](auto& c) { cpu::component(c, box, row, in, out); },
      [&](auto& c) { cuda::component(c, box, row, in, out); });
}

void average(Context& ctx, Box box, VectorView<float> a, VectorView<const float> b) {
  check(box, "a", a);
  check(box, "b", b);
  dispatch(
      ctx, [&](auto& c) { cpu::average(c, box, a, b); },
      [&](auto& c) { cuda::average(c, box, a, b); });
}

void copy(Context& ctx, Box box, VectorView<const float> from, VectorView<float> to) {
  check(box, "from", from);
  check(box, "to", to);
  dispatch(
      ctx, [&](auto& c) { cpu::copy(c, box, from, to); },
      [&](auto& c) { cuda::copy(c, box, from, to); });
}

void zero(Context& ctx, Box box, VectorView<float> field) {
  check(box, "field", field);
  dispatch(
      ctx, [&](auto& c) { cpu::zero(c, box, field); }, [&](auto& c) { cuda::zero(c, box, field); });
}

float largest(Context& ctx, Box box, VectorView<const float> field) {
  check(box, "field", field);
  return dispatch(
      ctx, [&](auto& c) { return cpu::largest(c, box, field); },
      [&](auto& c) { return cuda::largest(c, box, field); });
}

Extent extent(Context& ctx, Box box, VectorView<const float> field) {
  check(box, "field", field);
  return dispatch(
      ctx, [&](auto& c) { return cpu::extent(c, box, field); },
      [&](auto& c) { return cuda::extent(c, box, field); });
}

template <class T>
PlaneSums<double> sum_squares(Context& ctx, Box box, VectorView<const T> field) {
  check(box, "field", field);
  return dispatch(
      ctx, [&](auto& c) { return cpu::sum_squares(c, box, field); },
      [&](auto& c) { return cuda::sum_squares(c, box, field); });
}
template PlaneSums<double> sum_squares(Context&, Box, VectorView<const float>);
template PlaneSums<double> sum_squares(Context&, Box, VectorView<const Half>);

}  // namespace ffdp::vectors
