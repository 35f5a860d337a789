# SPDX-License-Identifier: Apache-2.0
"""Networks on shards: convolutions, pooling, up-sampling and normalisation of a volume that is cut."""
import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ._shards import _Halos, fetch, halo_exchange

HANDLED = {}


def handles(*functions):
    """The decorated function replaces these functions on sharded tensors."""
    def register(function):
        for f in functions:
            HANDLED[f] = function
        return function
    return register


class Sharded(torch.nn.Module):
    """A network run on shards: Sharded(net, shards)(x) is this rank's part of net(whole x), for networks made of
    convolutions (zeros as padding), transposed convolutions, pooling, nearest and linear up-sampling, batch, instance
    and group normalisation, concatenation, and functions of single voxels. Any other function that reads neighbours or
    the whole volume is refused. The parameters are those of `net` and must be equal on every rank."""

    def __init__(self, net, shards):
        super().__init__()
        self.net, self.shards = net, shards

    def forward(self, *args, **kwargs):
        with _Mode(self.shards):
            return self.net(*args, **kwargs)


class _Mode(TorchFunctionMode):
    def __init__(self, shards):
        super().__init__()
        self.shards = shards

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in HANDLED:
            return HANDLED[function](self.shards, function, *args, **kwargs)
        if getattr(function, "__name__", "") in _REFUSED:
            raise NotImplementedError(f"Sharded: {function.__name__} is not there for volumes that are cut")
        return function(*args, **kwargs)


_REFUSED = {"adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d",
            "adaptive_max_pool3d", "conv1d", "conv_transpose1d", "pad", "grid_sample", "layer_norm", "unfold", "fold",
            "lp_pool2d", "lp_pool3d", "fractional_max_pool3d", "scaled_dot_product_attention", "mean", "sum", "var",
            "std", "roll", "flip", "conv_tbc", "local_response_norm", "pixel_shuffle", "max_unpool3d"}


def _each(value, axes):
    return [value] * axes if isinstance(value, int) else list(value) * (axes if len(value) == 1 else 1)


def _without(values, axis):
    """The padding that is left to do along the other axes."""
    return [0 if a == axis else v for a, v in enumerate(values)]


def _reach(shards, x, size, stride, padding, dilation):
    """Planes that windows of `size` need before and after the shard. Each window belongs to the rank whose planes its
    first step comes from."""
    axis, planes = shards.axis, x.shape[shards.dim]
    k, s, p = dilation[axis] * (size[axis] - 1) + 1, stride[axis], padding[axis]
    last = shards.bounds(planes)[-1][1]
    if (last + 2 * p - k) // s + 1 != last // s or last % s or any(a % s for a, _ in shards.bounds(planes)):
        raise ValueError(f"Sharded: a window of {k} planes, stride {s}, padding {p} makes other than 1 / {s} of "
                         f"{last} planes, or cuts lie between its steps")
    return p, k - s - p


def _windowed(shards, x, size, stride, padding, dilation, edge):
    """The shard with what windows of `size` need of its neighbours."""
    return halo_exchange(x, shards, *_reach(shards, x, size, stride, padding, dilation), edge)


class _Added(torch.autograd.Function):
    """`x` with `part` added to its planes from `first` on, in place."""

    @staticmethod
    def forward(ctx, x, part, dim, first):
        ctx.mark_dirty(x)
        ctx.planes = dim, first, part.shape[dim]
        x.narrow(*ctx.planes).add_(part)
        return x

    @staticmethod
    def backward(ctx, grad):
        return grad, grad.narrow(*ctx.planes), None, None


@handles(torch.conv3d, torch.conv2d, F.conv3d, F.conv2d)
def _conv(shards, function, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    axes, axis, dim = x.ndim - 2, shards.axis, shards.dim
    stride, dilation = _each(stride, axes), _each(dilation, axes)
    if isinstance(padding, str):
        padding = [d * (n - 1) // 2 if padding == "same" else 0 for n, d in zip(weight.shape[2:], dilation)]
    padding = _each(padding, axes)
    lo, hi = _reach(shards, x, weight.shape[2:], stride, padding, dilation)
    others = _without(padding, axis)
    # The shard by itself, with zeros around it; what its neighbours add is a convolution of their planes alone. A copy
    # of the shard with its halo would be kept for backward beside the shard.
    x, before, after = _Halos.apply(x, shards, lo, max(hi, 0))
    out = function(x, weight, bias, stride, padding, dilation, groups)
    planes, step, made = x.shape[dim], stride[axis], out.shape[dim]
    k = dilation[axis] * (weight.shape[2 + axis] - 1) + 1

    def add(halo, first, count):
        """Adds to `count` planes of the output, whose windows begin at plane `first` of the shard."""
        if not halo.shape[dim] or count <= 0:
            return out
        begin = -halo.shape[dim] if halo is before else planes
        end = first + (count - 1) * step + k
        pad = [0, 0] * (x.ndim - 1 - dim) + [begin - first, end - begin - halo.shape[dim]]
        part = function(F.pad(halo, pad), weight, None, stride, others, dilation, groups)
        return _Added.apply(out, part, dim, (first + lo) // step)
    at_start = min(made, -(-lo // step))
    out = add(before, -lo, at_start)
    from_end = max(0, (planes + lo - k) // step + 1)  # the first window that ends beyond the shard
    return add(after, from_end * step - lo, made - from_end)


@handles(torch.conv_transpose3d, torch.conv_transpose2d, F.conv_transpose3d, F.conv_transpose2d)
def _conv_transpose(shards, function, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                    dilation=1):
    axes, axis = x.ndim - 2, shards.axis
    stride, padding, extra, dilation = (_each(v, axes) for v in (stride, padding, output_padding, dilation))
    k, s, p = dilation[axis] * (weight.shape[2 + axis] - 1) + 1, stride[axis], padding[axis]
    if k + extra[axis] - 2 * p != s:
        raise ValueError(f"Sharded: a transposed window of {k} planes, stride {s}, padding {p} makes other than {s} "
                         "times as many planes")
    lo, hi = max(0, (k - 1 - p) // s), (p - 1 + s) // s
    wide = halo_exchange(x, shards, lo, hi, 0.0)
    out = function(wide, weight, bias, stride, _without(padding, axis), _without(extra, axis), groups, dilation)
    return out.narrow(shards.dim, s * lo + p, s * x.shape[shards.dim])


@handles(F.max_pool3d, F.max_pool2d, torch.max_pool3d, torch.max_pool2d)
def _max_pool(shards, function, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
              return_indices=False):
    if return_indices or ceil_mode:
        raise NotImplementedError("Sharded: max_pool with indices or ceil_mode is not there")
    axes = x.ndim - 2
    size = _each(kernel_size, axes)
    stride, padding, dilation = (_each(v, axes) for v in (stride or size, padding, dilation))
    wide = _windowed(shards, x, size, stride, padding, dilation, float("-inf"))
    return function(wide, size, stride, _without(padding, shards.axis), dilation)


@handles(F.avg_pool3d, F.avg_pool2d)
def _avg_pool(shards, function, x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
              divisor_override=None):
    axes = x.ndim - 2
    size = _each(kernel_size, axes)
    stride, padding = _each(stride or size, axes), _each(padding, axes)
    if ceil_mode or (any(padding) and not count_include_pad):
        raise NotImplementedError("Sharded: avg_pool with ceil_mode, or with padding that does not count, is not there")
    wide = _windowed(shards, x, size, stride, padding, [1] * axes, 0.0)
    return function(wide, size, stride, _without(padding, shards.axis), False, True, divisor_override)


def _positions(n, out_n, align_corners, device, dtype):
    """Where voxels of the larger grid lie among those of the smaller, as F.interpolate has it."""
    at = torch.arange(out_n, device=device, dtype=dtype)
    if align_corners:
        return at * ((n - 1) / max(out_n - 1, 1))
    return ((at + 0.5) * (n / out_n) - 0.5).clamp(min=0)


@handles(F.interpolate)
def _interpolate(shards, function, input, size=None, scale_factor=None, mode="nearest", align_corners=None,
                 recompute_scale_factor=None, antialias=False):
    x, axes, axis, dim = input, input.ndim - 2, shards.axis, shards.dim
    local = x.shape[2:]
    if size is None:
        factors = _each(scale_factor, axes) if not isinstance(scale_factor, float) else [scale_factor] * axes
        out_size = [int(n * f) for n, f in zip(local, factors)]
    else:  # of this rank's shard, as a skip connection has it
        out_size = _each(size, axes)
    if out_size[axis] % local[axis] or antialias or mode not in ("nearest", "linear", "bilinear", "trilinear"):
        raise NotImplementedError(f"Sharded: interpolate from {tuple(local)} to {out_size} ({mode}) is not there; whole "
                                  "factors, nearest or linear are")
    if mode == "nearest":
        return function(x, size=out_size, mode=mode)
    factor = out_size[axis] // local[axis]
    bounds = shards.bounds(local[axis])
    n = bounds[-1][1]
    at = _positions(n, factor * n, bool(align_corners), x.device, torch.float64)
    first = at.floor().long().clamp(max=n - 1)
    second = (first + 1).clamp(max=n - 1)
    wanted = [(int(first[factor * a]), int(second[factor * b - 1]) + 1) for a, b in bounds]
    wanted = [(min(lo, a), max(hi, b)) for (lo, hi), (a, b) in zip(wanted, bounds)]
    wide = fetch(x, shards, wanted)
    lo = wanted[shards.rank][0]
    own = slice(factor * bounds[shards.rank][0], factor * bounds[shards.rank][1])
    shape = [-1 if d == dim else 1 for d in range(x.ndim)]
    weight = (at - first)[own].to(x.dtype).view(shape)
    lower, upper = (wide.index_select(dim, i[own] - lo) for i in (first, second))
    along = lower + weight * (upper - lower)
    others = [along.shape[2 + a] if a == axis else m for a, m in enumerate(out_size)]
    return function(along, size=others, mode=mode, align_corners=align_corners)


class _Normalize(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias with the moments over `dims` of all ranks' planes. Keeps x alone."""

    @staticmethod
    def forward(ctx, x, weight, bias, shards, dims, eps):
        planes = x.shape[-len(shards.size) + shards.axis]
        local = math.prod(x.shape[d] for d in dims)
        count = local // planes * shards.bounds(planes)[-1][1]
        mean = _summed(x.sum(dims, keepdim=True), shards) / count
        var = _summed((x - mean).square_().sum(dims, keepdim=True), shards) / count
        scale = (var + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.rule = shards, dims, count, None if bias is None else bias.shape
        ctx.mark_non_differentiable(mean, var)
        out = (x - mean).mul_(scale)
        out = out if weight is None else out.mul_(weight)
        return (out if bias is None else out.add_(bias)), mean, var

    @staticmethod
    def backward(ctx, grad, *_):
        x, weight, mean, scale = ctx.saved_tensors
        shards, dims, count, bias_shape = ctx.rule
        parameter = bias_shape if weight is None else weight.shape  # (1, .., channels, 1, ..)
        alike = [d for d in dims if parameter is None or parameter[d] == 1]  # along which weight and bias are constant
        grads = grad.sum(alike, keepdim=True)
        products = (x - mean).mul_(scale).mul_(grad).sum(alike, keepdim=True)
        grad_weight = None if weight is None else products.sum_to_size(weight.shape)
        grad_bias = None if bias_shape is None else grads.sum_to_size(bias_shape)
        both = torch.stack([grads, products])
        both = (both if weight is None else both * weight).sum([d + 1 for d in dims], keepdim=True)
        first, second = _summed(both, shards) / count
        # One tensor of the size of x at a time: this is where a step needs most memory.
        out = (x - mean).mul_(-scale * second)
        out = out.add_(grad) if weight is None else out.addcmul_(grad, weight)
        return out.sub_(first).mul_(scale), grad_weight, grad_bias, None, None, None


def _summed(local, shards):
    dist.all_reduce(local, group=shards.group)
    return local


def _along_channels(parameter, x):
    return None if parameter is None else parameter.view(1, -1, *(1,) * (x.ndim - 2))


@handles(F.instance_norm, torch.instance_norm)
def _instance_norm(shards, function, input, running_mean=None, running_var=None, weight=None, bias=None,
                   use_input_stats=True, momentum=0.1, eps=1e-5):
    if running_mean is not None:
        raise NotImplementedError("Sharded: instance_norm with running statistics is not there")
    return _Normalize.apply(input, _along_channels(weight, input), _along_channels(bias, input), shards,
                            tuple(range(2, input.ndim)), eps)[0]


@handles(F.group_norm, torch.group_norm)
def _group_norm(shards, function, input, num_groups, weight=None, bias=None, eps=1e-5):
    grouped = input.view(input.shape[0], num_groups, -1, *input.shape[2:])
    weight, bias = (None if p is None else p.view(1, num_groups, -1, *(1,) * (input.ndim - 2)) for p in (weight, bias))
    return _Normalize.apply(grouped, weight, bias, shards, tuple(range(2, grouped.ndim)), eps)[0].view(input.shape)


@handles(F.batch_norm, torch.batch_norm)
def _batch_norm(shards, function, input, running_mean, running_var, weight=None, bias=None, training=False,
                momentum=0.1, eps=1e-5):
    if not training:
        return function(input, running_mean, running_var, weight, bias, False, momentum, eps)
    dims = (0, *range(2, input.ndim))
    out, mean, var = _Normalize.apply(input, _along_channels(weight, input), _along_channels(bias, input), shards, dims,
                                      eps)
    if running_mean is not None:
        count = input.numel() // input.shape[1] // input.shape[shards.dim] * shards.bounds(input.shape[shards.dim])[-1][1]
        with torch.no_grad():
            running_mean.lerp_(mean.flatten(), momentum)
            running_var.lerp_(var.flatten() * (count / max(count - 1, 1)), momentum)
    return out
