// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ffdp/core/host_device.hpp"

/// Sums that do not depend on the order of addition. Addends are rounded to multiples of one unit,
/// a power of two; a double adds such numbers without rounding as long as the sum is below 2^53
/// units. So threads, slabs and ranks may add in any order and get the same bits.
namespace ffdp {

/// Rounds values in [0, 1] to multiples of a unit so fine that `count` of them add up exactly:
/// 2^-22 for up to 2^31 = 2.1e9 values, twice that for every doubling. The rounding is unbiased.
struct ExactShare {
  float magic = 2;  ///< floats from 2 to 4 are multiples of 2^-22
  explicit ExactShare(std::int64_t count) {
    for (; count > std::int64_t{1} << 31U; count /= 2) magic *= 2;
  }
  FFDP_HD float operator()(float value) const { return (value + magic) - magic; }
};

/// Rounds to multiples of a unit; without one (0) nothing is rounded.
struct ExactUnit {
  double magic;
  explicit ExactUnit(double unit) : magic(unit * 6755399441055744.0) {}  // 1.5 * 2^52
  FFDP_HD double operator()(double value) const { return (value + magic) - magic; }
};

}  // namespace ffdp
