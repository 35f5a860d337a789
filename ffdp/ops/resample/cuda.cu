// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <type_traits>

#include "ffdp/ops/common/voxels.cuh"
#include "ffdp/ops/resample/backends.hpp"
#include "ffdp/ops/resample/math.hpp"

namespace ffdp::resample {
namespace {

using Sums12 = device::Sums<12>;

/// The parameters of most calls as constants: linear, 3-D, with u, no affine, 32-bit offsets.
template <int channels, Padding padding>
struct Usual {
  Box domain;
  Inputs<float> in;
  int last[3];  ///< stored voxel along each axis, from the first

  Usual(const Box& image_domain, const Inputs<float>& inputs) : domain(image_domain), in(inputs) {
    for (int a = 0; a < 3; ++a) last[a] = in.image.stored.size(a) - 1;
  }
  __device__ Corners<float, int> corners(int z, int y, int x) const {
    Inputs<float> mine = in;
    mine.affine = nullptr;
    return {point(Params{padding, Mode::linear, channels, 3}, domain, mine, z, y, x), in.image};
  }

  /// A sample whose corners are all stored, and not at the lower edge of a border.
  struct Inner {
    int first;  ///< its lower corner, from the first stored voxel
    float fraction[3];
    bool holds;  ///< whether the sample is one
  };
  /// What most samples are, without the cases of corners().
  /// @param u  the displacement of the voxel
  __device__ Inner inner(const float* u, int z, int y, int x) const {
    constexpr int edge = padding == Padding::border ? 1 : 0;
    const auto& first = in.image.stored.lo;
    const int index[3] = {z, y, x};
    int lower[3];
    Inner at;
    at.holds = true;
#pragma unroll
    for (int a = 0; a < 3; ++a) {
      // Of NaN, far outside. What is too large for an integer is the largest, which is outside.
      const float offset = fmaxf(u[a * in.displacement.stride_c], -16777216.0F);
      const int below = __float2int_rd(offset);
      at.fraction[a] = offset - static_cast<float>(below);
      const auto place = static_cast<unsigned>(index[a] - first[a]) + static_cast<unsigned>(below);
      lower[a] = static_cast<int>(place);
      at.holds = at.holds && lower[a] >= edge && lower[a] < last[a];
    }
    at.first = lower[0] * static_cast<int>(in.image.stride_z) +
               lower[1] * static_cast<int>(in.image.stride_y) + lower[2];
    return at;
  }
  __device__ Corners<float, int> corners(const Inner& at) const {
    using Along = Neighbours<float, int>;
    const auto stride_z = static_cast<int>(in.image.stride_z);
    return {Along(at.first, at.fraction[0], stride_z),
            Along(0, at.fraction[1], static_cast<int>(in.image.stride_y)),
            Along(0, at.fraction[2], 1)};
  }
};

/// One voxel of the output: make finds it, put writes it.
template <int channels, Padding padding>
struct Forward {
  Usual<channels, padding> usual;
  Into into;
  VectorView<float> out;

  /// Where a thread reads and writes.
  struct Pointers {
    const float* u;
    float* to;
  };
  struct Kept {};
  struct Made {
    float value[channels];
  };
  __device__ Pointers pointers(int z, int y, int x) const {
    return {&usual.in.displacement[0](z, y, x), &out[0](z, y, x)};
  }
  __device__ void next(Pointers& at) const {
    at.u += usual.in.displacement.stride_z;
    at.to += out.stride_z;
  }
  __device__ void prefetch(const Pointers& at, int planes) const {
    const VectorView<const float>& u = usual.in.displacement;
    device::prefetch_components(at.u + planes * u.stride_z, u.stride_c);
  }
  __device__ Made make(const Corners<float, int>& corners, const Pointers&, Kept&) const {
    const auto& image = usual.in.image;
    Made made;
#pragma unroll
    for (int c = 0; c < channels; ++c)
      made.value[c] = value_at(corners, image.data + c * image.stride_c);
    return made;
  }
  __device__ void put(const Pointers& at, const Made& made) const {
#pragma unroll
    for (int c = 0; c < channels; ++c) resample::put(into, at.to[c * out.stride_c], made.value[c]);
  }
  __device__ void finish(Kept&) const {}
};

struct Scatter {
  __device__ void operator()(float* to, float value) const { atomicAdd(to, value); }
};

/// What the last sample of a thread has still to add to two corners: those of its upper plane that
/// are the lower ones along x. The next sample, one plane on, mostly has them in its lower plane,
/// and adds for both samples at once.
template <int channels>
struct UpperCorners {
  int at = -1;  ///< the first corner, from the first stored voxel; -1: there is nothing to add
  int step_y;
  float value[channels][2];

  __device__ void add_to(const VectorView<float>& image) {
    if (at < 0) return;
#pragma unroll
    for (int c = 0; c < channels; ++c) {
      float* const to = image.data + c * image.stride_c + at;
      atomicAdd(to, value[c][0]);
      if (step_y) atomicAdd(to + step_y, value[c][1]);
    }
    at = -1;
  }
};

/// Adds to the image for the lanes of a warp that are at neighbouring voxels. The upper corner
/// along x of one lane is mostly the lower one of the next, which then adds for both. With the
/// UpperCorners that wait, a quarter of the atomic additions is left.
template <int channels>
struct WarpScatter {
  const Corners<float, int>& corners;
  UpperCorners<channels>& kept;
  unsigned lanes;    ///< those that are here
  bool takes, left;  ///< whether it adds the upper corners of the lane before, its own are left

  __device__ WarpScatter(const Corners<float, int>& c, UpperCorners<channels>& k)
      : corners(c), kept(k), lanes(__activemask()) {
    const int lane = static_cast<int>(threadIdx.x % 32), first = c.first();
    const int upper = c.any && c.x.step ? first + c.x.step : -1;
    const int before = __shfl_up_sync(lanes, upper, 1);
    const int step_z = __shfl_up_sync(lanes, c.z.step, 1);
    const int step_y = __shfl_up_sync(lanes, c.y.step, 1);
    takes = before == first && step_z == c.z.step && step_y == c.y.step && c.any && lane > 0 &&
            (lanes >> (lane - 1) & 1U);
    const bool given = __shfl_down_sync(lanes, takes, 1);
    left = c.x.step && !(given && lane < 31 && (lanes >> (lane + 1) & 1U));
  }
  __device__ void operator()(const VectorView<float>& image, const float (&g)[channels]) {
    const int first = corners.first();
    const bool goes_on = corners.any && kept.at == first && kept.step_y == corners.y.step;
    if (!goes_on) kept.add_to(image);
#pragma unroll
    for (int c = 0; c < channels; ++c) {
      float* const to = image.data + c * image.stride_c + first;
#pragma unroll
      for (int row = 0; row < 4; ++row) {
        const float weight = corners.z.weight[row / 2] * corners.y.weight[row % 2];
        const float upper = weight * corners.x.weight[1] * g[c];
        const float before = __shfl_up_sync(lanes, upper, 1);
        const float lower = weight * corners.x.weight[0] * g[c] + (takes ? before : 0.0F);
        if (!corners.stored(2 * row)) continue;
        float* const at = to + corners.step(2 * row);
        if (left) atomicAdd(at + corners.x.step, upper);
        if (row < 2)
          atomicAdd(at, lower + (goes_on ? kept.value[c][row] : 0.0F));
        else
          kept.value[c][row - 2] = lower;
      }
    }
    kept.at = corners.any && corners.z.step ? first + corners.z.step : -1;
    kept.step_y = corners.y.step;
  }
};

/// The gradient to u at one voxel and, if wanted, those to the image.
template <int channels, Padding padding, bool to_image>
struct Backward {
  Usual<channels, padding> usual;
  VectorView<const float> grad_out;
  Gradients<float> to;

  struct Pointers {
    const float* u;
    const float* grad;
    float* to;
  };
  struct Nothing {};
  using Kept = std::conditional_t<to_image, UpperCorners<channels>, Nothing>;
  struct Made {
    float grad_q[3];
  };
  __device__ Pointers pointers(int z, int y, int x) const {
    return {&usual.in.displacement[0](z, y, x), &grad_out[0](z, y, x),
            to.displacement ? &to.displacement[0](z, y, x) : nullptr};
  }
  __device__ void next(Pointers& at) const {
    at.u += usual.in.displacement.stride_z;
    at.grad += grad_out.stride_z;
    at.to += to.displacement.stride_z;
  }
  __device__ void prefetch(const Pointers& at, int planes) const {
    const VectorView<const float>& u = usual.in.displacement;
    device::prefetch_components(at.u + planes * u.stride_z, u.stride_c);
    device::prefetch_components<channels>(at.grad + planes * grad_out.stride_z, grad_out.stride_c);
  }
  __device__ Made make(const Corners<float, int>& corners, const Pointers& at, Kept& kept) const {
    Made made{};
    const auto& image = usual.in.image;
    float g[channels];
#pragma unroll
    for (int c = 0; c < channels; ++c) {
      g[c] = at.grad[c * grad_out.stride_c];
      add_slopes(corners, image.data + c * image.stride_c, g[c], made.grad_q);
    }
    if constexpr (to_image) WarpScatter<channels>(corners, kept)(to.image, g);
    return made;
  }
  __device__ void put(const Pointers& at, const Made& made) const {
    if (!to.displacement) return;
#pragma unroll
    for (int a = 0; a < 3; ++a)
      resample::put(to.into, at.to[a * to.displacement.stride_c], made.grad_q[a]);
  }
  __device__ void finish(Kept& kept) const {
    if constexpr (to_image) kept.add_to(to.image);
  }
};

/// A thread makes a column of `planes` voxels.
template <int blocks, class Op>
__global__ void __launch_bounds__(device::tile_threads, blocks)
    columns_kernel(Box box, int planes, Op op) {
  const device::Column column = device::thread_column(box, planes);
  if (!column.in_box) return;
  const int y = column.y, x = column.x;
  typename Op::Pointers at = op.pointers(column.z_lo, y, x);
  typename Op::Kept kept;
  const auto one = [&](int& z) {
    op.put(at, op.make(op.usual.corners(z, y, x), at, kept));
    op.next(at);
    ++z;
  };
  const auto two = [&](int& z) {
    auto after = at;
    op.next(after);
    const auto a = op.usual.inner(at.u, z, y, x), b = op.usual.inner(after.u, z + 1, y, x);
    if (a.holds && b.holds) {
      const auto first = op.make(op.usual.corners(a), at, kept);
      const auto second = op.make(op.usual.corners(b), after, kept);
      op.put(at, first);
      op.put(after, second);
      op.next(after);
      at = after;
      z += 2;
    } else {
#pragma unroll 1
      for (int k = 0; k < 2; ++k) one(z);
    }
  };
  device::two_by_two(column, [&](int, int planes_on) { op.prefetch(at, planes_on); }, two, one);
  op.finish(kept);
}

template <int blocks, class Op>
void make_columns(const Context& ctx, const Box& box, const Op& op) {
  device::Tiles tiles = device::tiles_of(box);
  const int planes = std::clamp((tiles.planes + 1) / 2 * 2, 2, 8);  // whole pairs
  tiles.grid.z = (box.size(0) + planes - 1) / planes;
  columns_kernel<blocks>
      <<<tiles.grid, dim3(device::tile_x, device::tile_y), 0, stream_of(ctx)>>>(box, planes, op);
  check(cudaGetLastError());
}

/// Calls body(usual) if the call is a usual one with one or three channels; else returns false.
template <class Body>
bool with_usual(const Params& p, const Box& domain, const Inputs<float>& in, const Body& body) {
  const auto with_padding = [&]<int channels>() {
    if (p.padding == Padding::zeros)
      body(Usual<channels, Padding::zeros>(domain, in));
    else
      body(Usual<channels, Padding::border>(domain, in));
  };
  const std::int64_t voxels = in.image.stride_z * in.image.stored.size(0);
  if (p.mode != Mode::linear || p.axes != 3 || !in.displacement || in.affine ||
      voxels > std::numeric_limits<int>::max())
    return false;
  if (p.channels == 1) with_padding.template operator()<1>();
  if (p.channels == 3) with_padding.template operator()<3>();
  return p.channels == 1 || p.channels == 3;
}

}  // namespace

/// A thread makes a column of voxels. Reads 12 B/voxel of u, 4 of each channel (its corners mostly
/// from the caches) and writes 4 of each.
template <>
template <>
void On<Backend::cuda>::forward(Context& ctx, const Params& params, Box image_domain, Box compute,
                                const Inputs<float>& inputs, Into into, VectorView<float> out) {
  const auto usual = [&]<int n, Padding padding>(const Usual<n, padding>& some) {
    make_columns<n == 1 ? 5 : 4>(ctx, compute, Forward<n, padding>{some, into, out});
  };
  if (with_usual(params, image_domain, inputs, usual)) return;
  device::for_each_voxel<4>(ctx, compute, [=] __device__(int z, int y, int x) {
    sample(params, image_domain, inputs, into, out, z, y, x);
  });
}

template <>
template <>
void On<Backend::cuda>::backward(Context& ctx, const Params& params, Box image_domain, Box compute,
                                 const Inputs<float>& inputs, VectorView<const float> grad_out,
                                 const Gradients<float>& gradients) {
  const auto usual = [&]<int n, Padding padding>(const Usual<n, padding>& some) {
    if (gradients.image)
      make_columns<n == 1 ? 4 : 3>(ctx, compute,
                                   Backward<n, padding, true>{some, grad_out, gradients});
    else
      make_columns<4>(ctx, compute, Backward<n, padding, false>{some, grad_out, gradients});
  };
  if (!gradients.affine && with_usual(params, image_domain, inputs, usual)) return;
  const auto one = [=] __device__(int z, int y, int x, Sums12& sums) {
    const Point<float> at = point(params, image_domain, inputs, z, y, x);
    float grad_q[3] = {};
    sample_vjp(params.channels, Corners<float>(at, inputs.image), inputs, grad_out, gradients.image,
               grad_out[0].offset(z, y, x), Scatter{}, grad_q);
    put_turned(params, inputs.affine, grad_q, gradients, z, y, x);
    add_affine(at, grad_q, sums.v);
  };
  if (!gradients.affine) {
    device::for_each_voxel<4>(ctx, compute, [=] __device__(int z, int y, int x) {
      Sums12 unused;
      one(z, y, x, unused);
    });
    return;
  }
  double* const to = gradients.affine;
  device::sum_voxels<Sums12>(ctx, compute, one, [to] __device__(const Sums12& total) {
    for (int i = 0; i < 12; ++i) to[i] += total.v[i];
  });
}

}  // namespace ffdp::resample
