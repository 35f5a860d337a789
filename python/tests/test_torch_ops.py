# SPDX-License-Identifier: Apache-2.0
"""Every operator: gradients in double against finite differences, torch.library.opcheck, torch.compile, types, and
values against formulas written with torch."""
import itertools

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

import ffdp.torch as ft  # noqa: E402

torch.set_num_threads(1)  # tensors are tiny here, and the machine is shared

SIZES = [(5, 6, 5), (6, 7)]


def rand(*shape, dtype=torch.float64, grad=True, seed=0, scale=1.0):
    made = scale * torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    return made.requires_grad_(grad)


def displacement(size, batch=2, dtype=torch.float64, scale=1.5, seed=3):
    """Away from whole numbers, where linear interpolation has kinks; reaches beyond the edge."""
    u = torch.randint(-2, 3, (batch, len(size), *size), generator=torch.Generator().manual_seed(seed)).to(dtype)
    return (u + 0.2 + 0.6 * torch.rand(u.shape, dtype=dtype, generator=torch.Generator().manual_seed(seed + 1))
            * min(scale, 1)).requires_grad_()


def check(function, *inputs):
    """gradcheck, and that it would see a wrong gradient: the gradient is not zero."""
    assert torch.autograd.gradcheck(function, inputs, eps=1e-6, atol=1e-6, rtol=1e-4)
    out = function(*inputs)
    weights = torch.rand(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(9))
    for grad in torch.autograd.grad((out * weights).sum(), [i for i in inputs if i.requires_grad]):
        assert grad.norm() > 1e-8


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rule", [
    {}, {"eps_mode": "clamped_each", "smooth_nr": 0.1}, {"eps_mode": "added_each", "squared": False},
    {"eps_mode": "clamped_product", "eps": 1e-9}, {"kernel": "gaussian", "moments": "means", "eps": 1e-3},
    {"kernel": "triangular", "squared": False}, {"window": 3}, {"reduction": "none"}, {"reduction": "batch"},
    {"reduction": "sum"}])
def test_lncc_gradients(size, rule):
    check(lambda a, b: ft.lncc(a, b, **{"window": 5, **rule}), rand(2, 2, *size), rand(2, 2, *size, seed=1))


def test_lncc_gradients_with_a_mask_and_windows_of_three_sizes():
    mask = (rand(2, 1, 5, 6, 7, grad=False, seed=5) > 0.4).double()
    check(lambda a, b: ft.lncc(a, b, (3, 5, 7), mask=mask), rand(2, 2, 5, 6, 7), rand(2, 2, 5, 6, 7, seed=1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_grid_sample_gradients(size, padding):
    d = len(size)
    image, u = rand(2, 2, *(n + 1 for n in size)), displacement(size)
    affine = torch.eye(d, d + 1, dtype=torch.float64).repeat(2, 1, 1) + 0.03 * rand(2, d, d + 1, grad=False, seed=7)
    check(lambda i, v: ft.grid_sample(i, v, padding=padding), image, u)
    check(lambda i, v, a: ft.grid_sample(i, v, a, padding=padding), image, u, affine.requires_grad_())
    check(lambda i, a: ft.grid_sample(i, None, a, padding=padding), image, affine)
    check(lambda i: ft.grid_sample(i, u.detach(), padding=padding, mode="nearest"), image)


@pytest.mark.parametrize("size", SIZES)
def test_displacement_gradients(size):
    u, v = displacement(size, seed=3), displacement(size, seed=13)
    check(lambda a, b: ft.compose(a, b), u, v)
    check(lambda a, b: ft.compose(a, b, padding="zeros"), u, v)
    check(lambda a: ft.integrate_svf(a, 3), (0.7 * displacement(size).detach()).requires_grad_())
    check(lambda a: ft.resize_displacement(a, 2), u)
    check(lambda a: ft.resize_displacement(a, 0.5), u)
    check(lambda a: ft.gaussian_smooth(a, 0.8), u)
    check(lambda a: ft.gaussian_smooth(a, [1.2, 0.0, 0.4][:len(size)]), u)
    check(lambda a: ft.diffusion(a), u)
    check(lambda a: ft.diffusion(a, penalty="l1", reduction="none"), u)
    check(lambda a: ft.bending(a), u)
    check(lambda a: ft.bending(a, form="central", reduction="sum"), u)
    check(lambda a: ft.jacobian_determinant(a), u)


@pytest.mark.parametrize("kernel", ["mattes", "cubic", "gaussian"])
def test_mi_and_mse_gradients(kernel):
    pred, target = (0.1 + 0.8 * rand(2, 1, 4, 5, 6, grad=False, seed=s) for s in (0, 1))
    pred.requires_grad_()
    check(lambda a: ft.mi(a, target, 12, kernel=kernel), pred)
    check(lambda a: ft.mi(a, target, 12, kernel=kernel, smooth_nr=1e-7, smooth_dr=1e-7), pred)
    if kernel != "mattes":
        check(lambda b: ft.mi(pred.detach(), b, 12, kernel=kernel), target.requires_grad_())
    check(lambda a, b: ft.mse(a, b), pred, target.requires_grad_())


# --- values ---------------------------------------------------------------------------------------------------------

def box_sum(x, k):
    ones = torch.ones(1, 1, *(k,) * (x.ndim - 2), dtype=x.dtype)
    conv = F.conv3d if x.ndim == 5 else F.conv2d
    return conv(x.flatten(0, 1)[:, None], ones, padding=k // 2).view(x.shape)


@pytest.mark.parametrize("size", SIZES)
def test_lncc_is_its_formula(size):
    a, b = rand(2, 2, *size, grad=False), rand(2, 2, *size, grad=False, seed=1)
    n = 5 ** len(size)
    sa, sb = box_sum(a, 5), box_sum(b, 5)
    cross, va, vb = (box_sum(x * y, 5) - sx * sy / n for x, y, sx, sy in ((a, b, sa, sb), (a, a, sa, sa), (b, b, sb, sb)))
    torch.testing.assert_close(ft.lncc(a, b, 5), (cross**2 / (va * vb + 1e-5)).mean())
    torch.testing.assert_close(ft.lncc(a, b, 5, reduction="none"), cross**2 / (va * vb + 1e-5))
    plain = cross / n / ((va / n + 1e-3) * (vb / n + 1e-3)).sqrt()
    torch.testing.assert_close(ft.lncc(a, b, 5, eps=1e-3, eps_mode="added_each", moments="means", squared=False),
                               plain.mean())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_grid_sample_is_that_of_torch(size, padding, mode):
    image, u = rand(2, 3, *(n + 2 for n in size)), displacement(size)
    grid = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij"))
    last = torch.tensor([n + 1 for n in size], dtype=torch.float64).view(1, -1, *(1,) * len(size))
    where = (2 * (grid + u) / last - 1).movedim(1, -1).flip(-1)
    name = "bilinear" if mode == "linear" else mode
    want = F.grid_sample(image, where, mode=name, padding_mode=padding, align_corners=True)
    got = ft.grid_sample(image, u, padding=padding, mode=mode)
    torch.testing.assert_close(got, want)
    weights = rand(*want.shape, grad=False, seed=4)
    for a, b in zip(*(torch.autograd.grad((out * weights).sum(), (image, u), allow_unused=True) for out in (got, want))):
        if a is not None and mode == "linear":
            torch.testing.assert_close(a, b)


def test_identity_maps_and_whole_shifts():
    image = rand(1, 1, 5, 6, 7, grad=False)
    u = torch.zeros(1, 3, 5, 6, 7, dtype=torch.float64)
    torch.testing.assert_close(ft.grid_sample(image, u), image)
    u[:, 1] = 1  # y
    torch.testing.assert_close(ft.grid_sample(image, u)[:, :, :, :-1], image[:, :, :, 1:])
    assert ft.grid_sample(image, u)[:, :, :, -1].abs().max() == 0
    torch.testing.assert_close(ft.grid_sample(image, u, padding="border")[:, :, :, -1], image[:, :, :, -1])


def test_affine_comes_after_the_displacement():
    image = rand(1, 1, 6, 6, 6, grad=False)
    u = torch.zeros(1, 3, 6, 6, 6, dtype=torch.float64)
    u[:, 2] = 1
    affine = torch.tensor([[[0.0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]], dtype=torch.float64)  # z <-> x
    want = ft.grid_sample(image, u.flip(1)).transpose(2, 4)
    torch.testing.assert_close(ft.grid_sample(image, u, affine)[..., :-1], want[..., :-1])


def test_svf_of_a_constant_is_a_shift_and_its_negative_the_inverse():
    v = torch.full((1, 2, 24, 24), 0.7, dtype=torch.float64)
    torch.testing.assert_close(ft.integrate_svf(v, 7, padding="border"), v)
    smooth = ft.gaussian_smooth(rand(1, 2, 24, 24, grad=False) - 0.5, 2.5) * 8
    there, back = ft.integrate_svf(smooth, 7), ft.integrate_svf(-smooth, 7)
    assert ft.compose(there, back)[..., 6:-6, 6:-6].abs().max() < 0.05 * there.abs().max()


def test_smoothing_keeps_constants_and_is_the_registrations():
    x = rand(2, 3, 9, 10, 11, grad=False)
    torch.testing.assert_close(ft.gaussian_smooth(torch.ones_like(x), 1.5), torch.ones_like(x))
    torch.testing.assert_close(ft.gaussian_smooth(x.float(), 1.5), ft.gaussian_smooth(x, 1.5).float())


def test_determinant_of_a_linear_map():
    m = torch.tensor([[0.1, 0.2, 0.0], [0.0, -0.3, 0.1], [0.2, 0.0, 0.4]], dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (4, 5, 6)), indexing="ij"))
    u = torch.einsum("ij,jzyx->izyx", m, grid)[None]
    want = torch.linalg.det(m + torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(ft.jacobian_determinant(u), want.expand(1, 1, 4, 5, 6))


@pytest.mark.parametrize("kernel", ["mattes", "cubic"])
def test_mi_of_float32_is_that_of_float64(kernel):
    a = rand(2, 1, 19, 20, 21, grad=False)
    b = (0.5 * a + 0.5 * rand(2, 1, 19, 20, 21, grad=False, seed=1))
    results = []
    for dtype in (torch.float64, torch.float32):
        p, t = (x.to(dtype).detach().clone().requires_grad_() for x in (a, b))
        value = ft.mi(p, t, 12, kernel=kernel)
        value.backward()
        results.append((value.detach(), p.grad, t.grad))
    torch.testing.assert_close(results[1][0].double(), results[0][0], rtol=1e-5, atol=0)
    for one, other in zip(results[1][1:], results[0][1:]):
        assert (one.double() - other).norm() <= 1e-3 * other.norm()  # histograms of integers, 2^-20 voxel each


# --- types, shapes, errors --------------------------------------------------------------------------------------------

def calls(size, dtype, grad=True):
    """Every operator on inputs of one type: name -> (function of tensors, tensors)."""
    d = len(size)
    a, b = (rand(2, 1, *size, dtype=dtype, seed=s, grad=grad) for s in (0, 1))
    u, v = (displacement(size, seed=s).detach().to(dtype).requires_grad_(grad) for s in (3, 13))
    affine = torch.eye(d, d + 1, dtype=dtype).repeat(2, 1, 1).requires_grad_(grad)
    return {"lncc": (lambda a, b: ft.lncc(a, b, 5), (a, b)),
            "lncc_map": (lambda a, b: ft.lncc(a, b, 5, reduction="none"), (a, b)),
            "mi": (lambda a, b: ft.mi(a, b, 8), (a, b)), "mse": (ft.mse, (a, b)),
            "mi_gaussian": (lambda a, b: ft.mi(a, b, kernel="gaussian"), (a, b)),
            "grid_sample": (ft.grid_sample, (a, u, affine)), "compose": (ft.compose, (u, v)),
            "integrate_svf": (lambda u: ft.integrate_svf(u, 3), (u,)),
            "resize_displacement": (lambda u: ft.resize_displacement(u, 2), (u,)),
            "gaussian_smooth": (lambda u: ft.gaussian_smooth(u, 1.0), (u,)),
            "diffusion": (ft.diffusion, (u,)), "bending": (ft.bending, (u,)),
            "jacobian_determinant": (ft.jacobian_determinant, (u,))}


NAMES = list(calls((6, 7, 8), torch.float64))


@pytest.mark.parametrize("name, size, dtype", itertools.product(NAMES, [(6, 7, 8), (8, 9)],
                                                                [torch.float32, torch.float16, torch.bfloat16]))
def test_types_keep_and_agree_with_double(name, size, dtype):
    function, inputs = calls(size, dtype)[name]
    precise = [i.detach().double().requires_grad_() for i in inputs]
    out, want = function(*inputs), function(*precise)
    assert out.dtype == dtype
    eps = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}[dtype]
    assert (out.double() - want).norm() <= eps * want.norm()
    grads, wanted = (torch.autograd.grad(o.sum(), i) for o, i in ((out, inputs), (want, precise)))
    for g, w in zip(grads, wanted):
        assert g.dtype == dtype
        assert (g.double() - w).norm() <= 10 * eps * w.norm() + 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_strided_inputs(name):
    function, inputs = calls((6, 7, 8), torch.float64)[name]
    strided = [i.detach().transpose(0, -1).contiguous().transpose(0, -1).requires_grad_() for i in inputs]
    torch.testing.assert_close(function(*strided), function(*inputs))


@pytest.mark.parametrize("call, words", [
    (lambda a, u: ft.lncc(a, a[..., 1:], 5), "both must be alike"),
    (lambda a, u: ft.lncc(a, a, 4), "window is 4"),
    (lambda a, u: ft.lncc(a, a, 65), "65 voxels along an axis"),
    (lambda a, u: ft.lncc(a, a, eps_mode="none"), 'eps_mode is "none"'),
    (lambda a, u: ft.lncc(a[0, 0], a[0, 0]), "wanted \\(batch"),
    (lambda a, u: ft.lncc(a, a, reduction="median"), "reduction is 'median'"),
    (lambda a, u: ft.grid_sample(a, u[:, :2]), "the displacement is"),
    (lambda a, u: ft.grid_sample(a, u, padding="reflect"), 'padding is "reflect"'),
    (lambda a, u: ft.grid_sample(a, u, torch.eye(3)), "affine is"),
    (lambda a, u: ft.grid_sample(a[:1], u), "1 images and 2 displacements"),
    (lambda a, u: ft.mi(a, a, kernel="box"), "kernel is 'box'"),
    (lambda a, u: ft.mi(a, a, bins=3), "bins is 3"),
    (lambda a, u: ft.diffusion(u, penalty="l3"), "penalty is 'l3'"),
    (lambda a, u: ft.bending(u[..., :2]), "at least 3 voxels"),
    (lambda a, u: ft.gaussian_smooth(u, [1, 2]), "sigma is"),
    (lambda a, u: ft.jacobian_determinant(a), "1 components for 3 axes"),
])
def test_errors_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call(rand(2, 1, 6, 7, 8), displacement((6, 7, 8)))


# --- the compiler -----------------------------------------------------------------------------------------------------

def native_calls():
    """The registered operators themselves, with what the functions above give them."""
    ops = torch.ops.ffdp
    a, b = rand(2, 1, 6, 7, 8, dtype=torch.float32), rand(2, 1, 6, 7, 8, dtype=torch.float32, seed=1)
    u = displacement((6, 7, 8)).detach().float().requires_grad_()
    affine = torch.eye(3, 4).repeat(2, 1, 1).requires_grad_()
    rule = ([1.0] * 9, [3, 3, 3], "product", True, 1e-5, 0.0)
    return {"lncc_sum": (ops.lncc_sum, (a, b, None, *rule, True, True)),
            "lncc_scaled": (ops.lncc_scaled, (a, b, *rule, 0.5, True, True)), "lncc_map": (ops.lncc_map, (a, b, *rule)),
            "grid_sample": (ops.grid_sample, (a, u, affine, "zeros", "linear")),
            "grid_sample_u": (ops.grid_sample, (a, u, None, "border", "linear")),
            "compose": (ops.compose, (u, u.detach().clone().requires_grad_(), "border")),
            "integrate_svf": (ops.integrate_svf, (u, 3, "zeros")),
            "gaussian_smooth": (ops.gaussian_smooth, (u, [1.0, 1.0, 1.0])),
            "mi": (ops.mi, (a, b, "cubic", 32, [0.0, 1.0], [0.0, 1.0], 0.5, 0.0, 0.0, True, True)),
            "mse": (ops.mse, (a, b, True)), "difference_energy": (ops.difference_energy, (u, "gradient", 2)),
            "bending": (ops.difference_energy, (u, "compact", 2)), "jacobian": (ops.jacobian_determinant, (u,))}


@pytest.mark.parametrize("name", list(native_calls()))
def test_opcheck(name):
    op, args = native_calls()[name]
    torch.library.opcheck(op, args)


def test_a_training_step_compiles_to_one_graph():
    def step(image, target, velocity):
        u = ft.integrate_svf(ft.gaussian_smooth(velocity, 1.0), 3)
        warped = ft.grid_sample(image, u)
        return (-ft.lncc(warped, target, 5) - ft.mi(warped, target) + ft.mse(warped, target) + ft.diffusion(u)
                + ft.bending(u) + ft.jacobian_determinant(u).relu().mean())
    image, target = rand(1, 1, 8, 9, 10, dtype=torch.float32), rand(1, 1, 8, 9, 10, dtype=torch.float32, seed=1)
    results = []
    for run in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        velocity = displacement((8, 9, 10), batch=1).detach().float().requires_grad_()
        loss = run(image.detach(), target.detach(), velocity)
        loss.backward()
        results.append((loss.detach(), velocity.grad))
    torch.testing.assert_close(results[1], results[0])
