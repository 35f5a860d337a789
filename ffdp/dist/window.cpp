// SPDX-License-Identifier: Apache-2.0
#include "ffdp/dist/window.hpp"

namespace ffdp::dist {

Window::Window(const Context& ctx, Comm& comm, const ImageRef& image, const Box& box)
    : view_(image.data) {
  const Cut cut(comm, image.grid.domain());
  if (cut.whole()) return;
  double missing = image.data.stored.contains(box) ? 0 : 1;
  comm.all_max({&missing, 1});
  if (missing == 0) return;
  visit(image.data, [&]<class T>(View<const T> mine) {
    const auto field = std::make_shared<Field<T>>(ctx.backend, box);
    Fetch(comm, cut, box)(ctx, mine, field->view());
    view_ = ImageView(View<const T>(field->view()));
    view_.scale = image.data.scale;
    view_.offset = image.data.offset;
    kept_ = field;
  });
}

MaskWindow::MaskWindow(const Context& ctx, Comm& comm, const Image<std::uint8_t>* mask,
                       const Box& box)
    : FieldWindow(
          mask ? FieldWindow(ctx, comm, Cut(comm, mask->grid.domain()), mask->data.view(), box)
               : FieldWindow()) {}

VectorWindow::VectorWindow(const Context& ctx, Comm& comm, const Cut& cut,
                           const VectorField<float>& field, const Box& box)
    : view_(field.view()) {
  if (cut.whole()) return;
  kept_ = fetched(ctx, comm, cut, field, box);
  view_ = std::as_const(kept_).view();
}

}  // namespace ffdp::dist
