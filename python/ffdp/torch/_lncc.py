# SPDX-License-Identifier: Apache-2.0
"""Local normalised cross-correlation: one op for the losses of all packages."""
import math
from typing import List, Optional, Tuple

import torch
from torch import Tensor

from .. import _ffdp
from ._native import Where, address, boxed, require_pair, working

_CENTRE_SAMPLES = 1 << 16


def window_taps(window, kernel, sigma, axes):
    """Weights along each axis, z (a single 1 for images of one plane), y, x."""
    if not isinstance(kernel, str):  # the weights themselves, along every axis
        return [[1.0]] * (3 - axes) + [list(kernel)] * axes
    sizes = [window] * axes if isinstance(window, int) else list(window)
    if len(sizes) != axes or any(n < 1 or n % 2 == 0 for n in sizes):
        raise ValueError(f"lncc: window is {window}, wanted an odd number, or one for each of {axes} axes")
    taps = [_taps(n, kernel, n / 3 if sigma is None else sigma) for n in sizes]
    return [[1.0]] * (3 - axes) + taps


def _taps(size, kernel, sigma):
    radius = size // 2
    if kernel == "box":
        return [1.0] * size
    if kernel == "gaussian":
        return [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    if kernel == "triangular":
        return [(radius + 1 - abs(k)) / (radius + 1) for k in range(-radius, radius + 1)]
    raise ValueError(f"lncc: kernel is {kernel!r}, must be box, gaussian or triangular")


def flat_params(taps, eps_mode, eps, smooth_nr, squared, moments):
    """Window and rule as the op takes them: flat lists and numbers."""
    if moments not in ("sums", "means"):
        raise ValueError(f"lncc: moments is {moments!r}, must be sums or means")
    weight, flat = 1.0, []
    for axis in taps:
        weight *= sum(axis)
        flat += axis
    if moments == "sums":
        power = 1 if eps_mode.endswith("each") else 2  # of the epsilon that stands for variances
        eps, smooth_nr = eps / weight**power, smooth_nr / weight**2
    return flat, [len(axis) for axis in taps], eps_mode, squared, eps, smooth_nr


def _native_params(taps, sizes, *rule):
    parts, start = [], 0
    for n in sizes:
        parts.append(taps[start:start + n])
        start += n
    return _ffdp.lncc_params(parts, *rule)


def centres_of(a, b):
    """(batch, channel, 2) numbers near the means of both images, from a sample of their voxels. The CPU needs none."""
    if not a.is_cuda:
        return a.new_zeros(*a.shape[:2], 2)
    step = max(1, a[0, 0].numel() // _CENTRE_SAMPLES)
    return torch.stack([x.flatten(2)[..., ::step] for x in (a, b)], 2).mean(-1)


def run(params, pred, target, weight, wanted, boxes=None, centres=None):
    """Sums (batch, channel, 2) of weight cc and weight, and what is wanted of map, grad_pred, grad_target.

    boxes: domain, stored, compute; None: all are the whole image.
    """
    pred, target = pred.detach().contiguous(), target.detach().contiguous()
    weight = None if weight is None else weight.detach().contiguous()
    domain, stored, compute = boxes or [boxed(pred.shape[2:])] * 3
    size = [b - a for a, b in zip(compute[:3], compute[3:])][3 - (pred.ndim - 2):]
    made = [pred.new_empty(*pred.shape[:2], *size) if name in wanted else None
            for name in ("map", "grad_pred", "grad_target")]
    sums = torch.zeros(*pred.shape[:2], 2, dtype=torch.float64, device=pred.device)
    centres = centres_of(target, pred) if centres is None else centres
    swapped = centres.flip(-1) if made[2] is not None else None
    with Where(pred) as where:
        for b in range(pred.shape[0]):
            for c in range(pred.shape[1]):
                def call(fixed, warped, centre, out_map, grad, total):
                    at = [fixed, warped, centre, weight, out_map, grad, total]
                    _ffdp.lncc(where, params, domain, stored, compute, pred.dtype == torch.float64,
                               [0 if t is None else t[b, c].data_ptr() for t in at])
                call(target, pred, centres, made[0], made[1], sums)
                if made[2] is not None:
                    call(pred, target, swapped, None, made[2], None)
    return sums, made


def _sums_and_grads(pred, target, weight, taps, sizes, rule, wanted):
    """Sums of `run`, and the gradients of both images; those not wanted (with_pred, with_target) are empty."""
    names = [name for name, want in zip(("grad_pred", "grad_target"), wanted) if want]
    sums, (_, *grads) = run(_native_params(taps, sizes, *rule), pred, target, weight, names)
    return sums, *(pred.new_empty(0) if g is None else g for g in grads)


def _fake_grads(pred, *wanted):
    return (pred.new_empty(pred.shape if want else (0,)) for want in wanted)


def _save_grads(ctx, inputs, output):
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1], output[2])
    ctx.kept, ctx.count = inputs[-2:], len(inputs)


def _times_grads(ctx, factor):
    """What backward returns: the saved gradients times factor (batch, channel), None for the other inputs."""
    grads = [grad * factor.to(grad.dtype).view(*factor.shape, *(1,) * (grad.ndim - 2)) if kept else None
             for grad, kept in zip(ctx.saved_tensors, ctx.kept)]
    return (*grads, *(None,) * (ctx.count - 2))


@torch.library.custom_op("ffdp::lncc_sum", mutates_args=())
def lncc_sum(pred: Tensor, target: Tensor, weight: Optional[Tensor], taps: List[float], sizes: List[int], eps_mode: str,
             squared: bool, eps: float, smooth_nr: float, with_pred: bool,
             with_target: bool) -> Tuple[Tensor, Tensor, Tensor]:
    """Sums of weight cc and of weight, and the gradients of the first w.r.t. both images where they are wanted."""
    return _sums_and_grads(pred, target, weight, taps, sizes, (eps_mode, squared, eps, smooth_nr),
                           (with_pred, with_target))


@lncc_sum.register_fake
def _(pred, target, weight, taps, sizes, eps_mode, squared, eps, smooth_nr, with_pred, with_target):
    return pred.new_empty(*pred.shape[:2], 2, dtype=torch.float64), *_fake_grads(pred, with_pred, with_target)


def _sum_backward(ctx, grad_sums, *_):
    return (None,) * ctx.count if grad_sums is None else _times_grads(ctx, grad_sums[..., 0])


lncc_sum.register_autograd(_sum_backward, setup_context=_save_grads)


@torch.library.custom_op("ffdp::lncc_scaled", mutates_args=())
def lncc_scaled(pred: Tensor, target: Tensor, taps: List[float], sizes: List[int], eps_mode: str, squared: bool,
                eps: float, smooth_nr: float, scale: float, with_pred: bool,
                with_target: bool) -> Tuple[Tensor, Tensor, Tensor]:
    """scale times the sum of cc (batch, channel), and its gradients before they are scaled. What lncc_sum would need
    behind it runs as kernels too small for a GPU."""
    sums, *grads = _sums_and_grads(pred, target, None, taps, sizes, (eps_mode, squared, eps, smooth_nr),
                                   (with_pred, with_target))
    return torch.mul(sums[..., 0], scale, out=pred.new_empty(pred.shape[:2])), *grads


@lncc_scaled.register_fake
def _(pred, target, taps, sizes, eps_mode, squared, eps, smooth_nr, scale, with_pred, with_target):
    return pred.new_empty(pred.shape[:2]), *_fake_grads(pred, with_pred, with_target)


def _save_scaled(ctx, inputs, output):
    _save_grads(ctx, inputs, output)
    ctx.scale = inputs[-3]


def _scaled_backward(ctx, grad_value, *_):
    return (None,) * ctx.count if grad_value is None else _times_grads(ctx, grad_value * ctx.scale)


lncc_scaled.register_autograd(_scaled_backward, setup_context=_save_scaled)


@torch.library.custom_op("ffdp::lncc_map", mutates_args=())
def lncc_map(pred: Tensor, target: Tensor, taps: List[float], sizes: List[int], eps_mode: str, squared: bool,
             eps: float, smooth_nr: float) -> Tensor:
    """cc of the window centred at each voxel."""
    params = _native_params(taps, sizes, eps_mode, squared, eps, smooth_nr)
    return run(params, pred, target, None, ["map"])[1][0]


@lncc_map.register_fake
def _(pred, target, taps, sizes, eps_mode, squared, eps, smooth_nr):
    return pred.new_empty(pred.shape)


def _save_map(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:2])
    ctx.params = inputs[2:]


def _map_backward(ctx, grad_map):
    pred, target = ctx.saved_tensors
    _, grad_pred, grad_target = lncc_sum(pred, target, grad_map, *ctx.params, ctx.needs_input_grad[0],
                                         ctx.needs_input_grad[1])
    grads = [g if needed else None for g, needed in zip((grad_pred, grad_target), ctx.needs_input_grad)]
    return (*grads,) + (None,) * 6


lncc_map.register_autograd(_map_backward, setup_context=_save_map)


def lncc(pred, target, window=9, *, kernel="box", sigma=None, eps=1e-5, eps_mode="product", moments="sums",
         smooth_nr=0.0, squared=True, reduction="mean", mask=None):
    """Local normalised cross-correlation; larger is more alike. Gradients to both images, exact.

    pred, target: (batch, channel, [z,] y, x). Sums are in float64 for float64 on the CPU, else in float32.
    window: odd size, or one size per axis; zeros outside the image. kernel: box, triangular, gaussian of `sigma`
    (window / 3), or a list of weights for every axis. moments: whether eps and smooth_nr stand beside sums over the window, as in VoxelMorph and MONAI,
    or beside means. eps_mode, of variances vf and vm: product (vf vm + eps), clamped_product (max(vf vm, eps)),
    clamped_each (max(vf, eps) max(vm, eps)) or added_each ((vf + eps) (vm + eps)).
    squared: (c^2 + smooth_nr) / denominator, else c / sqrt(denominator). reduction: mean, sum, none (the map) or
    batch (means (batch, channel)). mask: (batch, 1 or channel, ...) weights of the windows.
    """
    taps = window_taps(window, kernel, sigma, pred.ndim - 2)
    flat = flat_params(taps, eps_mode, eps, smooth_nr, squared, moments)
    if reduction == "none":
        require_pair("lncc", pred, target)
        if mask is not None:
            raise ValueError("lncc: a mask has no meaning with reduction none")
        return lncc_map(*working(pred, target), *flat).to(pred.dtype)
    if reduction not in ("mean", "sum", "batch"):
        raise ValueError(f"lncc: reduction is {reduction!r}, must be mean, sum, none or batch")
    if mask is not None:
        sums = lncc_sums(pred, target, flat, mask)
        if reduction == "sum":
            return sums[..., 0].sum().to(pred.dtype)
        each = sums[..., 0] / sums[..., 1]
        return (each if reduction == "batch" else each.mean()).to(pred.dtype)
    require_pair("lncc", pred, target)
    voxels, images = math.prod(pred.shape[2:]), math.prod(pred.shape[:2])
    scale = {"sum": 1.0, "batch": 1 / voxels, "mean": 1 / (voxels * images)}[reduction]
    graded = torch.is_grad_enabled()
    each = lncc_scaled(*working(pred, target), *flat, scale, graded and pred.requires_grad,
                       graded and target.requires_grad)[0]
    if reduction != "batch":
        each = each.view(()) if images == 1 else each.sum()
    return each.to(pred.dtype)


def lncc_sums(pred, target, flat, mask):
    """Sums (batch, channel, 2) of weight cc and of weight, float64; flat: of flat_params."""
    require_pair("lncc", pred, target)
    shape = pred.shape
    pred, target = working(pred, target)
    weight = None if mask is None else mask.detach().to(pred.dtype).expand(shape)
    graded = torch.is_grad_enabled()
    return lncc_sum(pred, target, weight, *flat, graded and pred.requires_grad, graded and target.requires_grad)[0]
