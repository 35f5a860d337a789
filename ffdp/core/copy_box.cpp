// SPDX-License-Identifier: Apache-2.0
#include "ffdp/core/copy_box.hpp"

#include <cstring>

#include "ffdp/core/parallel.hpp"

#if defined(FFDP_HAS_CUDA)
#include "ffdp/core/cuda_check.hpp"
#endif

namespace ffdp {
namespace {

#if defined(FFDP_HAS_CUDA)
void copy_planes_on_device(const Context& ctx, const Pitched& to, const Pitched& from, int planes,
                           int rows, std::size_t bytes) {
  const auto row = static_cast<std::int64_t>(bytes), plane = row * rows;
  const auto dense = [&](const Pitched& p) {
    return (p.stride_row == row || rows == 1) && (p.stride_plane == plane || planes == 1);
  };
  if (dense(to) && dense(from)) {
    check(cudaMemcpyAsync(to.data, from.data, bytes * rows * planes, cudaMemcpyDeviceToDevice,
                          stream_of(ctx)));
    return;
  }
  for (int z = 0; z < planes; ++z)
    check(cudaMemcpy2DAsync(
        to.data + z * to.stride_plane, static_cast<std::size_t>(to.stride_row),
        from.data + z * from.stride_plane, static_cast<std::size_t>(from.stride_row), bytes,
        static_cast<std::size_t>(rows), cudaMemcpyDeviceToDevice, stream_of(ctx)));
}
#endif

}  // namespace

void copy_box(const Context& ctx, const Pitched& to, const Pitched& from, int planes, int rows,
              std::size_t bytes) {
#if defined(FFDP_HAS_CUDA)
  if (ctx.backend == Backend::cuda)
    return copy_planes_on_device(ctx, to, from, planes, rows, bytes);
#endif
  parallel_for(ctx, planes, [&](std::int64_t z, int) {
    for (int y = 0; y < rows; ++y)
      std::memcpy(to.data + z * to.stride_plane + y * to.stride_row,
                  from.data + z * from.stride_plane + y * from.stride_row, bytes);
  });
}

}  // namespace ffdp
