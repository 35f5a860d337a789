// SPDX-License-Identifier: Apache-2.0
#include "ffdp/transforms/spline_shards.hpp"

#include <cstdint>

#include "ffdp/dist/fetch.hpp"
#include "ffdp/ops/points/points.hpp"
#include "ffdp/transforms/kernels.hpp"

namespace ffdp::transforms {
namespace {

/// z and y exchanged.
Box turned(const Box& box) {
  return {{box.lo[1], box.lo[0], box.lo[2]}, {box.hi[1], box.hi[0], box.hi[2]}};
}
template <class T>
View<T> turned(const View<T>& view) {
  return {view.data, turned(view.stored), view.stride_y, view.stride_z};
}

}  // namespace

template <class T>
Image<SplineCoefficient<T>> spline_coefficients(Context& ctx, dist::Comm& comm,
                                                const Image<T>& image, const Box& wanted) {
  using Coefficient = SplineCoefficient<T>;
  constexpr int cubic = 3;
  const dist::Cut cut(comm, image.grid.domain());
  const Box own = cut.own(comm);
  Field<Coefficient> planes(Backend::cpu, own);
  const View<const T> from = image.data.view();
  const View<Coefficient> to = planes.view();
  for (int z = own.lo[0]; z < own.hi[0]; ++z)
    for (int y = own.lo[1]; y < own.hi[1]; ++y)
      for (int x = own.lo[2]; x < own.hi[2]; ++x)
        to(z, y, x) = static_cast<Coefficient>(from(z, y, x));
  filter_planes(ctx, cubic, to);
  if (cut.whole()) {
    filter_columns(ctx, cubic, to);
    return {image.grid, std::move(planes)};
  }
  const dist::Cut rows = dist::Cut::always(turned(cut.domain()), comm.size());
  auto columns = dist::fetched(ctx, comm, cut, planes, turned(rows.own(comm)));
  planes = {};
  filter_columns(ctx, cubic, columns.view());
  Field<Coefficient> result(Backend::cpu, wanted);
  dist::Fetch(comm, rows, turned(wanted))(ctx, turned(columns.view()), turned(result.view()));
  return {image.grid, std::move(result)};
}

template Image<SplineCoefficient<std::uint8_t>> spline_coefficients(Context&, dist::Comm&,
                                                                    const Image<std::uint8_t>&,
                                                                    const Box&);
template Image<SplineCoefficient<std::int8_t>> spline_coefficients(Context&, dist::Comm&,
                                                                   const Image<std::int8_t>&,
                                                                   const Box&);
template Image<SplineCoefficient<std::uint16_t>> spline_coefficients(Context&, dist::Comm&,
                                                                     const Image<std::uint16_t>&,
                                                                     const Box&);
template Image<SplineCoefficient<std::int16_t>> spline_coefficients(Context&, dist::Comm&,
                                                                    const Image<std::int16_t>&,
                                                                    const Box&);
template Image<SplineCoefficient<std::uint32_t>> spline_coefficients(Context&, dist::Comm&,
                                                                     const Image<std::uint32_t>&,
                                                                     const Box&);
template Image<SplineCoefficient<std::int32_t>> spline_coefficients(Context&, dist::Comm&,
                                                                    const Image<std::int32_t>&,
                                                                    const Box&);
template Image<SplineCoefficient<std::uint64_t>> spline_coefficients(Context&, dist::Comm&,
                                                                     const Image<std::uint64_t>&,
                                                                     const Box&);
template Image<SplineCoefficient<std::int64_t>> spline_coefficients(Context&, dist::Comm&,
                                                                    const Image<std::int64_t>&,
                                                                    const Box&);
template Image<SplineCoefficient<float>> spline_coefficients(Context&, dist::Comm&,
                                                             const Image<float>&, const Box&);
template Image<SplineCoefficient<double>> spline_coefficients(Context&, dist::Comm&,
                                                              const Image<double>&, const Box&);

}  // namespace ffdp::transforms
