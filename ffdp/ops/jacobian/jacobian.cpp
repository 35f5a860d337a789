// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/jacobian/jacobian.hpp"

#include <algorithm>
#include <cmath>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/jacobian/backends.hpp"

namespace ffdp::jacobian {
namespace {

void check(const Box& domain, const Box& compute, const VectorView<const float>& displacement) {
  require_boxes("jacobian", domain, compute);
  require_stored("jacobian", "displacement", displacement,
                 intersect(grow(compute, halo()), domain));
}

}  // namespace

double Statistics::sd_log() const {
  const auto n = static_cast<double>(count - folded);
  if (n <= 0) return 0;
  const double mean = sum_log / n;
  return std::sqrt(std::max(0.0, sum_log_squared / n - mean * mean));
}

double Statistics::mean_change() const {
  return sum_log_size > 0 ? sum_log_squared / sum_log_size : 0;
}

double Statistics::extent() const {
  return sum_log_squared > 0 ? std::cbrt(sum_log_size * sum_log_size / sum_log_squared) : 0;
}

void forward(Context& ctx, const Box& domain, const Box& compute,
             const VectorView<const float>& displacement, const View<float>& determinant) {
  check(domain, compute, displacement);
  require_stored("jacobian", "determinant", determinant, compute);
  dispatch(ctx,
           [&]<Backend B>() { On<B>::forward(ctx, domain, compute, displacement, determinant); });
}

PlaneSums<Statistics> statistics(Context& ctx, const Box& domain, const Box& compute,
                                 const VectorView<const float>& displacement,
                                 const View<const std::uint8_t>& mask) {
  check(domain, compute, displacement);
  if (mask) require_stored("jacobian", "mask", mask, compute);
  return dispatch(ctx, [&]<Backend B>() {
    return On<B>::statistics(ctx, domain, compute, displacement, mask);
  });
}

std::vector<Int3> voxels_below(Context& ctx, const Box& domain, const Box& compute, double least,
                               const VectorView<const float>& displacement) {
  check(domain, compute, displacement);
  return dispatch(ctx, [&]<Backend B>() {
    return On<B>::voxels_below(ctx, domain, compute, least, displacement);
  });
}

}  // namespace ffdp::jacobian
