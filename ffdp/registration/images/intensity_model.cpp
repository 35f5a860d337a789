// SPDX-License-Identifier: Apache-2.0
#include "ffdp/registration/images/intensity_model.hpp"

#include "ffdp/registration/images/distribution.hpp"

namespace ffdp::registration {

IntensityModel intensity_model(Context& ctx, dist::Comm& comm, const char* name,
                               const ImageRef& image, View<const std::uint8_t> mask) {
  const Distribution distribution(ctx, comm, name, image, mask);
  const intensity::Statistics& all = distribution.all();
  const auto count = static_cast<double>(all.count);
  const double mean = all.sum / count;
  const intensity::Range range = distribution.robust();
  return {.mean = static_cast<float>(mean),
          .variance = static_cast<float>(all.sum_squares / count - mean * mean),
          .lo = range.lo,
          .hi = range.hi};
}

}  // namespace ffdp::registration
