# SPDX-License-Identifier: Apache-2.0
"""Mutual information. Nothing of the size of the image is stored except the gradient.

"gaussian" (soft bins over the whole range, normalised per voxel) and, on float32, "mattes" and "cubic" run the
library's kernels. The others, and float64, process the voxels in pieces: the weights W of a piece give
joint += Wp^T Wt.
"""
import math
from typing import List, Tuple

import torch
from torch import Tensor

from .. import _ffdp
from ._native import Where, boxed, require_pair, working

PIECE = 1 << 18  # voxels whose weights are made at once
ONE = 1 << 20    # a voxel in the integer histograms of the library


def _slope_of_clamp_at_its_end():
    """0 from PyTorch 2.15 on, 1 before; packages that clamp pass on what it is."""
    x = torch.zeros(1)
    with torch.enable_grad():
        return torch.autograd.grad(x.requires_grad_().clamp(0, 1).sum(), x)[0].item()


_END_PASSES = _slope_of_clamp_at_its_end() == 1
_PADDING = 2     # bins on each side that only window tails reach, as in the library


def _cubic(d):
    """Cubic B-spline and its derivative w.r.t. d."""
    a = d.abs()
    outer = (2 - a).clamp(min=0)
    inside = a < 1
    value = torch.where(inside, (4 - 6 * a**2 + 3 * a**3) / 6, outer**3 / 6)
    return value, d.sign() * torch.where(inside, 1.5 * a**2 - 2 * a, -0.5 * outer**2)


def _inside(x, lo, hi):
    """1 where torch.clamp(x, lo, hi) has a slope."""
    return ((x >= lo) & (x <= hi) if _END_PASSES else (x > lo) & (x < hi)).to(x.dtype)


def soft_bins(x, kind, bins, lo, hi):
    """Weights (n, bins) of intensities (n,), and their derivatives w.r.t. the intensity.

    kind: cubic, nearest, or spline3 and spline0: MONAI's, of intensities that are positions among the bins already.
    """
    if kind in ("spline3", "spline0"):
        return _monai_spline(x, kind, bins)
    scale = (bins - 1 - 2 * _PADDING) / (hi - lo)
    at = (x - lo) * scale + _PADDING
    inside = ((at > _PADDING) & (at < bins - 1 - _PADDING)).to(x.dtype)
    at = at.clamp(_PADDING, bins - 1 - _PADDING)
    if kind == "nearest":
        w = torch.nn.functional.one_hot((at + 0.5).floor().long(), bins).to(x.dtype)
        return w, torch.zeros_like(w)
    value, slope = _cubic(at[:, None] - torch.arange(bins, dtype=x.dtype, device=x.device))
    return value, slope * (scale * inside)[:, None]


def _monai_spline(at, kind, bins):
    inside = _inside(at, _PADDING, bins - 1 - _PADDING)
    d = at.clamp(_PADDING, bins - 1 - _PADDING)[:, None] - torch.arange(bins, dtype=at.dtype, device=at.device)
    if kind == "spline3":
        value, slope = _cubic(d)
        return value, slope * inside[:, None]
    value = (d.abs() < 0.5).to(at.dtype) + 0.5 * (d.abs() == 0.5)
    return value, torch.zeros_like(value)


_KINDS = {"mattes": ("cubic", "nearest"), "cubic": ("cubic", "cubic"), "monai_spline": ("spline3", "spline0")}
"""Soft bins of pred and of target."""


def require_kernel(kernel):
    if kernel != "gaussian" and kernel not in _KINDS:
        raise ValueError(f"mi: kernel is {kernel!r}, must be mattes, cubic or gaussian")


def _pieces(pred, target):
    for start in range(0, pred.numel(), PIECE):
        yield pred[start:start + PIECE], target[start:start + PIECE]


def joint_of(pred, target, kernel, bins, pred_range, target_range):
    """(bins, bins) sums of weights of flat images: rows pred, columns target."""
    kinds = _KINDS[kernel]
    joint = torch.zeros(bins, bins, dtype=torch.float64, device=pred.device)
    for p, t in _pieces(pred, target):
        joint += (soft_bins(p, kinds[0], bins, *pred_range)[0].T @
                  soft_bins(t, kinds[1], bins, *target_range)[0]).double()
    return joint


def mi_of(joint, smooth_nr, smooth_dr):
    """Mutual information [nat] of a histogram, and its derivative w.r.t. each count.

    sum P log((P + smooth_nr) / (Pp Pt + smooth_dr) + smooth_dr); with zeros for smooth, sum P log(P / (Pp Pt)) over
    the bins that hold something."""
    total = joint.sum()
    p = joint / total
    rows, columns = p.sum(1, keepdim=True), p.sum(0, keepdim=True)
    tiny = torch.finfo(p.dtype).tiny if smooth_nr == 0 and smooth_dr == 0 else 0.0
    above, below = (p + smooth_nr).clamp(min=tiny), (rows * columns + smooth_dr).clamp(min=tiny)
    ratio = above / below + smooth_dr
    by_product = -p / ratio * above / below**2
    if smooth_nr == 0 and smooth_dr == 0:  # -p / product; empty rows and columns have no say
        by_product = torch.where(p > 0, -p / below, 0.0)
        by_p = ratio.log() + (p > 0)
    else:
        by_p = ratio.log() + p / (ratio * below)
    slope = by_p + (by_product * columns).sum(1, keepdim=True) + (by_product * rows).sum(0, keepdim=True)
    return (p * ratio.log()).sum(), (slope - (p * slope).sum()) / total


def gradients(pred, target, table, kernel, bins, pred_range, target_range, wanted):
    """dMI/dpred and dMI/dtarget of flat images from the derivative of MI w.r.t. each count; None: not wanted."""
    kinds, made = _KINDS[kernel], [torch.empty_like(pred) if w else None for w in wanted]
    table = table.to(pred.dtype)
    start = 0
    for p, t in _pieces(pred, target):
        wp, sp = soft_bins(p, kinds[0], bins, *pred_range)
        wt, st = soft_bins(t, kinds[1], bins, *target_range)
        end = start + p.numel()
        if wanted[0]:
            made[0][start:end] = (sp * (wt @ table.T)).sum(1)
        if wanted[1]:
            made[1][start:end] = (st * (wp @ table)).sum(1)
        start = end
    return made


class Kernels:
    """The library's kernels on one float32 image pair (1-D views are fine: they know no neighbours)."""

    def __init__(self, kernel, bins, pred_range, target_range):
        self.bins = bins
        self.params = _ffdp.mi_params(bins, kernel, list(target_range), list(pred_range))
        self.swapped = _ffdp.mi_params(bins, kernel, list(pred_range), list(target_range))

    def counts(self, pred, target):
        """Integer histogram, rows target, columns pred, and the number of voxels after it."""
        counts = torch.zeros(self.bins**2 + 1, dtype=torch.int64, device=pred.device)
        with Where(pred) as where:
            _ffdp.mi_accumulate(where, self.params, boxed(pred.shape), target.data_ptr(), pred.data_ptr(),
                                counts.data_ptr())
        return counts

    def evaluate(self, counts):
        """Value (0-D, float64), and the derivative w.r.t. a voxel in each bin (rows target)."""
        table = torch.empty(self.bins, self.bins, dtype=torch.float32, device=counts.device)
        result = torch.empty(2, dtype=torch.float64, device=counts.device)
        with Where(counts) as where:
            _ffdp.mi_evaluate(where, self.params, counts.data_ptr(), table.data_ptr(), result.data_ptr())
        return result[0], table

    def gradient(self, pred, target, table):
        """dMI/dpred."""
        return self._gradient(self.params, target, pred, table)

    def gradient_of_target(self, pred, target, table):
        """dMI/dtarget, of kernels that are the same for both images."""
        return self._gradient(self.swapped, pred, target, table.T.contiguous())

    @staticmethod
    def _gradient(params, still, moving, table):
        grad = torch.empty_like(moving)
        with Where(moving) as where:
            _ffdp.mi_backward(where, params, boxed(moving.shape), still.data_ptr(), moving.data_ptr(),
                              table.data_ptr(), grad.data_ptr())
        return grad


class SoftBins:
    """The library's Gaussian bins of one contiguous pair, float32 or float64."""

    def __init__(self, bins, pred_range, target_range, sigma_ratio):
        self.bins = bins
        self.params = _ffdp.soft_bins_params(bins, sigma_ratio, list(pred_range), list(target_range), _END_PASSES)
        self.swapped = _ffdp.soft_bins_params(bins, sigma_ratio, list(target_range), list(pred_range), _END_PASSES)

    def joint(self, pred, target):
        """Histogram, rows pred."""
        joint = torch.zeros(self.bins, self.bins, dtype=torch.float64, device=pred.device)
        with Where(pred) as where:
            _ffdp.soft_bins_accumulate(where, self.params, pred.dtype == torch.float64, pred.numel(), pred.data_ptr(),
                                       target.data_ptr(), joint.data_ptr())
        return joint

    def gradient(self, pred, target, table):
        """dMI/dpred."""
        return self._gradient(self.params, pred, target, table)

    def gradient_of_target(self, pred, target, table):
        """dMI/dtarget."""
        return self._gradient(self.swapped, target, pred, table.T)

    @staticmethod
    def _gradient(params, of, other, table):
        grad, table = torch.empty_like(of), table.to(of.dtype).contiguous()
        with Where(of) as where:
            _ffdp.soft_bins_backward(where, params, of.dtype == torch.float64, of.numel(), of.data_ptr(),
                                     other.data_ptr(), table.data_ptr(), grad.data_ptr())
        return grad


def one_pair(pred, target, rule, wanted, reduce=None):
    """Value and gradients of one pair of volumes. `reduce` adds histograms of other ranks."""
    kernel, bins, pred_range, target_range, sigma_ratio, smooth_nr, smooth_dr = rule
    reduce = reduce or (lambda counts: counts)
    if pred.dtype == torch.float32 and kernel in ("mattes", "cubic") and smooth_nr == smooth_dr == 0:
        kernels = Kernels(kernel, bins, pred_range, target_range)
        value, table = kernels.evaluate(reduce(kernels.counts(pred, target)))
        grad = kernels.gradient(pred, target, table) if wanted[0] else None
        other = None
        if wanted[1]:
            other = kernels.gradient_of_target(pred, target, table) if kernel == "cubic" else torch.zeros_like(target)
        return value, (grad, other)
    if kernel == "gaussian":
        soft = SoftBins(bins, pred_range, target_range, sigma_ratio)
        value, table = mi_of(reduce(soft.joint(pred, target)), smooth_nr, smooth_dr)
        return value, (soft.gradient(pred, target, table) if wanted[0] else None,
                       soft.gradient_of_target(pred, target, table) if wanted[1] else None)
    args = kernel, bins, pred_range, target_range
    flat = pred.reshape(-1), target.reshape(-1)
    value, table = mi_of(reduce(joint_of(*flat, *args)), smooth_nr, smooth_dr)
    made = gradients(*flat, table, *args, wanted)
    return value, tuple(None if g is None else g.view(pred.shape) for g in made)


@torch.library.custom_op("ffdp::mi", mutates_args=())
def _mi(pred: Tensor, target: Tensor, kernel: str, bins: int, pred_range: List[float], target_range: List[float],
        sigma_ratio: float, smooth_nr: float, smooth_dr: float, with_pred: bool,
        with_target: bool) -> Tuple[Tensor, Tensor, Tensor]:
    """Values (batch,) and the gradients of each; all channels of an image share its histogram."""
    pred, target = pred.detach().contiguous(), target.detach().contiguous()
    rule = kernel, bins, pred_range, target_range, sigma_ratio, smooth_nr, smooth_dr
    values, grads = [], ([], [])
    for p, t in zip(pred.flatten(1), target.flatten(1)):
        value, made = one_pair(p.view(1, -1, pred.shape[-1]), t.view(1, -1, pred.shape[-1]), rule,
                               (with_pred, with_target))
        values.append(value)
        for to, grad in zip(grads, made):
            to.append(grad)
    stacked = [torch.stack(g).view(pred.shape) if w else pred.new_empty(0)
               for g, w in zip(grads, (with_pred, with_target))]
    return torch.stack(values).double(), *stacked


@_mi.register_fake
def _(pred, target, kernel, bins, pred_range, target_range, sigma_ratio, smooth_nr, smooth_dr, with_pred, with_target):
    return (pred.new_empty(pred.shape[0], dtype=torch.float64),
            *(pred.new_empty(pred.shape if w else (0,)) for w in (with_pred, with_target)))


def _save(ctx, inputs, output):
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*output[1:])
    ctx.kept = inputs[-2:]


def _vjp(ctx, grad_values, *_):
    if grad_values is None:
        return (None,) * 11
    grads = [g * grad_values.to(g.dtype).view(-1, *(1,) * (g.ndim - 1)) if kept else None
             for g, kept in zip(ctx.saved_tensors, ctx.kept)]
    return (*grads,) + (None,) * 9


_mi.register_autograd(_vjp, setup_context=_save)


def mi(pred, target, bins=32, *, kernel="mattes", pred_range=(0.0, 1.0), target_range=(0.0, 1.0), sigma_ratio=0.5,
       smooth_nr=0.0, smooth_dr=0.0, reduction="mean"):
    """Mutual information [nat]; larger is more alike. Gradients to both images.

    pred, target: (batch, channel, [z,] y, x). kernel: mattes (cubic B-spline for pred, nearest bin for target, which
    gets no gradient), cubic for both (two bins of padding at each end, intensities beyond the range in the last
    bins), or gaussian (centres from end to end of the range, sigma_ratio bins wide, normalised per voxel, as MONAI
    and TransMorph). smooth_nr, smooth_dr: as in MONAI's formula. reduction: mean over the batch, sum or none.
    Memory does not grow with the image, except for the gradients. mattes on float32 is the fastest.
    """
    require_pair("mi", pred, target)
    if bins < (6 if kernel != "gaussian" else 2):
        raise ValueError(f"mi: bins is {bins}, too few")
    require_kernel(kernel)
    dtype = pred.dtype
    pred, target = working(pred, target)
    graded = torch.is_grad_enabled()
    values = _mi(pred, target, kernel, bins, list(map(float, pred_range)), list(map(float, target_range)),
                 float(sigma_ratio), float(smooth_nr), float(smooth_dr), graded and pred.requires_grad,
                 graded and target.requires_grad)[0]
    return reduced("mi", values, reduction).to(dtype)


def reduced(name, values, reduction):
    """mean, sum or none."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: reduction is {reduction!r}, must be mean, sum or none")
    return values if reduction == "none" else getattr(values, reduction)()
