// SPDX-License-Identifier: Apache-2.0
// What ffdp.torch calls: addresses of tensors instead of arrays, for nothing may be converted or
// waited for. The Python side checks types, shapes and contiguity.
#include "bindings.hpp"

#include "ffdp/core/device.hpp"
#include "ffdp/ops/correlation/correlation.hpp"
#include "ffdp/ops/differences/differences.hpp"
#include "ffdp/ops/mi/mi.hpp"
#include "ffdp/ops/mse/mse.hpp"
#include "ffdp/ops/resample/resample.hpp"
#include "ffdp/ops/smooth/smooth.hpp"
#include "ffdp/ops/soft_bins/soft_bins.hpp"

namespace ffdp::python {
namespace {

using namespace nb::literals;
using Address = std::uintptr_t;    // 0: absent
using Boxes = std::array<int, 6>;  // lo z, y, x, hi z, y, x

Box box_of(const Boxes& b) { return {{b[0], b[1], b[2]}, {b[3], b[4], b[5]}}; }

template <class T>
View<T> view_at(Address address, const Box& box) {
  return {reinterpret_cast<T*>(address), box, std::int64_t{box.size(1)} * box.size(2), box.size(2)};
}
template <class T>
VectorView<T> vectors_at(Address address, const Box& box) {
  return dense_vectors(reinterpret_cast<T*>(address), box);
}

/// Where an op runs: the CPU with some threads, or a stream of a device with scratch from torch.
struct Where {
  Context ctx;

  Where(const Where&) = delete;
  Where(int threads, std::optional<Address> stream, nb::object lend) {
    if (!stream) {
      ctx.threads = threads;
      return;
    }
    ctx.backend = Backend::cuda;
    ctx.stream = reinterpret_cast<void*>(*stream);
    ctx.lend = [lend = std::move(lend)](std::size_t bytes) {
      return reinterpret_cast<void*>(nb::cast<Address>(lend(bytes)));
    };
  }
  /// Runs body(ctx); on the CPU other threads of Python run meanwhile. On a device nothing takes
  /// long, and scratch memory comes from Python.
  template <class Body>
  void run(Body&& body) {
    if (ctx.backend == Backend::cuda) return body(ctx);
    const nb::gil_scoped_release released;
    body(ctx);
  }
};

correlation::Params correlation_params(const std::array<std::vector<double>, 3>& taps,
                                       const std::string& floor, bool squared, double epsilon,
                                       double numerator) {
  using correlation::Floor;
  const std::pair<const char*, Floor> floors[] = {{"product", Floor::product},
                                                  {"clamped_product", Floor::clamped_product},
                                                  {"clamped_each", Floor::clamped_each},
                                                  {"added_each", Floor::added_each}};
  for (const auto& [name, value] : floors)
    if (floor == name)
      return {taps, value, squared ? correlation::Power::squared : correlation::Power::plain,
              epsilon, numerator};
  throw InvalidArgument("lncc: eps_mode is \"" + floor +
                        "\", must be product, clamped_product, clamped_each or added_each");
}

template <class T>
void run_correlation(Where& where, const correlation::Params& p, const Box& domain,
                     const Box& stored, const Box& compute, const std::array<Address, 7>& at) {
  correlation::Outputs<T> out{view_at<T>(at[4], compute), view_at<T>(at[5], compute),
                              reinterpret_cast<MetricSum*>(at[6])};
  where.run([&](Context& ctx) {
    correlation::forward_backward<T>(
        ctx, p, domain, compute, {view_at<const T>(at[0], stored), view_at<const T>(at[1], stored)},
        reinterpret_cast<const T*>(at[2]), view_at<const T>(at[3], stored), out);
  });
}

/// at: fixed, warped, centres, weight, map, grad, sum (two doubles). Inputs are stored over
/// `stored`, outputs over `compute`.
void bind_correlation(nb::module_& m) {
  nb::class_<correlation::Params>(m, "LnccParams");
  m.def("lncc_params", &correlation_params, "taps"_a, "eps_mode"_a, "squared"_a, "epsilon"_a,
        "numerator"_a);
  m.def("lncc",
        [](Where& where, const correlation::Params& p, const Boxes& domain, const Boxes& stored,
           const Boxes& compute, bool is_double, const std::array<Address, 7>& at) {
          (is_double ? run_correlation<double> : run_correlation<float>)(where, p, box_of(domain),
                                                                         box_of(stored),
                                                                         box_of(compute), at);
        });
}

resample::Params resample_params(const std::string& padding, const std::string& mode, int channels,
                                 int axes) {
  require(padding == "zeros" || padding == "border",
          "grid_sample: padding is \"" + padding + "\", must be zeros or border");
  require(mode == "linear" || mode == "nearest",
          "grid_sample: mode is \"" + mode + "\", must be linear or nearest");
  return {padding == "zeros" ? resample::Padding::zeros : resample::Padding::border,
          mode == "linear" ? resample::Mode::linear : resample::Mode::nearest, channels, axes};
}

template <class T>
resample::Inputs<T> resample_inputs(const Box& stored, const Box& compute,
                                    const std::array<Address, 3>& at) {
  return {vectors_at<const T>(at[0], stored), vectors_at<const T>(at[1], compute),
          reinterpret_cast<const T*>(at[2])};
}

/// Boxes: the whole image, what is stored of it, the output. at: image, displacement, affine.
using ResampleBoxes = std::array<Boxes, 3>;

template <class T>
void run_resample(Where& where, const resample::Params& p, const ResampleBoxes& boxes,
                  const std::array<Address, 3>& at, bool add, Address out) {
  const Box stored = box_of(boxes[1]), compute = box_of(boxes[2]);
  where.run([&](Context& ctx) {
    resample::forward<T>(ctx, p, box_of(boxes[0]), compute, resample_inputs<T>(stored, compute, at),
                         add ? resample::Into::add : resample::Into::overwrite,
                         vectors_at<T>(out, compute));
  });
}

/// to: gradients of image (added to), displacement, affine (12 doubles, added to).
template <class T>
void run_resample_backward(Where& where, const resample::Params& p, const ResampleBoxes& boxes,
                           const std::array<Address, 3>& at, Address grad_out, bool add,
                           const std::array<Address, 3>& to) {
  const Box stored = box_of(boxes[1]), compute = box_of(boxes[2]);
  const resample::Gradients<T> gradients{
      vectors_at<T>(to[0], stored), vectors_at<T>(to[1], compute),
      add ? resample::Into::add : resample::Into::overwrite, reinterpret_cast<double*>(to[2])};
  where.run([&](Context& ctx) {
    resample::backward<T>(ctx, p, box_of(boxes[0]), compute,
                          resample_inputs<T>(stored, compute, at),
                          vectors_at<const T>(grad_out, compute), gradients);
  });
}

void bind_resample(nb::module_& m) {
  nb::class_<resample::Params>(m, "ResampleParams");
  m.def("resample_params", &resample_params, "padding"_a, "mode"_a, "channels"_a, "axes"_a);
  m.def("resample", [](Where& where, const resample::Params& p, const ResampleBoxes& boxes,
                       bool is_double, const std::array<Address, 3>& at, bool add, Address out) {
    (is_double ? run_resample<double> : run_resample<float>)(where, p, boxes, at, add, out);
  });
  m.def("resample_backward", [](Where& where, const resample::Params& p, const ResampleBoxes& boxes,
                                bool is_double, const std::array<Address, 3>& at, Address grad_out,
                                bool add, const std::array<Address, 3>& to) {
    (is_double ? run_resample_backward<double> : run_resample_backward<float>)(where, p, boxes, at,
                                                                               grad_out, add, to);
  });
}

mi::Params mi_params(int bins, const std::string& kernel, std::array<float, 2> target_range,
                     std::array<float, 2> pred_range) {
  require(kernel == "mattes" || kernel == "cubic",
          "mi: kernel is \"" + kernel + "\", must be mattes or cubic");
  return {bins,
          kernel == "mattes" ? mi::Parzen::mattes : mi::Parzen::cubic,
          mi::Measure::mutual_information,
          target_range[0],
          target_range[1],
          pred_range[0],
          pred_range[1]};
}

/// The three steps of mutual information on float32: counts (int64, bins^2 + 1, added to), table
/// (float, bins^2) with result (two doubles), gradient.
void bind_mi(nb::module_& m) {
  nb::class_<mi::Params>(m, "MiParams");
  m.def("mi_params", &mi_params);
  m.def("mi_accumulate", [](Where& where, const mi::Params& p, const Boxes& box, Address target,
                            Address pred, Address counts) {
    where.run([&](Context& ctx) {
      const Box b = box_of(box);
      mi::accumulate(ctx, p, b, b, {view_at<const float>(target, b), view_at<const float>(pred, b)},
                     reinterpret_cast<std::int64_t*>(counts));
    });
  });
  m.def("mi_evaluate",
        [](Where& where, const mi::Params& p, Address counts, Address table, Address result) {
          where.run([&](Context& ctx) {
            mi::evaluate(ctx, p, reinterpret_cast<const std::int64_t*>(counts),
                         reinterpret_cast<float*>(table), reinterpret_cast<MetricSum*>(result));
          });
        });
  m.def("mi_backward", [](Where& where, const mi::Params& p, const Boxes& box, Address target,
                          Address pred, Address table, Address grad) {
    where.run([&](Context& ctx) {
      const Box b = box_of(box);
      mi::backward(ctx, p, b, b, 1.0F, reinterpret_cast<const float*>(table),
                   {view_at<const float>(target, b), view_at<const float>(pred, b)},
                   view_at<float>(grad, b));
    });
  });
}

/// Images are rows of n values. at: a, b, then the joint histogram, or the table and the gradient
/// w.r.t. a.
void bind_soft_bins(nb::module_& m) {
  nb::class_<soft_bins::Params>(m, "SoftBinsParams");
  m.def("soft_bins_params", [](int bins, double sigma, std::array<double, 2> range_a,
                               std::array<double, 2> range_b, bool steep) {
    return soft_bins::Params{bins, sigma, range_a, range_b,
                             steep ? soft_bins::Ends::steep : soft_bins::Ends::flat};
  });
  const auto run = [](Where& where, bool is_double, auto&& body) {
    where.run([&](Context& ctx) {
      if (is_double)
        body(ctx, double{});
      else
        body(ctx, float{});
    });
  };
  m.def("soft_bins_accumulate", [run](Where& where, const soft_bins::Params& p, bool is_double,
                                      std::int64_t n, Address a, Address b, Address joint) {
    run(where, is_double, [&]<class T>(Context& ctx, T) {
      soft_bins::accumulate<T>(ctx, p, n, reinterpret_cast<const T*>(a),
                               reinterpret_cast<const T*>(b), reinterpret_cast<double*>(joint));
    });
  });
  m.def("soft_bins_backward",
        [run](Where& where, const soft_bins::Params& p, bool is_double, std::int64_t n, Address a,
              Address b, Address table, Address grad) {
          run(where, is_double, [&]<class T>(Context& ctx, T) {
            soft_bins::backward<T>(ctx, p, n, reinterpret_cast<const T*>(a),
                                   reinterpret_cast<const T*>(b), reinterpret_cast<const T*>(table),
                                   reinterpret_cast<T*>(grad));
          });
        });
}

/// @param stencils  (weight, [(z, y, x, coefficient)]) of each
differences::Params differences_params(
    const std::vector<std::pair<double, std::vector<std::array<double, 4>>>>& stencils,
    bool squared) {
  differences::Params p{{}, squared ? differences::Power::squared : differences::Power::absolute};
  for (const auto& [weight, taps] : stencils) {
    differences::Stencil stencil{{}, weight};
    for (const auto& t : taps)
      stencil.taps.push_back(
          {{static_cast<int>(t[0]), static_cast<int>(t[1]), static_cast<int>(t[2])}, t[3]});
    p.stencils.push_back(stencil);
  }
  return p;
}

template <class T>
void run_differences(Where& where, const differences::Params& p, const Boxes& box, Address u,
                     Address scale_or_sum, Address grad) {
  const Box b = box_of(box);
  where.run([&](Context& ctx) {
    if (grad == 0)
      differences::forward<T>(ctx, p, b, b, view_at<const T>(u, b),
                              reinterpret_cast<double*>(scale_or_sum));
    else
      differences::backward<T>(ctx, p, b, b, view_at<const T>(u, b),
                               reinterpret_cast<const T*>(scale_or_sum), view_at<T>(grad, b));
  });
}

/// Without grad: adds to a double; with it: the gradient times a value of the type of u.
void bind_differences(nb::module_& m) {
  nb::class_<differences::Params>(m, "DifferencesParams");
  m.def("differences_params", &differences_params, "stencils"_a, "squared"_a);
  m.def("differences", [](Where& where, const differences::Params& p, const Boxes& box,
                          bool is_double, Address u, Address scale_or_sum, Address grad) {
    (is_double ? run_differences<double> : run_differences<float>)(where, p, box, u, scale_or_sum,
                                                                   grad);
  });
}

void bind_simple(nb::module_& m) {
  m.def("mse", [](Where& where, const Boxes& box, Address target, Address pred, Address grad,
                  Address sum) {
    where.run([&](Context& ctx) {
      const Box b = box_of(box);
      mse::forward_backward(ctx, {}, b, b,
                            {view_at<const float>(target, b), view_at<const float>(pred, b)},
                            view_at<float>(grad, b), reinterpret_cast<MetricSum*>(sum));
    });
  });
  m.def("smooth",
        [](Where& where, Vec3 sigma, const Boxes& box, bool adjoint, Address in, Address out) {
          where.run([&](Context& ctx) {
            const Box b = box_of(box);
            (adjoint ? smooth::backward
                     : static_cast<void (*)(Context&, const smooth::Params&, Box, Box,
                                            View<const float>, View<float>)>(smooth::forward))(
                ctx, {sigma}, b, b, view_at<const float>(in, b), view_at<float>(out, b));
          });
        });
}

}  // namespace

void bind_training(nb::module_& m) {
  nb::class_<Where>(m, "Where")
      .def(nb::init<int, std::optional<Address>, nb::object>(), "threads"_a, "stream"_a.none(),
           "lend"_a.none());
  bind_correlation(m);
  bind_resample(m);
  bind_mi(m);
  bind_soft_bins(m);
  bind_differences(m);
  bind_simple(m);
}

}  // namespace ffdp::python
