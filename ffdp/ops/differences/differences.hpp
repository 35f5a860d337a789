// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ffdp/core/context.hpp"
#include "ffdp/core/view.hpp"

/// Energies of finite differences, for regularisers of displacements such as diffusion (forward
/// differences) and bending (second differences). Value and exact gradient.
namespace ffdp::differences {

inline constexpr int most_taps = 9, most_stencils = 6;

/// d(x) = sum of coefficient u(x + offset) over its taps, at every x of the domain where all taps
/// lie in it.
struct Stencil {
  struct Tap {
    Int3 offset;
    double coefficient;
    friend bool operator==(const Tap&, const Tap&) = default;
  };
  std::vector<Tap> taps;  ///< at most most_taps
  double weight = 1;      ///< of its sum in the energy [1]
  friend bool operator==(const Stencil&, const Stencil&) = default;
};

enum class Power { absolute, squared };

struct Params {
  std::vector<Stencil> stencils;  ///< at most most_stencils
  Power power = Power::squared;
  friend bool operator==(const Params&, const Params&) = default;
};

/// Adds to *sum (in memory of the backend) weight * d(x)^2, or weight * |d(x)|, over all stencils
/// and all voxels x of `compute`. T is float, or double on the CPU.
/// @param u  [z,y,x] one component, stored over at least what the taps reach from compute
template <class T>
void forward(Context&, const Params&, Box domain, Box compute, View<const T> u, double* sum);

/// Gradient of the energy of the whole domain, times *scale (in memory of the backend).
/// @param u     stored over at least compute, widened twice by what the taps reach
/// @param grad  [z,y,x] written over compute
template <class T>
void backward(Context&, const Params&, Box domain, Box compute, View<const T> u, const T* scale,
              View<T> grad);

}  // namespace ffdp::differences
