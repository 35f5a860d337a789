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
  dispatch(ctx, [&]<Backend B>() { On<B>::transform(ctx, box, m, limit, in, out); });
}

void component(Context& ctx, Box box, const Vec3& row, VectorView<const float> in,
               View<float> out) {
  check(box, "in", in);
  check(box, "out", out);
  dispatch(ctx, [&]<Backend B>() { On<B>::component(ctx, box, row, in, out); });
}

void average(Context& ctx, Box box, VectorView<float> a, VectorView<const float> b) {
  check(box, "a", a);
  check(box, "b", b);
  dispatch(ctx, [&]<Backend B>() { On<B>::average(ctx, box, a, b); });
}

void copy(Context& ctx, Box box, VectorView<const float> from, VectorView<float> to) {
  check(box, "from", from);
  check(box, "to", to);
  dispatch(ctx, [&]<Backend B>() { On<B>::copy(ctx, box, from, to); });
}

void zero(Context& ctx, Box box, VectorView<float> field) {
  check(box, "field", field);
  dispatch(ctx, [&]<Backend B>() { On<B>::zero(ctx, box, field); });
}

float largest(Context& ctx, Box box, VectorView<const float> field) {
  check(box, "field", field);
  return dispatch(ctx, [&]<Backend B>() { return On<B>::largest(ctx, box, field); });
}

Extent extent(Context& ctx, Box box, VectorView<const float> field) {
  check(box, "field", field);
  return dispatch(ctx, [&]<Backend B>() { return On<B>::extent(ctx, box, field); });
}

template <class T>
PlaneSums<double> sum_squares(Context& ctx, Box box, VectorView<const T> field) {
  check(box, "field", field);
  return dispatch(ctx, [&]<Backend B>() { return On<B>::sum_squares(ctx, box, field); });
}
template decltype(sum_squares<float>) sum_squares<float>;
template decltype(sum_squares<Half>) sum_squares<Half>;

}  // namespace ffdp::vectors
