// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>

#include "ffdp/ops/common/sweep_sums.cuh"

/// The contract of an Op, which tells the kernels of sweep.cuh and box_pipeline.cuh what to sum and
/// what to do with the sums.
namespace ffdp::device {

/// A kernel reads some fields (raws), makes some values of the raws of a voxel, and sums some
/// quantities over its window, which are products of the values. It passes the sums of two
/// neighbours along x to the Op, which writes what it makes of them. An Op may have own fields, of
/// which it reads the voxel itself; the kernel loads them before it calls the Op. If an Op has a
/// member start(), the kernel calls that first; it may read device memory.
template <class Op>
concept WindowOp =
    requires(const Op op, typename Op::Place place, Neighbours neighbours, WindowState state, int k,
             const float (&raw)[Op::raws], float (&value)[Op::values], float (&sum)[Op::quantities],
             const float (&sums)[Op::quantities][2], const typename Op::Own (&own)[Op::own + 1][2],
             typename Op::Sum total) {
      // Numbers of raws, of values, of quantities and of own fields, whose type is Own.
      requires Op::raws > 0 && Op::values > 0 && Op::quantities > 0 && Op::own >= 0;
      // Whether voxels where raw 0 or 1 is NaN are left out of the windows and counted.
      { Op::missing } -> std::convertible_to<bool>;
      // With reach 1: rows that a warp of sweep.cuh makes (1 or 2), its blocks per multiprocessor.
      requires Op::template rows<1> == 1 || Op::template rows<1> == 2;
      requires Op::template blocks<1> > 0;
      // Whether two neighbours may be read or written with one access; whether own fields are read.
      { op.paired } -> std::convertible_to<bool>;
      { op.reads_own } -> std::convertible_to<bool>;
      // Raw k, and its value outside the domain. There, all quantities must be 0.
      { op.view(k) } -> std::convertible_to<View<const float>>;
      { op.outside(k) } -> std::convertible_to<float>;
      op.prepare(raw, value);    // makes the values of a voxel
      op.add(1.0F, value, sum);  // sum += the factor times the quantities of a voxel
      // Place: the addresses that the Op reads and writes for two neighbours.
      { op.place(neighbours) } -> std::same_as<typename Op::Place>;
      op.next_plane(place);  // moves them up by a plane
      { op.own_at(place, k) } -> std::convertible_to<const typename Op::Own*>;  // own field k
      // Takes the finished sums of two neighbours. `total` (a Sum) adds up over all voxels.
      op.emit(place, neighbours, sums, state, own, total);
      total += total;
    };

/// The smallest Op, as an example: `scale` times the box sum of an image.
struct ScaledBoxSum {
  View<const float> image;
  View<float> out;
  float scale;

  static constexpr int raws = 1, values = 1, quantities = 1, own = 0;
  static constexpr bool missing = false, paired = false, reads_own = false;
  template <int R>
  static constexpr int rows = 2;
  template <int R>
  static constexpr int blocks = 2;
  using Own = float;
  using Sum = NoSum;
  using Place = float*;

  FFDP_HD View<const float> view(int) const { return image; }
  __device__ float outside(int) const { return 0; }
  __device__ void prepare(const float (&raw)[1], float (&value)[1]) const { value[0] = raw[0]; }
  __device__ void add(float factor, const float (&value)[1], float (&sum)[1]) const {
    sum[0] += factor * value[0];
  }
  __device__ Place place(const Neighbours& n) const { return &out(n.z, n.y, n.x); }
  __device__ void next_plane(Place& to) const { to += out.stride_z; }
  __device__ const float* own_at(const Place&, int) const { return nullptr; }
  __device__ void emit(Place to, const Neighbours& n, const float (&sums)[1][2], const WindowState&,
                       const float (&)[1][2], Sum&) const {
    for (int i = n.skip; i < n.end; ++i) to[i] = scale * sums[0][i];
  }
};
static_assert(WindowOp<ScaledBoxSum>);

}  // namespace ffdp::device
