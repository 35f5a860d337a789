// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ffdp/core/host_device.hpp"

/// Sums that no order of addition changes. Addends are rounded to multiples of one unit, a power of
/// two; a double adds such numbers without rounding as long as the sum is below 2^53 units. So
/// threads, slabs and ranks may add in any order and get the same bits.
namespace ffdp {

/// `value`, in [0, 1], to a multiple of 2^-18: exact for sums below 2^35 = 34e9 windows of LNCC. The
/// rounding is unbiased and lies far below the 2^-24 of a float in the mean of a thousand values.
FFDP_HD inline float to_exact_unit(float value) {
  constexpr float magic = 32;  // floats from 32 to 64 are multiples of 2^-18
  return (value + magic) - magic;
}

/// Rounds to multiples of a unit; without one (0) nothing is rounded.
struct ExactUnit {
  double magic;
  explicit ExactUnit(double unit) : magic(unit * 6755399441055744.0) {}  // 1.5 * 2^52
  FFDP_HD double operator()(double value) const { return (value + magic) - magic; }
};

}  // namespace ffdp
