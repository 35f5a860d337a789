#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times the operators of ffdp.torch on a GPU: medians of forward and backward, and peak memory beside the inputs.
Usage: torch_ops.py [--out FILE.jsonl] [--quick]"""
import argparse
import json
import statistics

import torch

import ffdp.torch as ft
from ffdp.torch import transmorph

SMALL, LARGE = (160, 192, 224), (512, 512, 512)


def smooth_field(size, channels, amplitude):
    coarse = torch.randn(1, channels, *(8,) * 3, device="cuda") * amplitude
    return torch.nn.functional.interpolate(coarse, size=size, mode="trilinear", align_corners=True)


def measure(function, repeats=20):
    """(median, minimum) of a call [ms], and peak memory it takes [bytes]."""
    for _ in range(3):
        function()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    function()
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        function()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times), min(times), peak


def graphed(function):
    """The same as one replay of a captured graph: without what Python costs."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


def both(loss, *leaves):
    """Forward and backward, as a function without arguments."""
    return lambda: torch.autograd.grad(loss(), leaves)


def loss_cases(size):
    a = smooth_field(size, 1, 1).sigmoid().requires_grad_()
    b = (a.detach() + 0.1 * smooth_field(size, 1, 1)).clamp(0, 1)
    for k in (5, 9):
        yield f"lncc {k}", both(lambda k=k: ft.lncc(a, b, k), a)
    yield "mi 32 mattes", both(lambda: ft.mi(a, b), a)
    yield "mi 32 gaussian", both(lambda: ft.mi(a, b, kernel="gaussian"), a)
    yield "mse", both(lambda: ft.mse(a, b), a)


def field_cases(size):
    image = smooth_field(size, 1, 1).requires_grad_()
    u = smooth_field(size, 3, 3).requires_grad_()
    g = torch.ones(1, 1, *size, device="cuda")
    yield "grid_sample forward", lambda: ft.grid_sample(image.detach(), u.detach())
    yield "grid_sample, to u", lambda: torch.autograd.grad(ft.grid_sample(image.detach(), u), u, g)
    yield "grid_sample, to both", lambda: torch.autograd.grad(ft.grid_sample(image, u), (image, u), g)
    yield "integrate_svf 7", both(lambda: ft.integrate_svf(u, 7).sum(), u)
    yield "gaussian_smooth 1", both(lambda: ft.gaussian_smooth(u, 1.0).sum(), u)
    yield "diffusion", both(lambda: ft.diffusion(u), u)
    yield "bending", both(lambda: ft.bending(u), u)
    yield "jacobian_determinant", both(lambda: ft.jacobian_determinant(u).sum(), u)


def copy_rate():
    """What a copy moves, read and written [bytes / ms]."""
    x = torch.empty(1 << 28, device="cuda")
    y = torch.empty_like(x)
    return 2 * 4 * x.numel() / measure(lambda: y.copy_(x))[1]


class NativeNCC(torch.nn.Module):
    """What training code runs today: five convolutions with 9^3 ones, from the formula."""

    def forward(self, true, pred):
        ones = torch.ones(1, 1, 9, 9, 9, device=true.device)
        s = [torch.nn.functional.conv3d(x, ones, padding=4) for x in (true, pred, true * true, pred * pred, true * pred)]
        n = 729
        cross, vt, vp = s[4] - s[0] * s[1] / n, s[2] - s[0] ** 2 / n, s[3] - s[1] ** 2 / n
        return -(cross * cross / (vt * vp + 1e-5)).mean()


def unet(channels=(16, 32, 32, 32)):
    """A small VoxelMorph-like U-Net: two images to three components."""
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            conv = lambda i, o, s=1: torch.nn.Sequential(torch.nn.Conv3d(i, o, 3, s, 1), torch.nn.LeakyReLU(0.2))
            sizes = (2, *channels)
            self.down = torch.nn.ModuleList(conv(i, o, 2) for i, o in zip(sizes, sizes[1:]))
            self.up = torch.nn.ModuleList(conv(channels[k] + (channels[k - 1] if k else 2), channels[max(k - 1, 0)])
                                          for k in reversed(range(len(channels))))
            self.last = torch.nn.Conv3d(channels[0], 3, 3, 1, 1)

        def forward(self, x):
            skips = [x]
            for layer in self.down:
                skips.append(layer(skips[-1]))
            x = skips.pop()
            for layer in self.up:
                skip = skips.pop()
                x = torch.nn.functional.interpolate(x, size=skip.shape[2:], mode="nearest")
                x = layer(torch.cat([x, skip], 1))
            return self.last(x)
    return Net().cuda()


def training_cases(size):
    net = unet()
    pair = smooth_field(size, 2, 1).sigmoid()
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    losses = {"none": None, "ours": transmorph.NCC_vxm(), "package": NativeNCC()}
    for name, similarity in losses.items():
        def step(similarity=similarity):
            optimizer.zero_grad(set_to_none=True)
            u = net(pair)
            warped = ft.grid_sample(pair[:, 1:], u)
            loss = warped.mean() if similarity is None else similarity(pair[:, :1], warped)
            (loss + ft.diffusion(u)).backward()
            optimizer.step()
        yield f"step, loss {name}", step


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--quick", action="store_true", help="small size only")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows, device = [], torch.cuda.get_device_name()
    rate = copy_rate()

    def run(case, function, size, repeats=20, graph=False):
        voxels = size[0] * size[1] * size[2]
        median, least, peak = measure(function, repeats)
        row = {"case": case, "size": size, "device": device, "ms": round(median, 4), "ms_min": round(least, 4),
               "peak_B_per_voxel": round(peak / voxels, 2), "copy_GB_per_s": round(rate / 1e6)}
        if graph:
            row["ms_graph"] = round(measure(graphed(function), repeats)[0], 4)
        rows.append(row)
        print(json.dumps(row), flush=True)

    for size in (SMALL,) if options.quick else (SMALL, LARGE):
        for cases in (loss_cases, field_cases):
            for case, function in cases(size):
                run(case, function, size, graph=True)
            torch.cuda.empty_cache()
    for case, function in training_cases(SMALL):
        run(case, function, SMALL, repeats=7)
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
