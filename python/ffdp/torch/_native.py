# SPDX-License-Identifier: Apache-2.0
"""Converts tensors to the addresses that the library takes, and chooses the backend."""
import contextlib

import torch

from .. import _ffdp

_WORTH_THREADS = 1 << 15  # elements; below, starting threads takes longer than the work


class Where:
    """The backend of a tensor: threads of the CPU, or torch's current stream with scratch memory from torch.

    Scratch memory is tensors, which live until the block ends. After that, the allocator of torch gives the memory
    only to later work of the same stream.
    """

    def __init__(self, tensor):
        self.device = tensor.device
        self._lent = []
        if tensor.is_cuda:
            if not _ffdp.has_cuda:
                raise NotImplementedError("ffdp.torch: this build has no CUDA backend")
            self.native = _ffdp.Where(1, torch.cuda.current_stream(tensor.device).cuda_stream, self._lend)
        elif tensor.device.type == "cpu":
            threads = torch.get_num_threads() if tensor.numel() >= _WORTH_THREADS else 1
            self.native = _ffdp.Where(threads, None, None)
        else:
            raise NotImplementedError(f"ffdp.torch: tensors lie on {tensor.device}, cpu or cuda is wanted")

    def _lend(self, size):
        self._lent.append(torch.empty(size, dtype=torch.uint8, device=self.device))
        return self._lent[-1].data_ptr()

    def __enter__(self):
        self._guard = torch.cuda.device(self.device) if self.device.type == "cuda" else contextlib.nullcontext()
        self._guard.__enter__()
        return self.native

    def __exit__(self, *error):
        # The native part refers to `_lend` and so to this: Python does not see that circle, it is cut here.
        self.native = None
        return self._guard.__exit__(*error)


def address(tensor):
    """Of the first element; 0 where there is no tensor, or none in it."""
    return 0 if tensor is None or tensor.numel() == 0 else tensor.data_ptr()


def boxed(size, lo=(0, 0, 0)):
    """The six numbers of a box, from its size (z, y, x), or (y, x) for one plane, and its low corner."""
    size, lo = tuple(size), tuple(lo)
    size, lo = (1,) * (3 - len(size)) + size, (0,) * (3 - len(lo)) + lo
    return [*lo, *(a + n for a, n in zip(lo, size))]


def require_pair(name, a, b, names=("pred", "target")):
    """Both of one shape (batch, channel, 2 or 3 axes), type and device."""
    require_volume(name, a, names[0])
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        raise ValueError(f"{name}: {names[0]} is {tuple(a.shape)} {a.dtype} on {a.device}, {names[1]} is "
                         f"{tuple(b.shape)} {b.dtype} on {b.device}; both must be alike")


def require_volume(name, x, what):
    if x.ndim not in (4, 5) or not x.is_floating_point():
        raise ValueError(f"{name}: {what} is {tuple(x.shape)} {x.dtype}, wanted (batch, channel, [z,] y, x) of a "
                         "floating type")


def working(*tensors):
    """The tensors in the type that sums are made in: float64 on the CPU stays, all else is float32."""
    cpu_double = all(t is None or (t.dtype == torch.float64 and not t.is_cuda) for t in tensors)
    dtype = torch.float64 if cpu_double else torch.float32
    return [None if t is None else t.to(dtype) for t in tensors]
