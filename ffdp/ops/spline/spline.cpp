// SPDX-License-Identifier: Apache-2.0
#include "ffdp/ops/spline/spline.hpp"

#include <vector>

#include "ffdp/ops/common/checks.hpp"
#include "ffdp/ops/common/dispatch.hpp"
#include "ffdp/ops/spline/backends.hpp"

namespace ffdp::spline {
namespace {

/// Cubic B-spline of unit knots.
double bell(double t) {
  const double d = std::abs(t);
  if (d >= 2) return 0;
  return d < 1 ? 2.0 / 3 + d * d * (d / 2 - 1) : (2 - d) * (2 - d) * (2 - d) / 6;
}

/// The weight of a voxel at u for control point i: the cube of its bell divided by the sum of the
/// squares of all bells there (README).
double datum_weight(double u, int i) {
  const int first = static_cast<int>(std::floor(u)) - 1;
  double squares = 0;
  for (int k = first; k < first + 4; ++k) squares += bell(u - k) * bell(u - k);
  const double b = bell(u - i);
  return b * b * b / squares;
}

/// Positions u of voxels lo to hi of an axis among the control points.
struct Axis {
  int lo, hi;  ///< of the domain
  double knots;
  double position(int x) const { return (x - lo) / knots; }
  int first_control(int x) const { return static_cast<int>(std::floor(position(x))) - 1; }
};

AxisWeights reduce_weights(const Axis& axis, int control_lo, int control_hi, int readable_hi) {
  AxisWeights result;
  std::vector<std::vector<double>> rows;
  for (int i = control_lo; i < control_hi; ++i) {
    const int x_lo = std::max(axis.lo, axis.lo + static_cast<int>(std::ceil((i - 2) * axis.knots)));
    const int x_hi =
        std::min(axis.hi, axis.lo + static_cast<int>(std::floor((i + 2) * axis.knots)) + 1);
    std::vector<double> row;
    double sum = 0;
    for (int x = x_lo; x < x_hi; ++x) {
      row.push_back(datum_weight(axis.position(x), i));
      sum += row.back();
    }
    // No voxel may contribute to a control point at the very edge.
    for (double& w : row) w = sum > 0 ? w / sum : 0;
    result.count = std::max(result.count, static_cast<int>(row.size()));
    result.first.push_back(x_lo);
    rows.push_back(std::move(row));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const int first = std::min(result.first[i], readable_hi - result.count);
    rows[i].insert(rows[i].begin(), static_cast<std::size_t>(result.first[i] - first), 0.0);
    rows[i].resize(static_cast<std::size_t>(result.count), 0.0);
    result.first[i] = first;
    for (double w : rows[i]) result.weights.push_back(static_cast<float>(w));
  }
  return result;
}

AxisWeights expand_weights(const Axis& axis, int lo, int hi) {
  AxisWeights result;
  result.count = 4;
  for (int x = lo; x < hi; ++x) {
    const int first = axis.first_control(x);
    result.first.push_back(first);
    for (int k = 0; k < 4; ++k)
      result.weights.push_back(static_cast<float>(bell(axis.position(x) - (first + k))));
  }
  return result;
}

AxisMesh unchanged(int lo, int hi) {
  AxisMesh mesh{lo, hi, {}, {}};
  mesh.reduce.count = 1;
  for (int x = lo; x < hi; ++x) {
    mesh.reduce.first.push_back(x);
    mesh.reduce.weights.push_back(1);
  }
  mesh.expand = mesh.reduce;
  return mesh;
}

AxisMesh axis_mesh(double knots, const Box& domain, const Box& reach, const Box& compute, int a) {
  if (knots == 0) return unchanged(compute.lo[a], compute.hi[a]);
  const Axis axis{domain.lo[a], domain.hi[a], knots};
  const int lo = axis.first_control(compute.lo[a]);
  const int hi = axis.first_control(compute.hi[a] - 1) + 4;
  return {lo, hi, reduce_weights(axis, lo, hi, reach.hi[a]),
          expand_weights(axis, compute.lo[a], compute.hi[a])};
}

}  // namespace

void forward(Context& ctx, const Params& p, Box domain, Box compute, VectorView<const float> in,
             VectorView<float> out) {
  require_boxes("spline", domain, compute);
  for (double knots : p.knots)
    require(knots == 0 || (knots >= 1 && knots <= 256),
            "spline: the knots are " + std::to_string(knots) +
                " voxels apart, must be 0 or within 1 and 256");
  const Box reach = intersect(grow(compute, halo(p)), domain);
  require_stored("spline", "in", in, reach);
  require_stored("spline", "out", out, compute);
  require(static_cast<const void*>(in.data) != static_cast<const void*>(out.data),
          "spline: out is the same memory as in, must not overlap it");
  Mesh mesh;
  for (int a = 0; a < 3; ++a) mesh[a] = axis_mesh(p.knots[a], domain, reach, compute, a);
  dispatch(ctx, [&]<Backend B>() { On<B>::forward(ctx, mesh, reach, compute, in, out); });
}

}  // namespace ffdp::spline
