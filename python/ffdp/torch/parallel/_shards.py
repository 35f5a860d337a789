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


def _lent(shards, bounds, wanted):
    """[(rank, lo, hi)] of this rank's planes that other ranks want."""
    return [(r, lo, hi) for r in range(shards.ranks) if r != shards.rank
            for owner, lo, hi in _pieces(bounds, r, wanted) if owner == shards.rank]


def _received(x, shards, bounds, wanted):
    """[(lo, hi, planes)]: the planes of other ranks that this rank wants, in the order of the ranks."""
    own_lo = bounds[shards.rank][0]

    def empty(planes):
        shape = list(x.shape)
        shape[shards.dim] = planes
        return x.new_empty(shape)
    sends = [(r, x.narrow(shards.dim, p - own_lo, q - p).contiguous()) for r, p, q in _lent(shards, bounds, wanted)]
    pieces = _pieces(bounds, shards.rank, wanted)
    receives = [(r, empty(q - p)) for r, p, q in pieces]
    exchange(shards, sends, receives)
    return [(p, q, planes) for (_, p, q), (_, planes) in zip(pieces, receives)]


def _return(grad_of, shards, bounds, wanted, out):
    """The adjoint of _received: grad_of(lo, hi) goes to the owner of these planes; what comes is added to `out`."""
    own_lo = bounds[shards.rank][0]
    sends = [(r, grad_of(p, q).contiguous()) for r, p, q in _pieces(bounds, shards.rank, wanted)]
    targets = [(r, out.narrow(shards.dim, p - own_lo, q - p)) for r, p, q in _lent(shards, bounds, wanted)]
    receives = [(r, out.new_empty(planes.shape)) for r, planes in targets]
    exchange(shards, sends, receives)
    for (_, planes), (_, came) in zip(targets, receives):  # in the order of the ranks
        planes.add_(came)


class _Fetch(torch.autograd.Function):
    """The planes wanted[rank] = (lo, hi) of the whole, from their owners; backward adds to the owners. Planes beyond
    the whole, `beyond` = (before, after) of them, are filled with `edge`."""

    @staticmethod
    def forward(ctx, x, shards, bounds, wanted, beyond, edge):
        ctx.rule = shards, bounds, wanted, beyond[0]
        dim = shards.dim
        (own_lo, own_hi), (lo, hi) = bounds[shards.rank], wanted[shards.rank]
        shape = list(x.shape)
        shape[dim] = sum(beyond) + hi - lo
        out = x.new_empty(shape)
        out.narrow(dim, 0, beyond[0]).fill_(edge)
        out.narrow(dim, beyond[0] + hi - lo, beyond[1]).fill_(edge)
        first, a, b = lo - beyond[0], max(lo, own_lo), min(hi, own_hi)
        if a < b:
            out.narrow(dim, a - first, b - a).copy_(x.narrow(dim, a - own_lo, b - a))
        for p, q, planes in _received(x, shards, bounds, wanted):
            out.narrow(dim, p - first, q - p).copy_(planes)
        return out

    @staticmethod
    def backward(ctx, grad):
        shards, bounds, wanted, before = ctx.rule
        dim = shards.dim
        (own_lo, own_hi), (lo, hi) = bounds[shards.rank], wanted[shards.rank]
        shape = list(grad.shape)
        shape[dim] = own_hi - own_lo
        out = grad.new_zeros(shape)
        first, a, b = lo - before, max(lo, own_lo), min(hi, own_hi)
        if a < b:
            out.narrow(dim, a - own_lo, b - a).copy_(grad.narrow(dim, a - first, b - a))
        _return(lambda p, q: grad.narrow(dim, p - first, q - p), shards, bounds, wanted, out)
        return out, None, None, None, None, None


class _Halos(torch.autograd.Function):
    """x itself, and the `lo` planes before and `hi` planes after it, fewer at the ends of the volume. Keeps and copies
    nothing of the size of x: backward adds to the gradient of the x returned, which must have one user."""

    @staticmethod
    def forward(ctx, x, shards, lo, hi):
        dim, bounds = shards.dim, shards.bounds(x.shape[shards.dim])
        last, (own_lo, own_hi) = bounds[-1][1], bounds[shards.rank]
        wanted = [(max(0, a - lo), min(last, b + hi)) for a, b in bounds]
        ctx.rule = shards, bounds, wanted
        received = _received(x, shards, bounds, wanted)
        none = x.narrow(dim, 0, 0)
        before = torch.cat([none] + [planes for p, _, planes in received if p < own_lo], dim)
        after = torch.cat([none] + [planes for p, _, planes in received if p >= own_hi], dim)
        return x.view_as(x), before, after

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad, grad_before, grad_after):
        shards, bounds, wanted = ctx.rule
        dim, lo, (_, own_hi) = shards.dim, wanted[shards.rank][0], bounds[shards.rank]

        def grad_of(p, q):
            return grad_after.narrow(dim, p - own_hi, q - p) if p >= own_hi else grad_before.narrow(dim, p - lo, q - p)
        _return(grad_of, shards, bounds, wanted, grad)
        return grad, None, None, None


def fetch(x, shards, wanted):
    """The planes wanted[rank] = (lo, hi), within the whole, of a sharded tensor."""
    return _Fetch.apply(x, shards, shards.bounds(x.shape[shards.dim]), wanted, (0, 0), 0.0)


def halo_exchange(x, shards, lo, hi, edge=None):
    """A shard with `lo` more planes before and `hi` more after it; negative numbers remove planes. Beyond the ends of
    the volume there are no planes (edge=None) or planes of the value `edge`. Backward adds gradients of the halo to
    their owners."""
    bounds = shards.bounds(x.shape[shards.dim])
    last = bounds[-1][1]
    wanted = [(max(0, a - lo), min(last, b + hi)) for a, b in bounds]
    if edge is None:
        return fetch(x, shards, wanted)
    (a, b), (got_lo, got_hi) = bounds[shards.rank], wanted[shards.rank]
    beyond = max(0, got_lo - (a - lo)), max(0, (b + hi) - got_hi)
    return _Fetch.apply(x, shards, bounds, wanted, beyond, edge)
