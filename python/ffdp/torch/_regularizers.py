# SPDX-License-Identifier: Apache-2.0
"""Regularisers of displacements, mse, and the Jacobian determinant. Each keeps its input only."""
import itertools
import math
from typing import Tuple

import torch
from torch import Tensor

from .. import _ffdp
from ._mi import reduced
from ._native import Where, boxed, require_pair, require_volume, working


class Stencil:
    """A difference: {offset (one number an axis): coefficient}, and the weight of its mean in the energy."""

    def __init__(self, taps, weight):
        self.taps, self.weight = taps, weight

    def places(self, size):
        """Where all taps lie in an image of this size: their number is that of the differences."""
        reach = [max(t[a] for t in self.taps) - min(t[a] for t in self.taps) for a in range(len(size))]
        return math.prod(n - r for n, r in zip(size, reach))


def _unit(axes, *which):
    offset = [0] * axes
    for axis, step in which:
        offset[axis] += step
    return tuple(offset)


def gradient_stencils(axes):
    """Forward differences; the mean over axes of their means."""
    return [Stencil({_unit(axes, (a, 1)): 1.0, _unit(axes): -1.0}, 1 / axes) for a in range(axes)]


def _square(taps, others):
    """The difference of a difference."""
    out = {}
    for (a, ca), (b, cb) in itertools.product(taps.items(), others.items()):
        key = tuple(i + j for i, j in zip(a, b))
        out[key] = out.get(key, 0.0) + ca * cb
    return {key: c for key, c in out.items() if c}


def bending_stencils(axes, form):
    """Second differences: "compact" has [1, -2, 1] and (f(++) - f(+-) - f(-+) + f(--)) / 4, as MONAI 1.6;
    "central" applies central differences twice, as earlier MONAI and TransMorph. Mixed ones count twice."""
    central = [{_unit(axes, (a, 1)): 0.5, _unit(axes, (a, -1)): -0.5} for a in range(axes)]
    stencils = []
    for a in range(axes):
        pure = {_unit(axes, (a, 1)): 1.0, _unit(axes): -2.0, _unit(axes, (a, -1)): 1.0}
        stencils.append(Stencil(pure if form == "compact" else _square(central[a], central[a]), 1.0))
        stencils += [Stencil(_square(central[a], central[b]), 2.0) for b in range(a + 1, axes)]
    return stencils


def _common(stencils, axes):
    """All stencils over the part of the image that every one of them reaches: means are over the same voxels."""
    lo = [min(t[a] for s in stencils for t in s.taps) for a in range(axes)]
    hi = [max(t[a] for s in stencils for t in s.taps) for a in range(axes)]
    for s in stencils:
        s.taps = {**s.taps, **{t: s.taps.get(t, 0.0) for t in (tuple(lo), tuple(hi))}}
    return stencils


def stencils_of(kind, axes):
    if kind == "gradient":
        return gradient_stencils(axes)
    return _common(bending_stencils(axes, kind), axes)


def _native(x, kind, power):
    axes = x.ndim - 2
    taps = [(s.weight / s.places(x.shape[2:]), [(*(0,) * (3 - axes), *tap, c) for tap, c in s.taps.items()])
            for s in stencils_of(kind, axes)]
    return _ffdp.differences_params(taps, power == 2)


def _energy(x, kind, power):
    """Of each sample and channel."""
    x = x.contiguous()
    params, box = _native(x, kind, power), boxed(x.shape[2:])
    sums = torch.zeros(x.shape[:2], dtype=torch.float64, device=x.device)
    with Where(x) as where:
        for one, to in zip(x.flatten(0, 1), sums.view(-1)):
            _ffdp.differences(where, params, box, x.dtype == torch.float64, one.data_ptr(), to.data_ptr(), 0)
    return sums.to(x.dtype)


def _energy_backward(grad, x, kind, power):
    x, grad = x.contiguous(), grad.contiguous()
    params, box, out = _native(x, kind, power), boxed(x.shape[2:]), torch.empty_like(x)
    with Where(x) as where:
        for one, scale, to in zip(x.flatten(0, 1), grad.view(-1), out.flatten(0, 1)):
            _ffdp.differences(where, params, box, x.dtype == torch.float64, one.data_ptr(), scale.data_ptr(),
                              to.data_ptr())
    return out


@torch.library.custom_op("ffdp::difference_energy", mutates_args=())
def _difference_energy(x: Tensor, kind: str, power: int) -> Tensor:
    return _energy(x.detach(), kind, power)


@torch.library.custom_op("ffdp::difference_energy_backward", mutates_args=())
def _difference_energy_backward(grad: Tensor, x: Tensor, kind: str, power: int) -> Tensor:
    return _energy_backward(grad.detach(), x.detach(), kind, power)


_difference_energy.register_fake(lambda x, kind, power: x.new_empty(x.shape[:2]))
_difference_energy_backward.register_fake(
    lambda grad, x, kind, power: torch.empty_like(x, memory_format=torch.contiguous_format))


def _save_energy(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])
    ctx.rule = inputs[1:]


_difference_energy.register_autograd(
    lambda ctx, grad: (_difference_energy_backward(grad, *ctx.saved_tensors, *ctx.rule), None, None),
    setup_context=_save_energy)


def _reduced_energy(name, x, kind, power, reduction):
    require_volume(name, x, "displacement")
    least = {"gradient": 2, "compact": 3, "central": 5}[kind]
    if min(x.shape[2:]) < least:
        raise ValueError(f"{name}: sizes are {tuple(x.shape[2:])}, each axis needs at least {least} voxels")
    return reduced(name, _difference_energy(*working(x), kind, power), reduction).to(x.dtype)


def diffusion(displacement, penalty="l2", reduction="mean"):
    """Mean of squared (l2) or absolute (l1) forward differences, mean over axes, components and batch.
    reduction none: one value per sample and component."""
    if penalty not in ("l1", "l2"):
        raise ValueError(f"diffusion: penalty is {penalty!r}, must be l1 or l2")
    return _reduced_energy("diffusion", displacement, "gradient", 1 if penalty == "l1" else 2, reduction)


def bending(displacement, form="compact", reduction="mean"):
    """Bending energy: mean over the inner voxels, components and batch of the squared second differences, mixed ones
    twice. form: compact, or central (central differences twice)."""
    if form not in ("compact", "central"):
        raise ValueError(f"bending: form is {form!r}, must be compact or central")
    return _reduced_energy("bending", displacement, form, 2, reduction)


@torch.library.custom_op("ffdp::mse", mutates_args=())
def _mse(pred: Tensor, target: Tensor, with_grad: bool) -> Tuple[Tensor, Tensor]:
    """Sums of squared differences (batch,), and 2 (pred - target) where it is wanted."""
    pred, target = pred.detach().contiguous(), target.detach().contiguous()
    if pred.dtype == torch.float64:
        d = pred - target
        return d.square().flatten(1).sum(-1), 2 * d if with_grad else pred.new_empty(0)
    grad = torch.empty_like(pred) if with_grad else pred.new_empty(0)
    sums = torch.zeros(pred.shape[0], 2, dtype=torch.float64, device=pred.device)
    box = boxed((1, pred[0].numel() // pred.shape[-1], pred.shape[-1]))
    with Where(pred) as where:
        for b in range(pred.shape[0]):
            _ffdp.mse(where, box, target[b].data_ptr(), pred[b].data_ptr(), grad[b].data_ptr() if with_grad else 0,
                      sums[b].data_ptr())
    return sums[:, 0].clone(), grad


@_mse.register_fake
def _(pred, target, with_grad):
    return pred.new_empty(pred.shape[0], dtype=torch.float64), pred.new_empty(pred.shape if with_grad else (0,))


def _save_mse(ctx, inputs, output):
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1])


def _mse_vjp(ctx, grad_sums, _):
    if grad_sums is None:
        return None, None, None
    grad, = ctx.saved_tensors
    grad = grad * grad_sums.to(grad.dtype).view(-1, *(1,) * (grad.ndim - 1))
    return (grad if ctx.needs_input_grad[0] else None), (-grad if ctx.needs_input_grad[1] else None), None


_mse.register_autograd(_mse_vjp, setup_context=_save_mse)


def mse(pred, target, reduction="mean"):
    """Mean squared difference. reduction: mean, sum (of squares), or none (one mean per sample)."""
    require_pair("mse", pred, target)
    dtype, count = pred.dtype, pred[0].numel()
    pred, target = working(pred, target)
    wanted = torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad)
    sums = _mse(pred, target, wanted)[0]
    return (sums.sum() if reduction == "sum" else reduced("mse", sums / count, reduction)).to(dtype)


def _slope(x, axis):
    """Central differences along an axis, one-sided at its ends; 0 along an axis of one voxel."""
    if x.shape[axis] == 1:
        return torch.zeros_like(x)
    return torch.gradient(x, dim=axis)[0]


def _slope_vjp(g, axis):
    """Adjoint of _slope."""
    n = g.shape[axis]
    out = torch.zeros_like(g)
    if n == 1:
        return out
    part = lambda lo, hi: g.narrow(axis, lo, hi - lo)
    to = lambda lo, hi: out.narrow(axis, lo, hi - lo)
    to(0, 1).sub_(part(0, 1))
    to(1, 2).add_(part(0, 1))
    to(n - 1, n).add_(part(n - 1, n))
    to(n - 2, n - 1).sub_(part(n - 1, n))
    if n > 2:
        to(2, n).add_(part(1, n - 1), alpha=0.5)
        to(0, n - 2).sub_(part(1, n - 1), alpha=0.5)
    return out


def _rows(u):
    """J[c][a] = d(x + u)_c / dx_a."""
    axes = u.shape[1]
    return [[_slope(u[:, c], 1 + a) + (1.0 if a == c else 0.0) for a in range(axes)] for c in range(axes)]


def _cofactor(j, c, a):
    rows, columns = ([i for i in range(len(j)) if i != k] for k in (c, a))
    if len(j) == 2:
        minor = j[rows[0]][columns[0]]
    else:
        minor = j[rows[0]][columns[0]] * j[rows[1]][columns[1]] - j[rows[0]][columns[1]] * j[rows[1]][columns[0]]
    return minor if (c + a) % 2 == 0 else -minor


@torch.library.custom_op("ffdp::jacobian_determinant", mutates_args=())
def _jacobian(u: Tensor) -> Tensor:
    j = _rows(u.detach())
    return sum(j[0][a] * _cofactor(j, 0, a) for a in range(len(j))).unsqueeze(1)


@torch.library.custom_op("ffdp::jacobian_determinant_backward", mutates_args=())
def _jacobian_backward(grad: Tensor, u: Tensor) -> Tensor:
    j = _rows(u.detach())
    axes = len(j)
    out = torch.zeros_like(u, memory_format=torch.contiguous_format)
    for c in range(axes):
        for a in range(axes):
            out[:, c] += _slope_vjp(grad[:, 0] * _cofactor(j, c, a), 1 + a)
    return out


_jacobian.register_fake(lambda u: u.new_empty(u.shape[0], 1, *u.shape[2:]))
_jacobian_backward.register_fake(lambda grad, u: torch.empty_like(u, memory_format=torch.contiguous_format))


def _save_u(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])


_jacobian.register_autograd(lambda ctx, grad: _jacobian_backward(grad, *ctx.saved_tensors), setup_context=_save_u)


def jacobian_determinant(displacement):
    """det(d(x + u)/dx) (batch, 1, [z,] y, x) of a displacement (batch, axes, [z,] y, x) [voxels]: central differences,
    one-sided at the edge; 0 or less is a fold."""
    require_volume("jacobian_determinant", displacement, "displacement")
    if displacement.shape[1] != displacement.ndim - 2:
        raise ValueError(f"jacobian_determinant: {displacement.shape[1]} components for {displacement.ndim - 2} axes")
    return _jacobian(*working(displacement)).to(displacement.dtype)
