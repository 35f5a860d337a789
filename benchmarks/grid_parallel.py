#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training step of a U-Net on one GPU, and the same on all ranks by Grid Parallel: gradients, memory, time.
Usage: torchrun --nproc-per-node 2 benchmarks/grid_parallel.py [--size 320] [--backend nccl|gloo] [--out FILE.json]"""
import argparse
import json
import os
import time

import torch
import torch.distributed as dist
from torch import nn

import ffdp.torch as ft
import ffdp.torch.parallel as pt


class UNet(nn.Module):
    """Three levels down, skip connections, up by interpolation; two images to three components."""

    def __init__(self, activation, c=8):
        super().__init__()
        def block(i, o, s=1):
            return nn.Sequential(nn.Conv3d(i, o, 3, s, 1), nn.InstanceNorm3d(o), activation())
        self.down = nn.ModuleList([block(2, c), block(c, 2 * c, 2), block(2 * c, 4 * c, 2), block(4 * c, 4 * c, 2)])
        self.up = nn.ModuleList([block(8 * c, 2 * c), block(4 * c, c), block(2 * c, c)])
        self.last = nn.Conv3d(c, 3, 3, padding=1)

    def forward(self, x):
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for layer in self.up:
            skip = skips.pop()
            x = nn.functional.interpolate(x, size=skip.shape[2:], mode="trilinear")
            x = layer(torch.cat([x, skip], 1))
        return self.last(x)


def measured(step, device):
    """What step() returns, its time and its peak memory."""
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    value = step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return value, time.perf_counter() - begin, peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--backend", default="nccl")
    parser.add_argument("--activation", default="LeakyReLU", help="a module of torch.nn")
    parser.add_argument("--double", action="store_true", help="the network in float64; the losses stay float32")
    parser.add_argument("--out")
    options = parser.parse_args()
    dist.init_process_group(options.backend)
    rank, size = dist.get_rank(), (options.size,) * 3
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if options.backend == "nccl" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(0)
    kind = torch.float64 if options.double else torch.float32
    net = UNet(getattr(nn, options.activation)).to(device, kind)
    parameters = list(net.parameters())
    coarse = torch.randn(1, 2, 10, 10, 10, generator=torch.Generator().manual_seed(1)).to(device)

    def images():
        return nn.functional.interpolate(coarse, size=size, mode="trilinear").sigmoid()

    def step(x, run, warp, lncc, diffusion, collect):
        net.zero_grad(set_to_none=True)
        u = run(x.to(kind)).float()
        loss = diffusion(u) - lncc(warp(x[:, 1:].contiguous(), u), x[:, :1].contiguous())
        loss.backward()
        collect(parameters)
        return loss.item()

    def gradients_of(x):
        result = measured(lambda: step(x, net, ft.grid_sample, ft.lncc, ft.diffusion, lambda p: None), device)
        return result, [p.grad.clone() for p in parameters]

    def difference(gradients, wanted):
        return (sum((g - w).square().sum() for g, w in zip(gradients, wanted)) /
                sum(w.square().sum() for w in wanted)).sqrt().item()

    whole, wanted, noise = None, None, None
    if rank == 0:
        whole, wanted = gradients_of(images())
        # What rounding alone does: the same with the last bit of every voxel changed at random.
        signs = torch.randn(images().shape, device=device).sign()
        noise = difference(gradients_of(torch.nextafter(images(), 2 * signs))[1], wanted)
        del signs
    dist.barrier()
    net.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    shards = pt.Shards(size, multiple=8)
    own, parallel = shards.cut(images()), pt.Sharded(net, shards)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    cut = measured(lambda: step(own, parallel, lambda i, u: pt.grid_sample(i, u, shards),
                                lambda a, b: pt.lncc(a, b, shards), lambda u: pt.diffusion(u, shards),
                                shards.add_gradients), device)
    peaks = [torch.zeros(1, dtype=torch.float64, device=device) for _ in range(shards.ranks)]
    dist.all_gather(peaks, torch.tensor([float(cut[2])], dtype=torch.float64, device=device))
    if rank == 0:
        error = max(((p.grad - w).norm() / w.norm()).item() for p, w in zip(parameters, wanted) if w.norm() > 1e-6)
        row = {"case": "unet step", "size": size, "ranks": shards.ranks,
               "type": str(kind),
               "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "loss": [whole[0], cut[0]],
               "gradient_error": difference([p.grad for p in parameters], wanted), "last_bit_changed": noise,
               "worst_parameter": error, "activation": options.activation, "seconds": [whole[1], cut[1]],
               "peak_GB": [whole[2] / 1e9, max(p.item() for p in peaks) / 1e9]}
        if whole[2]:
            row["memory_ratio"] = max(p.item() for p in peaks) / whole[2]
        print(json.dumps(row))
        if options.out:
            with open(options.out, "w", encoding="utf-8") as file:
                json.dump(row, file)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
