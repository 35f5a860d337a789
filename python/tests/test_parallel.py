# SPDX-License-Identifier: Apache-2.0
"""Shards on 2 and 3 ranks (gloo, one machine) equal the whole: values, gradients of inputs, gradients of parameters."""
import faulthandler

import pytest

torch = pytest.importorskip("torch")
import torch.distributed as dist  # noqa: E402
import torch.multiprocessing as mp  # noqa: E402
import torch.nn as nn  # noqa: E402

import ffdp.torch as ft  # noqa: E402
import ffdp.torch.parallel as pt  # noqa: E402

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def rand(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def same(got, want, tolerance=1e-9):
    assert got.shape == want.shape, (got.shape, want.shape)
    assert (got - want).norm() <= tolerance * want.norm() + 1e-12, ((got - want).norm() / want.norm()).item()


def compare(shards, whole, sharded, inputs, parameters=(), tolerance=1e-9):
    """whole(inputs) and sharded(shards of the inputs): outputs (losses, or volumes that are weighted and added up) and
    all gradients."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    own = [shards.cut(x).requires_grad_() for x in inputs]
    want, got = whole(*leaves), sharded(*own)
    for p in parameters:
        p.grad = None
    if want.ndim:
        weights = rand(*want.shape, seed=99, dtype=want.dtype)
        same(shards.gather_whole(got), want.detach(), tolerance)
        lo, hi = shards.bounds(got.shape[shards.dim])[shards.rank]
        (want * weights).sum().backward()
        wanted = [p.grad.clone() for p in parameters]
        for p in parameters:
            p.grad = None
        shards.total((got * weights.narrow(shards.dim, lo, hi - lo)).sum()).backward()
    else:
        same(got.detach(), want.detach(), tolerance)
        want.backward()
        wanted = [p.grad.clone() for p in parameters]
        for p in parameters:
            p.grad = None
        got.backward()
    for leaf, mine in zip(leaves, own):
        assert leaf.grad.norm() > 0
        same(mine.grad, shards.cut(leaf.grad), tolerance)
    if parameters:
        shards.add_gradients(parameters)
        for p, w in zip(parameters, wanted):
            same(p.grad, w, 100 * tolerance)


@check
def halo_exchange_and_its_adjoint():
    for axis in (0, 2):
        shards = pt.Shards((12, 5, 13), axis=axis)
        x = rand(1, 2, 12, 5, 13)
        own = shards.cut(x).requires_grad_()
        wide = pt.halo_exchange(own, shards, 5, 6)  # further than a neighbour of 3 ranks reaches
        lo, hi = shards.bounds(own.shape[shards.dim])[shards.rank]
        a, b = max(0, lo - 5), min(shards.size[axis], hi + 6)
        assert torch.equal(wide, x.narrow(shards.dim, a, b - a))
        y = rand(*wide.shape, seed=shards.rank)
        (wide * y).sum().backward()  # <H x, y> = <x, H* y>, added up over ranks
        sides = torch.stack([(wide * y).sum(), (own * own.grad).sum()]).detach()
        dist.all_reduce(sides)
        same(sides[1], sides[0], 1e-12)


@check
def losses():
    for size, axis in (((17, 9, 10), 0), ((9, 10, 19), 2), ((21, 16), 0)):
        shards = pt.Shards(size, axis=axis)
        a, b = 0.1 + 0.8 * rand(2, 2, *size), 0.1 + 0.8 * rand(2, 2, *size, seed=1)
        for rule in ({}, {"window": 5, "eps_mode": "clamped_each"}, {"window": 3, "kernel": "gaussian",
                                                                     "squared": False, "moments": "means"}):
            compare(shards, lambda x, y: ft.lncc(x, y, **rule), lambda x, y: pt.lncc(x, y, shards, **rule), (a, b))
        for kernel in ("cubic", "gaussian"):
            compare(shards, lambda x, y: ft.mi(x, y, 12, kernel=kernel),
                    lambda x, y: pt.mi(x, y, shards, 12, kernel=kernel), (a, b))
        compare(shards, lambda x: ft.mi(x, b, 12), lambda x: pt.mi(x, shards.cut(b), shards, 12), (a,))
        compare(shards, ft.mse, lambda x, y: pt.mse(x, y, shards), (a, b))
        for penalty in ("l1", "l2"):
            compare(shards, lambda x: ft.diffusion(x, penalty), lambda x: pt.diffusion(x, shards, penalty), (a,))


@check
def float32_losses_have_the_bits_of_one_histogram():
    shards = pt.Shards((18, 9, 10))
    a, b = rand(1, 1, 18, 9, 10, dtype=torch.float32), rand(1, 1, 18, 9, 10, seed=1, dtype=torch.float32)
    assert torch.equal(pt.mi(shards.cut(a), shards.cut(b), shards), ft.mi(a, b))
    compare(shards, ft.lncc, lambda x, y: pt.lncc(x, y, shards), (a, b), tolerance=1e-5)


@check
def ring_sampling():
    for size, axis in (((13, 8, 9), 0), ((8, 9, 14), 2), ((15, 12), 1)):
        shards = pt.Shards(size, axis=axis)
        image, u = rand(2, 2, *size), 8 * (rand(2, len(size), *size, seed=3) - 0.5)  # beyond the neighbours' shards
        for padding in ("zeros", "border"):
            compare(shards, lambda i, v: ft.grid_sample(i, v, padding=padding),
                    lambda i, v: pt.grid_sample(i, v, shards, padding), (image, u))
        compare(shards, lambda v: ft.integrate_svf(v, 3), lambda v: pt.integrate_svf(v, shards, 3), (u,))


LAYERS = {
    "conv": lambda c: nn.Conv3d(c, 3, 3, padding=1), "conv same": lambda c: nn.Conv3d(c, 3, 5, padding="same"),
    "conv dilated": lambda c: nn.Conv3d(c, 3, 3, padding=2, dilation=2), "conv down": lambda c: nn.Conv3d(c, 3, 3, 2, 1),
    "conv of every second": lambda c: nn.Conv3d(c, 3, 1, 2), "conv 7": lambda c: nn.Conv3d(c, 3, 7, padding=3),
    "conv patches": lambda c: nn.Conv3d(c, 3, 2, 2), "conv 4": lambda c: nn.Conv3d(c, 3, 4, 2, 1),
    "conv slices": lambda c: nn.Conv3d(c, 4, (3, 1, 3), (2, 1, 1), (1, 0, 1), groups=2),
    "up": lambda c: nn.ConvTranspose3d(c, 3, 2, 2), "up 3": lambda c: nn.ConvTranspose3d(c, 3, 3, 2, 1, 1),
    "up 4": lambda c: nn.ConvTranspose3d(c, 3, 4, 2, 1),
    "max": lambda c: nn.MaxPool3d(2), "max 3": lambda c: nn.MaxPool3d(3, 2, 1), "mean": lambda c: nn.AvgPool3d(2),
    "nearest": lambda c: nn.Upsample(scale_factor=2),
    "linear": lambda c: nn.Upsample(scale_factor=2, mode="trilinear"),
    "corners": lambda c: nn.Upsample(scale_factor=2, mode="trilinear", align_corners=True),
    "instance": lambda c: nn.InstanceNorm3d(c, affine=True), "group": lambda c: nn.GroupNorm(2, c),
    "batch": lambda c: nn.BatchNorm3d(c, track_running_stats=False),
}


@check
def layers():
    for axis in (0, 2):
        size = (24, 8, 24)
        shards = pt.Shards(size, axis=axis, multiple=4)
        for name, make in LAYERS.items():
            torch.manual_seed(3)
            layer = make(4).double()
            x = rand(2, 4, *size, seed=5)
            parallel = pt.Sharded(layer, shards)
            try:
                compare(shards, layer, parallel, (x,), list(layer.parameters()))
            except Exception as error:
                raise AssertionError(f"layer {name}, axis {axis}") from error


@check
def running_statistics():
    shards = pt.Shards((12, 4, 4), multiple=2)
    one, two = nn.BatchNorm3d(2).double(), nn.BatchNorm3d(2).double()
    x = rand(2, 2, 12, 4, 4)
    one(x)
    pt.Sharded(two, shards)(shards.cut(x))
    for key in ("running_mean", "running_var"):
        same(getattr(two, key), getattr(one, key), 1e-12)
    compare(shards, one.eval(), pt.Sharded(one.eval(), shards), (x,))


class UNet(nn.Module):
    """Two levels down, skip connections, up by interpolation to the size of the skip."""

    def __init__(self, c=4):
        super().__init__()
        block = lambda i, o, s: nn.Sequential(nn.Conv3d(i, o, 3, s, 1), nn.InstanceNorm3d(o), nn.LeakyReLU(0.2))  # noqa: E731
        self.one, self.two, self.three = block(2, c, 1), block(c, 2 * c, 2), block(2 * c, 2 * c, 2)
        self.four, self.five, self.last = block(4 * c, c, 1), block(2 * c, c, 1), nn.Conv3d(c, 3, 3, padding=1)

    def forward(self, x):
        a = self.one(x)
        b = self.two(a)
        c = self.three(b)
        up = lambda y, z: nn.functional.interpolate(y, size=z.shape[2:], mode="trilinear")  # noqa: E731
        d = self.four(torch.cat([up(c, b), b], 1))
        return self.last(self.five(torch.cat([up(d, a), a], 1)))


@check
def a_training_step_of_a_unet():
    size = (24, 12, 16)
    shards = pt.Shards(size, multiple=4)
    torch.manual_seed(1)
    net = UNet().double()
    pair = rand(1, 2, *size)

    def whole(x):
        u = 3 * net(x)
        warped = ft.grid_sample(x[:, 1:], u)
        return -ft.lncc(warped, x[:, :1], 5) + ft.mse(warped, x[:, :1]) + ft.diffusion(u)

    def sharded(x):
        u = 3 * pt.Sharded(net, shards)(x)
        warped = pt.grid_sample(x[:, 1:], u, shards)
        return -pt.lncc(warped, x[:, :1], shards, 5) + pt.mse(warped, x[:, :1], shards) + pt.diffusion(u, shards)
    compare(shards, whole, sharded, (pair,), list(net.parameters()), tolerance=1e-8)


@check
def what_cannot_be_cut_is_refused():
    shards = pt.Shards((12, 4, 4))
    x = shards.cut(rand(1, 2, 12, 4, 4))
    for net in (nn.AdaptiveAvgPool3d(2), nn.ReflectionPad3d(1), nn.Conv3d(2, 2, 3).double(), nn.MaxPool3d(2, ceil_mode=True)):
        with pytest.raises((NotImplementedError, ValueError), match="Sharded"):
            pt.Sharded(net, shards)(x)
    with pytest.raises(ValueError, match="wanted a multiple of 5"):
        pt.Shards((12, 4, 4), multiple=5)
    with pytest.raises(ValueError, match="larger `multiple`"):
        pt.Shards((2 * shards.ranks + 1, 4, 4)).bounds(1)


def worker(rank, ranks, file):
    torch.set_num_threads(1)
    faulthandler.enable()  # where a rank that is killed by a signal was
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=ranks)
    for function in CHECKS:
        try:
            function()
        except Exception as error:
            raise AssertionError(f"{function.__name__} on {ranks} ranks") from error
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize("ranks", [2, 3])
def test_shards_equal_the_whole(ranks, tmp_path):
    mp.spawn(worker, (ranks, tmp_path / "meeting"), nprocs=ranks)
