# SPDX-License-Identifier: Apache-2.0
"""The operators on a GPU against themselves in double on the CPU; graphs, streams, memory. Skipped where there is no
GPU; with FFDP_REQUIRE_CUDA=1 a skip is a failure."""
import os

import pytest

torch = pytest.importorskip("torch")
import ffdp  # noqa: E402
import ffdp.torch as ft  # noqa: E402
from test_torch_ops import NAMES, calls, displacement, native_calls, rand  # noqa: E402

if not (torch.cuda.is_available() and ffdp.has_cuda):
    if os.environ.get("FFDP_REQUIRE_CUDA") == "1":
        raise RuntimeError("test_cuda: a GPU is wanted (FFDP_REQUIRE_CUDA=1)")
    pytest.skip("test_cuda: no GPU, or a build without CUDA", allow_module_level=True)

GPU = torch.device("cuda")


def close(got, want, tolerance):
    error = (got.detach().cpu().double() - want.double()).norm()
    assert error <= tolerance * want.norm() + 1e-12, error / want.norm()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(37, 41, 67), (45, 83)])
def test_gpu_equals_double(name, size):
    function, inputs = calls(size, torch.float64)[name]
    inputs = [i.detach().float().double().requires_grad_() for i in inputs]  # the numbers that the GPU gets
    ours = [i.detach().to(GPU, torch.float32).requires_grad_() for i in inputs]
    out, want = function(*ours), function(*inputs)
    close(out, want.detach(), 1e-5)
    weights = rand(*want.shape, grad=False, seed=8) if want.shape else torch.ones((), dtype=torch.float64)
    grads = torch.autograd.grad((out * weights.to(out)).sum(), ours)
    wanted = torch.autograd.grad((want * weights).sum(), inputs)
    assert all(w.norm() > 0 for w in wanted[:1 if name == "mi" else None])  # Mattes' fixed image steps from bin to bin
    for g, w in zip(grads, wanted):
        close(g, w, 1e-3 if name == "mi" else 1e-4)


@pytest.mark.parametrize("window", [3, 5, 7, 9, 11, 13, 15, 17, 19, 21, (3, 5, 7)])
@pytest.mark.parametrize("size", [(40, 41, 67), (130, 20, 70), (5, 6, 7)])
def test_lncc_of_every_window(window, size):
    a, b = rand(1, 1, *size), rand(1, 1, *size, seed=1)
    a, b = ((100 + 5 * a).detach().float().double().requires_grad_(),
            (1 + b).detach().float().double().requires_grad_())
    mask = (rand(1, 1, *size, grad=False, seed=2) > 0.3).double()
    for rule in ({}, {"mask": mask, "eps_mode": "clamped_each"}, {"eps_mode": "added_each", "squared": False},
                 {"kernel": "gaussian"}, {"reduction": "none"}):
        ours = [x.detach().to(GPU, torch.float32).requires_grad_() for x in (a, b)]
        moved = {**rule, "mask": mask.to(GPU)} if "mask" in rule else rule
        out, want = ft.lncc(*ours, window, **moved), ft.lncc(a, b, window, **rule)
        close(out, want.detach(), 1e-5)
        for g, w in zip(torch.autograd.grad(out.sum(), ours), torch.autograd.grad(want.sum(), (a, b))):
            close(g, w, 1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_half_types(name, dtype):
    function, inputs = calls((20, 21, 22), torch.float32)[name]
    halves = [i.detach().to(GPU, dtype).requires_grad_() for i in inputs]
    floats = [i.detach().float().requires_grad_() for i in halves]
    out, want = function(*halves), function(*floats)
    assert out.dtype == dtype
    close(out, want.detach().cpu(), 2e-2 if dtype == torch.bfloat16 else 3e-3)
    grads = [torch.autograd.grad(o.sum(), i) for o, i in ((out, halves), (want, floats))]
    for g, w in zip(*grads):
        close(g, w.cpu(), 5e-2 if dtype == torch.bfloat16 else 1e-2)


@pytest.mark.parametrize("name", list(native_calls()))
def test_opcheck_on_the_gpu(name):
    op, args = native_calls()[name]
    moved = [a.detach().to(GPU).requires_grad_(a.requires_grad) if isinstance(a, torch.Tensor) else a for a in args]
    torch.library.opcheck(op, tuple(moved), rtol=1e-3, atol=1e-4)  # scattered sums differ from run to run


def step(image, target, velocity):
    """A training step without a network: loss and gradient."""
    u = ft.integrate_svf(ft.gaussian_smooth(ft.gaussian_smooth(velocity, 1.0), 3.0), 5)
    warped = ft.grid_sample(image, u)
    loss = -ft.lncc(warped, target) - ft.mi(warped, target) + ft.mse(warped, target) + ft.diffusion(u) + ft.bending(u)
    return loss, *torch.autograd.grad(loss, velocity)


def inputs(seed=0):
    size = (40, 44, 48)
    image, target = (rand(1, 1, *size, dtype=torch.float32, grad=False, seed=seed + s).to(GPU) for s in (0, 1))
    return image, target, displacement(size, batch=1, seed=seed + 3).detach().float().to(GPU).requires_grad_()


def test_a_captured_graph_replays_with_changed_inputs():
    held = inputs()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(*held)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step(*held)
    for seed in (0, 50):
        new = inputs(seed)
        with torch.no_grad():
            for to, value in zip(held, new):
                to.copy_(value)
        graph.replay()
        for got, want in zip(captured, step(*new)):
            close(got, want.detach().cpu(), 1e-4)


def test_nothing_waits_for_the_device():
    held = inputs()
    step(*held)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(*held)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_work_is_on_the_current_stream():
    held = inputs()
    want = step(*held)
    other = torch.cuda.Stream()
    with torch.cuda.stream(other):
        torch.cuda._sleep(200_000_000)
        late = torch.rand_like(held[0])
        got = step(late * 0 + held[0], *held[1:])
    torch.cuda.current_stream().wait_stream(other)
    for g, w in zip(got, want):
        close(g, w.detach().cpu(), 1e-4)


def test_compiled_by_inductor():
    held = inputs()
    want = step(*held)
    def loss(i, t, v):
        u = ft.integrate_svf(ft.gaussian_smooth(ft.gaussian_smooth(v, 1.0), 3.0), 5)
        w = ft.grid_sample(i, u)
        return -ft.lncc(w, t) - ft.mi(w, t) + ft.mse(w, t) + ft.diffusion(u) + ft.bending(u)
    compiled = torch.compile(loss, fullgraph=True)
    value = compiled(*held)
    close(value, want[0].detach().cpu(), 1e-4)
    close(torch.autograd.grad(value, held[2])[0], want[1].cpu(), 1e-3)


def test_lncc_takes_few_bytes():
    """At most 12 B/voxel beside the images: the gradient, and coefficients of half the volume at a time."""
    a = rand(1, 1, 160, 192, 224, dtype=torch.float32, grad=False).to(GPU).requires_grad_()
    b = a.detach().flip(2).contiguous()
    torch.cuda.synchronize()
    for _ in range(2):
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        ft.lncc(a, b, 9).backward()
        peak = torch.cuda.max_memory_allocated() - before
        a.grad = None
    assert peak / a.numel() <= 12, peak / a.numel()


def test_beyond_two_to_the_31_bytes():
    a = torch.rand(1, 1, 900, 900, 900, device=GPU)
    u = torch.zeros(1, 3, 900, 900, 900, device=GPU)
    out = ft.grid_sample(a, u)
    assert torch.equal(out[0, 0, -1], a[0, 0, -1])
    assert abs(ft.lncc(a, a, 5).item() - 1) < 1e-3


def test_registration_keeps_device_memory(pair):
    fixed, moving = (torch.from_numpy(ffdp._images.np.asarray(i)).to(GPU) for i in (pair.fixed, pair.moving))
    found = ffdp.register(fixed, moving, preset="fast", device="cuda", quiet=True)
    warped = found.warped
    assert warped.is_cuda and warped.shape == fixed.shape
    u = torch.from_dlpack(found.displacement)
    assert u.is_cuda
    on_cpu = ffdp.register(pair.fixed, pair.moving, preset="fast", device="cpu", quiet=True)
    assert (warped.cpu() - torch.from_numpy(ffdp._images.np.asarray(on_cpu.warped))).abs().mean() < 0.02 * warped.max()


def test_cupy_goes_in_and_out(pair):
    cupy = pytest.importorskip("cupy")
    fixed, moving = (cupy.asarray(ffdp._images.np.asarray(i)) for i in (pair.fixed, pair.moving))
    found = ffdp.register(fixed, moving, preset="affine", device="cuda", quiet=True)
    assert isinstance(found.warped, cupy.ndarray)
