# SPDX-License-Identifier: Apache-2.0
"""grid_sample of a sharded image at points of a sharded volume. The shards of the image pass round the ranks; each rank
adds the corners that lie in the shard it holds."""
import torch

from .._native import boxed, working
from .._sampling import sample_backward, sample_into
from ._shards import exchange


def _boxes(shards, owner, planes):
    """The whole image, the shard of `owner`, and this rank's part of the output."""
    low, high = [0] * len(shards.size), list(shards.size)
    low[shards.axis], high[shards.axis] = shards.bounds(planes)[owner]
    pad = [0] * (3 - len(shards.size))
    return [boxed(shards.size), pad + low + [1] * len(pad) + high, shards.box(planes)]


def _passed_on(shards, tensors, owner):
    """What the rank before holds (the shards of `owner`), for what this one holds."""
    planes = shards.cuts[owner + 1] - shards.cuts[owner]
    came = []
    for t in tensors:
        shape = list(t.shape)
        shape[shards.dim] = planes
        came.append(t.new_empty(shape))
    after, before = (shards.rank + 1) % shards.ranks, (shards.rank - 1) % shards.ranks
    exchange(shards, [(after, t) for t in tensors], [(before, t) for t in came])
    return came


class _Ring(torch.autograd.Function):
    @staticmethod
    def forward(ctx, image, displacement, shards, padding, mode):
        ctx.save_for_backward(image, displacement)
        ctx.rule = shards, padding, mode
        planes = displacement.shape[shards.dim]
        out = image.new_zeros(*image.shape[:2], *displacement.shape[2:])
        held, owner = image, shards.rank
        for step in range(shards.ranks):
            sample_into(out, held, displacement, None, padding, mode, add=True, boxes=_boxes(shards, owner, planes))
            owner = (owner - 1) % shards.ranks
            if step + 1 < shards.ranks:
                held, = _passed_on(shards, [held], owner)
        return out

    @staticmethod
    def backward(ctx, grad_out):
        image, displacement = ctx.saved_tensors
        shards, padding, mode = ctx.rule
        grad_out = grad_out.contiguous()
        planes = displacement.shape[shards.dim]
        with_image, with_u = ctx.needs_input_grad[:2]
        grad_u = torch.zeros_like(displacement) if with_u else None
        held, owner = [image] + [torch.zeros_like(image)] * with_image, shards.rank
        for _ in range(shards.ranks):
            grads = held[1] if with_image else None, grad_u, None
            sample_backward(grad_out, held[0], displacement, None, padding, mode, grads, add=True,
                            boxes=_boxes(shards, owner, planes))
            owner = (owner - 1) % shards.ranks
            if shards.ranks > 1:  # after a full circle the gradient is home
                held = _passed_on(shards, held, owner)
        return (held[1] if with_image else None), grad_u, None, None, None


def grid_sample(image, displacement, shards, padding="zeros", mode="linear"):
    """ffdp.torch.grid_sample of shards: image (batch, channel, ...) and displacement (batch, axes, ...), both this
    rank's planes of volumes of shards.size. Memory: one more shard, and in backward its gradient."""
    dtype = image.dtype
    image, displacement = (x.contiguous() for x in working(image, displacement))
    return _Ring.apply(image, displacement, shards, padding, mode).to(dtype)


def integrate_svf(velocity, shards, steps=7, padding="zeros"):
    """ffdp.torch.integrate_svf of shards; keeps every step for backward."""
    field = velocity / 2**steps
    for _ in range(steps):
        field = field + grid_sample(field, field, shards, padding)
    return field
