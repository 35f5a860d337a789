# SPDX-License-Identifier: Apache-2.0
"""Resampling by displacements in voxels: grid_sample, compose, integrate_svf, resize_displacement."""
from typing import Optional, Tuple

import torch
from torch import Tensor

from .. import _ffdp
from ._native import Where, address, boxed, require_volume, working


def native_params(image, displacement, padding, mode):
    axes = image.ndim - 2 if displacement is None else displacement.shape[1]
    return _ffdp.resample_params(padding, mode, image.shape[1], axes)


def _boxes(image, out_size):
    whole = boxed(image.shape[2:])
    return [whole, whole, boxed(out_size)]


def sample_into(out, image, displacement, affine, padding, mode, *, add, boxes=None):
    """out = or += the samples; boxes: whole image, stored, output."""
    boxes = boxes or _boxes(image, out.shape[2:])
    params = native_params(image, displacement, padding, mode)
    with Where(image) as where:
        for b in range(out.shape[0]):
            _ffdp.resample(where, params, boxes, image.dtype == torch.float64,
                           [address(None if t is None else t[b]) for t in (image, displacement, affine)], add,
                           out[b].data_ptr())


def sample_backward(grad_out, image, displacement, affine, padding, mode, grads, *, add, boxes=None):
    """Adds to grads (image, displacement, affine as float64 (batch, 12)); that of the displacement is written unless
    `add`. None: not wanted."""
    boxes = boxes or _boxes(image, grad_out.shape[2:])
    params = native_params(image, displacement, padding, mode)
    with Where(image) as where:
        for b in range(grad_out.shape[0]):
            _ffdp.resample_backward(where, params, boxes, image.dtype == torch.float64,
                                    [address(None if t is None else t[b]) for t in (image, displacement, affine)],
                                    grad_out[b].data_ptr(), add,
                                    [address(None if t is None else t[b]) for t in grads])


def full_affine(affine):
    """(batch, 12), rows z, y, x, of a (batch, d, d + 1) matrix of d axes."""
    d = affine.shape[1]
    if d == 3:
        return affine.contiguous().view(-1, 12)
    full = affine.new_zeros(affine.shape[0], 3, 4)
    full[:, 0, 0] = 1
    full[:, 1:, 1:] = affine
    return full.view(-1, 12)


def axes_of_affine(grad, d, dtype):
    """The part of a gradient (batch, 12) that belongs to a (batch, d, d + 1) matrix."""
    return grad.view(-1, 3, 4)[:, 3 - d:, 3 - d:].to(dtype)


def _plain(*tensors):
    return [None if t is None else t.detach().contiguous() for t in tensors]


@torch.library.custom_op("ffdp::grid_sample", mutates_args=())
def _grid_sample(image: Tensor, displacement: Optional[Tensor], affine: Optional[Tensor], padding: str,
                 mode: str) -> Tensor:
    image, displacement = _plain(image, displacement)
    size = (image if displacement is None else displacement).shape[2:]
    out = image.new_empty(*image.shape[:2], *size)
    sample_into(out, image, displacement, None if affine is None else full_affine(affine.detach()), padding, mode,
                add=False)
    return out


@_grid_sample.register_fake
def _(image, displacement, affine, padding, mode):
    return image.new_empty(*image.shape[:2], *(image if displacement is None else displacement).shape[2:])


@torch.library.custom_op("ffdp::grid_sample_backward", mutates_args=())
def _grid_sample_backward(grad_out: Tensor, image: Tensor, displacement: Optional[Tensor], affine: Optional[Tensor],
                          padding: str, mode: str, with_image: bool, with_displacement: bool,
                          with_affine: bool) -> Tuple[Tensor, Tensor, Tensor]:
    grad_out, image, displacement = _plain(grad_out, image, displacement)
    full = None if affine is None else full_affine(affine.detach())
    grad_image = torch.zeros_like(image) if with_image else None
    grad_u = torch.empty_like(displacement) if with_displacement else None
    grad_affine = image.new_zeros(image.shape[0], 12, dtype=torch.float64) if with_affine else None
    sample_backward(grad_out, image, displacement, full, padding, mode, (grad_image, grad_u, grad_affine), add=False)
    nothing = image.new_empty(0)
    return (nothing if grad_image is None else grad_image, nothing.clone() if grad_u is None else grad_u,
            nothing.clone() if grad_affine is None else axes_of_affine(grad_affine, affine.shape[1], image.dtype).clone())


@_grid_sample_backward.register_fake
def _(grad_out, image, displacement, affine, padding, mode, with_image, with_displacement, with_affine):
    return tuple(torch.empty_like(t, memory_format=torch.contiguous_format) if wanted else image.new_empty(0)
                 for t, wanted in ((image, with_image), (displacement, with_displacement), (affine, with_affine)))


def _save_sample(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:3])
    ctx.rule = inputs[3:]


def _sample_vjp(ctx, grad_out):
    needed = ctx.needs_input_grad[:3]
    grads = _grid_sample_backward(grad_out, *ctx.saved_tensors, *ctx.rule, *needed)
    return (*(g if n else None for g, n in zip(grads, needed)), None, None)


_grid_sample.register_autograd(_sample_vjp, setup_context=_save_sample)


def _require_displacement(name, displacement, axes):
    require_volume(name, displacement, "displacement")
    if displacement.shape[1] != axes or displacement.ndim != axes + 2:
        raise ValueError(f"{name}: the displacement is {tuple(displacement.shape)}, wanted (batch, {axes}, {axes} axes)")


def grid_sample(image, displacement, affine=None, padding="zeros", mode="linear"):
    """out(x) = image(A (x + u(x)) + t): linear, or nearest, with gradients to image, displacement and affine.

    image: (batch, channel, [z,] y, x); displacement u: (batch, axes, size of the result), voxels, components in the
    order of the axes; None: 0, and the result has the size of the image. affine: (batch, d, d + 1), A | t, index of
    the result to index of the image [voxels]; None: the identity. padding: zeros, or border (the edge value, no
    gradient to the position there). Voxel centres are whole numbers (align_corners=True). Sums are in float32, or
    float64 on the CPU. On CUDA, the last bits of the gradient of the image differ from run to run.
    """
    require_volume("grid_sample", image, "image")
    axes = image.ndim - 2
    if displacement is not None:
        _require_displacement("grid_sample", displacement, axes)
    if affine is not None and tuple(affine.shape) != (image.shape[0], axes, axes + 1):
        raise ValueError(f"grid_sample: affine is {tuple(affine.shape)}, wanted {(image.shape[0], axes, axes + 1)}")
    if displacement is not None and displacement.shape[0] != image.shape[0]:
        raise ValueError(f"grid_sample: {image.shape[0]} images and {displacement.shape[0]} displacements")
    dtype = image.dtype
    return _grid_sample(*working(image, displacement, affine), padding, mode).to(dtype)


@torch.library.custom_op("ffdp::compose", mutates_args=())
def _compose(u: Tensor, step: Tensor, padding: str) -> Tensor:
    u, step = _plain(u, step)
    out = step.clone()
    sample_into(out, u, step, None, padding, "linear", add=True)
    return out


@_compose.register_fake
def _(u, step, padding):
    return torch.empty_like(step, memory_format=torch.contiguous_format)


@torch.library.custom_op("ffdp::compose_backward", mutates_args=())
def _compose_backward(grad_out: Tensor, u: Tensor, step: Tensor, padding: str) -> Tuple[Tensor, Tensor]:
    grad_out, u, step = _plain(grad_out, u, step)
    grad_u, grad_step = torch.zeros_like(u), grad_out.clone()
    sample_backward(grad_out, u, step, None, padding, "linear", (grad_u, grad_step, None), add=True)
    return grad_u, grad_step


@_compose_backward.register_fake
def _(grad_out, u, step, padding):
    return tuple(torch.empty_like(t, memory_format=torch.contiguous_format) for t in (u, step))


def _save_compose(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:2])
    ctx.padding = inputs[2]


def _compose_vjp(ctx, grad_out):
    return *_compose_backward(grad_out, *ctx.saved_tensors, ctx.padding), None


_compose.register_autograd(_compose_vjp, setup_context=_save_compose)


def compose(u, step, padding="border"):
    """Displacement of x -> phi(x + step(x)), with phi(x) = x + u(x): step(x) + u(x + step(x)) [voxels]."""
    axes = u.ndim - 2
    _require_displacement("compose", u, axes)
    _require_displacement("compose", step, axes)
    dtype = u.dtype
    return _compose(*working(u, step), padding).to(dtype)


def _squared(velocity, steps, padding):
    """v / 2^steps, and what each squaring makes of it."""
    field = velocity / 2**steps
    yield field
    for _ in range(steps):
        out = field.clone()
        sample_into(out, field, field, None, padding, "linear", add=True)
        field = out
        yield field


@torch.library.custom_op("ffdp::integrate_svf", mutates_args=())
def _integrate(velocity: Tensor, steps: int, padding: str) -> Tensor:
    for field in _squared(*_plain(velocity), steps, padding):
        pass
    return field


@_integrate.register_fake
def _(velocity, steps, padding):
    return torch.empty_like(velocity, memory_format=torch.contiguous_format)


@torch.library.custom_op("ffdp::integrate_svf_backward", mutates_args=())
def _integrate_backward(grad: Tensor, velocity: Tensor, steps: int, padding: str) -> Tensor:
    grad, velocity = _plain(grad, velocity)
    fields = list(_squared(velocity, steps, padding))[:-1] if steps else []
    while fields:
        field = fields.pop()
        grad_field = grad.clone()  # of what is added, and, below, of the step
        step_part = torch.empty_like(grad)
        sample_backward(grad, field, field, None, padding, "linear", (grad_field, step_part, None), add=False)
        grad = grad_field.add_(step_part)
    return grad / 2**steps


@_integrate_backward.register_fake
def _(grad, velocity, steps, padding):
    return torch.empty_like(velocity, memory_format=torch.contiguous_format)


def _save_integrate(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])
    ctx.rule = inputs[1:]


_integrate.register_autograd(lambda ctx, grad: (_integrate_backward(grad, *ctx.saved_tensors, *ctx.rule), None, None),
                             setup_context=_save_integrate)


def integrate_svf(velocity, steps=7, padding="zeros"):
    """Displacement of the flow of a stationary velocity over unit time, by scaling and squaring: v / 2^steps, then
    `steps` times v <- v + v(x + v). velocity: (batch, axes, [z,] y, x) [voxels]. Keeps only the velocity for
    backward, which computes all steps again."""
    if steps < 0:
        raise ValueError(f"integrate_svf: steps is {steps}, must not be negative")
    _require_displacement("integrate_svf", velocity, velocity.ndim - 2)
    return _integrate(*working(velocity), steps, padding).to(velocity.dtype)


def resize_displacement(displacement, factor, align_corners=True):
    """Interpolates a displacement linearly on a grid that is `factor` times as fine, in voxels of that grid."""
    _require_displacement("resize_displacement", displacement, displacement.ndim - 2)
    if factor == 1:
        return displacement
    mode = "trilinear" if displacement.ndim == 5 else "bilinear"
    x, = working(displacement)
    scaled = x if factor < 1 else factor * x
    out = torch.nn.functional.interpolate(scaled, scale_factor=factor, mode=mode, align_corners=align_corners)
    return (factor * out if factor < 1 else out).to(displacement.dtype)
