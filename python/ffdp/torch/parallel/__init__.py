# SPDX-License-Identifier: Apache-2.0
"""Grid Parallel for training: a volume is cut along one axis, one shard per rank of torch.distributed (gloo or NCCL).

Every rank runs the same code on its shard. Convolutions and their like get the planes they need from their
neighbours; sums over the volume are sums over ranks. Values and gradients are those of the whole volume.

    shards = Shards(size=(320, 320, 320), multiple=16)     # the default process group
    net = Sharded(unet, shards)                            # the same parameters on every rank
    u = net(shards.cut(images))                            # this rank's planes
    loss = -lncc(grid_sample(moving, u, shards), fixed, shards)
    loss.backward()                                        # of every rank; the loss is the same number on all
    shards.add_gradients(net.parameters())                 # then step the optimiser

A loss must be made from the functions here (or `shards.total` of a local sum). Its value is that of the whole volume on
every rank; its backward gives each rank the gradient of the whole w.r.t. the voxels that the rank holds.
"""
from ._layers import Sharded
from ._losses import diffusion, lncc, mi, mse
from ._ring import grid_sample, integrate_svf
from ._shards import Shards, halo_exchange

__all__ = ["Sharded", "Shards", "diffusion", "grid_sample", "halo_exchange", "integrate_svf", "lncc", "mi", "mse"]
