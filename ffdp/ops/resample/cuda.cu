// SPDX-License-Identifier: Apache-2.0
#include <limits>

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

  __device__ void prefetch(int z, int y, int x) const {
    device::prefetch(in.displacement, z, y, x);
  }
  __device__ Corners<float, int> corners(int z, int y, int x) const {
    Inputs<float> mine = in;
    mine.affine = nullptr;
    return {point(Params{padding, Mode::linear, channels, 3}, domain, mine, z, y, x), in.image};
  }
};

/// One voxel of the output: make finds it, put writes it.
template <int channels, Padding padding>
struct Forward {
  Usual<channels, padding> usual;
  Into into;
  VectorView<float> out;

  struct Made {
    float value[channels];
  };
  __device__ void prefetch(int z, int y, int x) const { usual.prefetch(z, y, x); }
  __device__ Made make(int z, int y, int x) const {
    const auto corners = usual.corners(z, y, x);
    const auto& image = usual.in.image;
    Made made;
#pragma unroll
    for (int c = 0; c < channels; ++c)
      made.value[c] = value_at(corners, image.data + c * image.stride_c);
    return made;
  }
  __device__ void put(int z, int y, int x, const Made& made) const {
    float* const to = &out[0](z, y, x);
#pragma unroll
    for (int c = 0; c < channels; ++c) resample::put(into, to[c * out.stride_c], made.value[c]);
  }
};

struct Scatter {
  __device__ void operator()(float* to, float value) const { atomicAdd(to, value); }
};

/// Adds to the image for the lanes of a warp that are at neighbouring voxels. The upper corner
/// along x of one lane is mostly the lower one of the next, which then adds for both: half of the
/// atomic additions.
struct WarpScatter {
  const Corners<float, int>& corners;
  unsigned lanes;    ///< those that are here
  bool takes, left;  ///< whether it adds the upper corners of the lane before, its own are left

  __device__ explicit WarpScatter(const Corners<float, int>& c)
      : corners(c), lanes(__activemask()) {
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
  __device__ void operator()(float* channel, float g) const {
    float* const to = channel + corners.first();
#pragma unroll
    for (int row = 0; row < 4; ++row) {
      const float weight = corners.z.weight[row / 2] * corners.y.weight[row % 2];
      const float upper = weight * corners.x.weight[1] * g;
      const float before = __shfl_up_sync(lanes, upper, 1);
      if (!corners.stored(2 * row)) continue;
      float* const at = to + corners.step(2 * row);
      atomicAdd(at, weight * corners.x.weight[0] * g + (takes ? before : 0.0F));
      if (left) atomicAdd(at + corners.x.step, upper);
    }
  }
};

/// The gradient to u at one voxel and, if wanted, those to the image.
template <int channels, Padding padding, bool to_image>
struct Backward {
  Usual<channels, padding> usual;
  VectorView<const float> grad_out;
  Gradients<float> to;

  struct Made {
    float grad_q[3];
  };
  __device__ void prefetch(int z, int y, int x) const {
    usual.prefetch(z, y, x);
    device::prefetch<channels>(grad_out, z, y, x);
  }
  __device__ Made make(int z, int y, int x) const {
    Made made{};
    const auto corners = usual.corners(z, y, x);
    const auto& image = usual.in.image;
    const float* const from = &grad_out[0](z, y, x);
    float g[channels];
#pragma unroll
    for (int c = 0; c < channels; ++c) {
      g[c] = from[c * grad_out.stride_c];
      add_slopes(corners, image.data + c * image.stride_c, g[c], made.grad_q);
    }
    if constexpr (to_image) {
      const WarpScatter scatter(corners);
#pragma unroll
      for (int c = 0; c < channels; ++c) scatter(to.image.data + c * to.image.stride_c, g[c]);
    }
    return made;
  }
  __device__ void put(int z, int y, int x, const Made& made) const {
    put_turned(Params{}, static_cast<const float*>(nullptr), made.grad_q, to, z, y, x);
  }
};

/// Calls body(usual) if the call is a usual one with one or three channels; else returns false.
template <class Body>
bool with_usual(const Params& p, const Box& domain, const Inputs<float>& in, const Body& body) {
  const auto with_padding = [&]<int channels>() {
    if (p.padding == Padding::zeros)
      body(Usual<channels, Padding::zeros>{domain, in});
    else
      body(Usual<channels, Padding::border>{domain, in});
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
    device::make_each_voxel<n == 1 ? 6 : 4>(ctx, compute, Forward<n, padding>{some, into, out});
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
      device::make_each_voxel<4>(ctx, compute,
                                 Backward<n, padding, true>{some, grad_out, gradients});
    else
      device::make_each_voxel<n == 1 ? 6 : 4>(
          ctx, compute, Backward<n, padding, false>{some, grad_out, gradients});
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
