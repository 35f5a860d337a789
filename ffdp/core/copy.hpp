// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ffdp/core/context.hpp"
#include "ffdp/core/device.hpp"
#include "ffdp/core/error.hpp"
#include "ffdp/core/field.hpp"

namespace ffdp {

/// Copies memory within or between backends, on the stream of the context; complete on return.
/// Large copies between host and device go through pinned memory, with the threads of the context.
void copy_bytes(const Context& ctx, Backend to_backend, void* to, Backend from_backend,
                const void* from, std::size_t bytes);
/// Copies within the memory of the context's backend, without waiting. The two must not overlap.
void copy_within(const Context& ctx, void* to, const void* from, std::size_t bytes);
/// Sets memory of the context's backend to zero bytes, without waiting.
void zero_bytes(const Context& ctx, void* to, std::size_t bytes);
/// Waits for everything on the stream of the context. Does nothing on Backend::cpu.
void synchronize(const Context& ctx);

template <class T>
void copy(const Context& ctx, Buffer<T>& to, const Buffer<T>& from) {
  require(to.size() == from.size(), "copy: destination has " + std::to_string(to.size()) +
                                        " elements, needs " + std::to_string(from.size()));
  copy_bytes(ctx, to.backend(), to.data(), from.backend(), from.data(), from.size() * sizeof(T));
}

/// Copies a Field or VectorField into one over the same box.
template <template <class> class AnyField, class T>
void copy(const Context& ctx, AnyField<T>& to, const AnyField<T>& from)
  requires requires { from.stored(); }
{
  require(to.stored() == from.stored(), "copy: destination is stored over " +
                                            to_string(to.stored()) + ", needs " +
                                            to_string(from.stored()));
  copy_bytes(ctx, to.backend(), to.data(), from.backend(), from.data(),
             static_cast<std::size_t>(from.end() - from.begin()) * sizeof(T));
}

/// A new field on `backend` with the values of `from`.
template <template <class> class AnyField, class T>
AnyField<T> copy_to(const Context& ctx, Backend backend, const AnyField<T>& from)
  requires requires { from.stored(); }
{
  AnyField<T> to(backend, from.stored());
  copy(ctx, to, from);
  return to;
}

}  // namespace ffdp
