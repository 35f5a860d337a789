// SPDX-License-Identifier: Apache-2.0
#include "cli/slices.hpp"

#include <cmath>
#include <utility>

#include "ffdp/core/copy.hpp"

namespace ffdp::cli {
namespace {

/// The axis (z, y, x) of a slice that has one voxel; -1 if none or several have.
int single_axis(const Grid& grid) {
  int found = -1;
  for (int a = 0; a < 3; ++a) {
    if (grid.size[a] > 1) continue;
    if (found >= 0) return -1;
    found = a;
  }
  return found;
}

/// The axes of a slice in the order in which they become z, y, x: the single one first. Voxels keep
/// their order in memory.
std::array<int, 3> order_of(int single) {
  return single == 0   ? std::array{0, 1, 2}
         : single == 1 ? std::array{1, 0, 2}
                       : std::array{2, 0, 1};
}

Vec3 column(const Grid& grid, int axis_zyx) {
  Vec3 c;
  for (int i = 0; i < 3; ++i) c[i] = grid.direction[i][2 - axis_zyx];
  return c;
}

bool along(const Vec3& a, const Vec3& b) {
  return std::abs(std::abs(a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) - 1) < 1e-6;
}

/// World to a frame whose x, y and z are the axes of a slice.
Affine frame_of(const Grid& grid, const std::array<int, 3>& order) {
  Affine frame;
  for (int i = 0; i < 3; ++i) frame.linear[i] = column(grid, order[2 - i]);
  return frame;
}

Grid in_frame(const Grid& grid, const Affine& frame, const std::array<int, 3>& order) {
  Grid r;
  r.origin = frame(grid.origin);
  for (int a = 0; a < 3; ++a) {
    const int from = order[a];
    r.size[a] = grid.size[from];
    r.spacing[2 - a] = grid.spacing[2 - from];
    const Vec3 c = column(grid, from);
    for (int i = 0; i < 3; ++i) {
      double sum = 0;
      for (int k = 0; k < 3; ++k) sum += frame.linear[i][k] * c[k];
      r.direction[i][2 - a] = std::abs(sum) < 1e-12 ? 0 : sum;
    }
  }
  return r;
}

template <class T>
void put(Context& ctx, Image<T>& image, const Affine& frame, const std::array<int, 3>& order) {
  image.grid = in_frame(image.grid, frame, order);
  Field<T> data(image.data.backend(), image.grid.domain());
  copy_bytes(ctx, data.backend(), data.data(), data.backend(), image.data.data(),
             static_cast<std::size_t>(data.size()) * sizeof(T));
  image.data = std::move(data);
}

}  // namespace

Slices::Slices(Context& ctx, registration::Inputs& in) {
  const int single = single_axis(in.fixed[0].grid);
  if (single < 0) return;
  for (const auto* images : {&in.fixed, &in.moving})
    for (const auto& image : *images)
      if (single_axis(image.grid) < 0) return;
  fixed_ = in.fixed[0].grid;
  const Grid moving = in.moving[0].grid;
  const Vec3 normal = column(fixed_, single), up{0, 0, 1};
  const int moving_single = single_axis(moving);
  const Vec3 moving_normal = column(moving, moving_single);
  if (single == 0 && moving_single == 0 && along(normal, up) && along(moving_normal, up)) return;
  turned_ = true;
  axis_ = order_of(single);
  const auto moving_order = order_of(moving_single);
  fixed_to_frame_ = frame_of(fixed_, axis_);
  // Parallel slices share the frame, so that the headers give their relative position.
  moving_to_frame_ =
      along(normal, moving_normal) ? fixed_to_frame_ : frame_of(moving, moving_order);
  for (auto& image : in.fixed) put(ctx, image, fixed_to_frame_, order_of(single_axis(image.grid)));
  for (auto& image : in.moving)
    put(ctx, image, moving_to_frame_, order_of(single_axis(image.grid)));
  if (in.fixed_mask) put(ctx, *in.fixed_mask, fixed_to_frame_, axis_);
  if (in.moving_mask) put(ctx, *in.moving_mask, moving_to_frame_, moving_order);
  if (in.start) in.start = moving_to_frame_ * *in.start * inverse(fixed_to_frame_);
}

void Slices::restore(Context& ctx, registration::Result& result) const {
  if (!turned_) return;
  result.affine = inverse(moving_to_frame_) * result.affine * fixed_to_frame_;
  for (VectorField<float>* field : {&result.displacement, &result.inverse}) {
    if (field->empty()) continue;
    VectorField<float> back(field->backend(), fixed_.domain());
    const std::int64_t voxels = fixed_.domain().volume();
    for (int a = 0; a < 3; ++a)
      copy_bytes(ctx, back.backend(), back.data() + axis_[a] * voxels, field->backend(),
                 field->data() + a * voxels, static_cast<std::size_t>(voxels) * sizeof(float));
    *field = std::move(back);
  }
  result.fixed_grid = fixed_;
}

}  // namespace ffdp::cli
