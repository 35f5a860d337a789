# SPDX-License-Identifier: Apache-2.0
"""Losses of sharded volumes. Every rank gets the value of the whole volume, and the gradient of its own voxels."""
import math

import torch
import torch.distributed as dist

from .. import _lncc, _mi
from .._native import boxed, require_pair, working
from ._shards import fetch, halo_exchange


class _Scaled(torch.autograd.Function):
    """A value whose gradients are known already; backward multiplies them."""

    @staticmethod
    def forward(ctx, value, pred, target, grad_pred, grad_target):
        ctx.save_for_backward(*(g for g in (grad_pred, grad_target) if g is not None))
        ctx.has = grad_pred is not None, grad_target is not None
        return value.clone()

    @staticmethod
    def backward(ctx, grad):
        saved = iter(ctx.saved_tensors)
        grads = [next(saved) if has else None for has in ctx.has]
        return None, *(None if g is None else (g * grad.to(g.dtype)) for g in grads), None, None


def _needed(*tensors):
    return [torch.is_grad_enabled() and t.requires_grad for t in tensors]


def lncc(pred, target, shards, window=9, *, kernel="box", sigma=None, eps=1e-5, eps_mode="product", moments="sums",
         smooth_nr=0.0, squared=True):
    """ffdp.torch.lncc of shards; the mean over the whole volume. Halos of two window radii are fetched, so that each
    rank has the gradient of its voxels without a second exchange."""
    require_pair("lncc", pred, target)
    dtype = pred.dtype
    taps = _lncc.window_taps(window, kernel, sigma, pred.ndim - 2)
    params = _lncc._native_params(*_lncc.flat_params(taps, eps_mode, eps, smooth_nr, squared, moments))
    reach = 2 * (len(taps[3 - len(shards.size) + shards.axis]) // 2)
    pred, target = working(pred, target)
    needed = _needed(pred, target)
    with torch.no_grad():
        wide = [halo_exchange(x.detach(), shards, reach, reach) for x in (pred, target)]
        planes = pred.shape[shards.dim]
        boxes = boxed(shards.size), shards.box(planes, reach, reach), shards.box(planes)
        wanted = [name for name, need in zip(("grad_pred", "grad_target"), needed) if need]
        sums, (_, *grads) = _lncc.run(params, *wide, None, wanted, boxes)
        dist.all_reduce(sums, group=shards.group)
        count = pred.shape[0] * pred.shape[1] * math.prod(shards.size)
        grads = [None if g is None else g / count for g in grads]
    return _Scaled.apply(sums[..., 0].sum() / count, pred, target, *grads).to(dtype)


def mi(pred, target, shards, bins=32, *, kernel="mattes", pred_range=(0.0, 1.0), target_range=(0.0, 1.0),
       sigma_ratio=0.5, smooth_nr=0.0, smooth_dr=0.0):
    """ffdp.torch.mi of shards; the mean over the batch. Histograms are added over ranks."""
    require_pair("mi", pred, target)
    _mi.require_kernel(kernel)
    dtype = pred.dtype
    pred, target = working(pred, target)
    needed = _needed(pred, target)
    rule = kernel, bins, tuple(pred_range), tuple(target_range), sigma_ratio, smooth_nr, smooth_dr

    def add(counts):
        dist.all_reduce(counts, group=shards.group)
        return counts
    with torch.no_grad():
        values, made = [], []
        for p, t in zip(pred.detach().contiguous(), target.detach().contiguous()):
            flat = p.reshape(1, -1, p.shape[-1]), t.reshape(1, -1, t.shape[-1])
            value, grads = _mi.one_pair(*flat, rule, needed, add)
            values.append(value)
            made.append(grads)
        grads = [torch.stack(g).view(pred.shape) / len(values) if g[0] is not None else None for g in zip(*made)]
    return _Scaled.apply(torch.stack(values).double().mean(), pred, target, *grads).to(dtype)


def mse(pred, target, shards):
    """Mean squared difference of shards."""
    require_pair("mse", pred, target)
    dtype = pred.dtype
    pred, target = working(pred, target)
    count = pred.shape[0] * pred.shape[1] * math.prod(shards.size)
    return (shards.total((pred - target).square().sum(dtype=torch.float64)) / count).to(dtype)


def diffusion(displacement, shards, penalty="l2"):
    """ffdp.torch.diffusion of shards."""
    if penalty not in ("l1", "l2"):
        raise ValueError(f"diffusion: penalty is {penalty!r}, must be l1 or l2")
    x, = working(displacement)
    bounds = shards.bounds(x.shape[shards.dim])
    last = shards.size[shards.axis]
    longer = fetch(x, shards, [(a, min(last, b + 1)) for a, b in bounds])
    total = 0.0
    for axis in range(len(shards.size)):
        d = (longer if axis == shards.axis else x).diff(dim=2 + axis)
        part = (d.abs() if penalty == "l1" else d.square()).sum(dtype=torch.float64)
        count = math.prod(n - (a == axis) for a, n in enumerate(shards.size)) * x.shape[0] * x.shape[1]
        total = total + part / count
    return (shards.total(total) / len(shards.size)).to(displacement.dtype)
