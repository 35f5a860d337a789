# SPDX-License-Identifier: Apache-2.0
"""How a volume is cut, and the messages between ranks."""
import torch
import torch.distributed as dist


class Shards:
    """Cuts of a volume along one axis.

    size: voxels of the whole volume, (z, y, x) or (y, x). axis: the axis that is cut. multiple: cuts are at multiples of
    this many planes, so that a network can halve the size several times; size[axis] must be a multiple, too.
    """

    def __init__(self, size, axis=0, multiple=1, group=None):
        self.size, self.axis, self.group, self.multiple = tuple(size), axis, group, multiple
        self.rank, self.ranks = dist.get_rank(group), dist.get_world_size(group)
        pieces = self.size[axis] // multiple
        if pieces * multiple != self.size[axis] or pieces < self.ranks:
            raise ValueError(f"shards: axis {axis} has {self.size[axis]} voxels, wanted a multiple of {multiple}, at "
                             f"least {multiple} for each of {self.ranks} ranks")
        self.cuts = [multiple * (pieces * r // self.ranks) for r in range(self.ranks + 1)]

    @property
    def dim(self):
        """The cut axis of a (batch, channel, ...) tensor."""
        return 2 + self.axis

    def bounds(self, planes):
        """[(lo, hi)] of every rank at the level where this rank holds `planes` of them."""
        own = self.cuts[self.rank + 1] - self.cuts[self.rank]
        scaled = [cut * planes for cut in self.cuts]
        if any(s % own for s in scaled):
            raise ValueError(f"shards: {planes} planes instead of {own} do not fit the cuts {self.cuts}; a larger "
                             "`multiple` is wanted")
        cuts = [s // own for s in scaled]
        return list(zip(cuts, cuts[1:]))

    def cut(self, whole):
        """This rank's planes of a whole (batch, channel, ...) tensor."""
        lo, hi = self.cuts[self.rank:self.rank + 2]
        return whole.narrow(self.dim, lo, hi - lo).contiguous()

    def gather_whole(self, shard):
        """The whole tensor on every rank, for tests and for final results. No gradient."""
        bounds = self.bounds(shard.shape[self.dim])
        shape = list(shard.shape)
        parts = []
        for r, (lo, hi) in enumerate(bounds):
            shape[self.dim] = hi - lo
            part = shard.detach().contiguous() if r == self.rank else shard.new_empty(shape)
            dist.broadcast(part, self._global(r), group=self.group)
            parts.append(part)
        return torch.cat(parts, self.dim)

    def total(self, local):
        """Sum over ranks of a local part of a loss. Backward: each rank keeps the gradient of its own part."""
        return _Total.apply(local, self.group)

    def add_gradients(self, parameters):
        """Adds up the gradients of replicated parameters over ranks."""
        held = [p.grad for p in parameters if p.grad is not None]
        if not held:
            return
        flat = torch.cat([g.reshape(-1) for g in held])
        dist.all_reduce(flat, group=self.group)
        for grad, part in zip(held, flat.split([g.numel() for g in held])):
            grad.copy_(part.view_as(grad))

    def box(self, planes, lo=0, hi=0):
        """Six numbers of this rank's box (z, y, x) at full resolution, grown by lo and hi planes within the whole."""
        start, end = self.bounds(planes)[self.rank]
        low, high = [0] * len(self.size), list(self.size)
        low[self.axis], high[self.axis] = max(0, start - lo), min(self.size[self.axis], end + hi)
        pad = 3 - len(self.size)
        return [0] * pad + low + [1] * pad + high

    def _global(self, rank):
        return rank if self.group is None else dist.get_global_rank(self.group, rank)


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx, local, group):
        total = local.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def exchange(shards, sends, receives):
    """Sends and receives lists of (rank, tensor) at once, and waits."""
    operations = [dist.P2POp(dist.isend, t, shards._global(r), shards.group) for r, t in sends]
    operations += [dist.P2POp(dist.irecv, t, shards._global(r), shards.group) for r, t in receives]
    for work in dist.batch_isend_irecv(operations) if operations else []:
        work.wait()


def _pieces(bounds, rank, wanted):
    """[(owner, lo, hi)] of other ranks' planes that `rank` wants."""
    lo, hi = wanted[rank]
    found = ((r, max(lo, a), min(hi, b)) for r, (a, b) in enumerate(bounds) if r != rank)
    return [(r, a, b) for r, a, b in found if a < b]


class _Fetch(torch.autograd.Function):
    """The planes wanted[rank] = (lo, hi) of the whole, from their owners; backward adds to the owners."""

    @staticmethod
    def forward(ctx, x, shards, bounds, wanted):
        ctx.shards, ctx.bounds, ctx.wanted = shards, bounds, wanted
        dim, rank = shards.dim, shards.rank
        (own_lo, own_hi), (lo, hi) = bounds[rank], wanted[rank]
        shape = list(x.shape)
        shape[dim] = hi - lo
        out = x.new_empty(shape)
        a, b = max(lo, own_lo), min(hi, own_hi)
        if a < b:
            out.narrow(dim, a - lo, b - a).copy_(x.narrow(dim, a - own_lo, b - a))
        sends = [(r, x.narrow(dim, p - own_lo, q - p).contiguous()) for r in range(shards.ranks) if r != rank
                 for owner, p, q in _pieces(bounds, r, wanted) if owner == rank]
        pieces = _pieces(bounds, rank, wanted)
        receives = [(r, out.new_empty(out.narrow(dim, p - lo, q - p).shape)) for r, p, q in pieces]
        exchange(shards, sends, receives)
        for (_, p, q), (_, part) in zip(pieces, receives):
            out.narrow(dim, p - lo, q - p).copy_(part)
        return out

    @staticmethod
    def backward(ctx, grad):
        shards, bounds, wanted = ctx.shards, ctx.bounds, ctx.wanted
        dim, rank = shards.dim, shards.rank
        (own_lo, own_hi), (lo, hi) = bounds[rank], wanted[rank]
        shape = list(grad.shape)
        shape[dim] = own_hi - own_lo
        out = grad.new_zeros(shape)
        a, b = max(lo, own_lo), min(hi, own_hi)
        if a < b:
            out.narrow(dim, a - own_lo, b - a).copy_(grad.narrow(dim, a - lo, b - a))
        sends = [(r, grad.narrow(dim, p - lo, q - p).contiguous()) for r, p, q in _pieces(bounds, rank, wanted)]
        pieces = [(r, p, q) for r in range(shards.ranks) if r != rank
                  for owner, p, q in _pieces(bounds, r, wanted) if owner == rank]
        receives = [(r, out.new_empty(out.narrow(dim, p - own_lo, q - p).shape)) for r, p, q in pieces]
        exchange(shards, sends, receives)
        for (_, p, q), (_, part) in zip(pieces, receives):  # in the order of the ranks
            out.narrow(dim, p - own_lo, q - p).add_(part)
        return out, None, None, None


def fetch(x, shards, wanted):
    """The planes wanted[rank] = (lo, hi), within the whole, of a sharded tensor."""
    return _Fetch.apply(x, shards, shards.bounds(x.shape[shards.dim]), wanted)


def halo_exchange(x, shards, lo, hi, edge=None):
    """A shard with `lo` more planes before and `hi` more after it; negative numbers remove planes. Beyond the ends of
    the volume there are no planes (edge=None) or planes of the value `edge`. Backward adds gradients of the halo to
    their owners."""
    bounds = shards.bounds(x.shape[shards.dim])
    last = bounds[-1][1]
    wanted = [(max(0, a - lo), min(last, b + hi)) for a, b in bounds]
    out = _Fetch.apply(x, shards, bounds, wanted)
    if edge is None:
        return out
    (a, b), (got_lo, got_hi) = bounds[shards.rank], wanted[shards.rank]
    before, after = max(0, got_lo - (a - lo)), max(0, (b + hi) - got_hi)
    if not before and not after:
        return out
    pad = [0, 0] * (x.ndim - 1 - shards.dim) + [before, after]
    return torch.nn.functional.pad(out, pad, value=edge)
