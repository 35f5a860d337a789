# SPDX-License-Identifier: Apache-2.0
"""Each drop-in class against the package from PyPI, which computes in float64: there offsets and scales do not spoil its
sums. TransMorph and the old voxelmorph, which are not on PyPI, against their formulas."""
import warnings

import pytest

torch = pytest.importorskip("torch")
import ffdp.torch.icon as our_icon  # noqa: E402
import ffdp.torch.mir as our_mir  # noqa: E402
import ffdp.torch.monai as our_monai  # noqa: E402
import ffdp.torch.neurite as our_neurite  # noqa: E402
import ffdp.torch.transmorph as our_transmorph  # noqa: E402
import ffdp.torch.voxelmorph as our_voxelmorph  # noqa: E402

torch.set_num_threads(1)
warnings.filterwarnings("ignore")


def images(kind, size=(13, 14, 15), batch=2, channels=1):
    """A pair of float32 images that resemble each other."""
    g = torch.Generator().manual_seed(5)
    a = torch.rand(batch, channels, *size, generator=g)
    b = (0.6 * a + 0.4 * torch.rand(a.shape, generator=g)) ** 2
    if kind == "unit":
        return a, b
    if kind == "offset":  # 16-bit microscopy: 1000 counts of background
        return 1000 + 3 * a, 500 + 2 * b
    if kind == "scale":
        return 4000 * a, 1e-2 * b
    background = torch.arange(size[-1]) < 5  # skull-stripped: flat, at 0 on one side, far from the rest
    return torch.where(background, 0.0, 200 + 50 * a), torch.where(background, 0.0, 300 + 40 * b)


def compare(ours, theirs, pair, both=True):
    """Value to 1e-5, gradients to 1e-4, relative; ours in float32, theirs in float64."""
    results = []
    for loss, dtype in ((ours, torch.float32), (theirs, torch.float64)):
        leaves = [x.detach().to(dtype).clone().requires_grad_(i == 0 or both) for i, x in enumerate(pair)]
        value = loss(*leaves)
        grads = torch.autograd.grad(value.sum(), [x for x in leaves if x.requires_grad])
        results.append((value.double(), [g.double() for g in grads]))
    (value, grads), (want, wanted) = results
    assert value.shape == want.shape
    assert (value - want).abs().max() <= 1e-5 * want.abs().max(), (value, want)
    for g, w in zip(grads, wanted):
        assert w.norm() > 0
        assert (g - w).norm() <= 1e-4 * w.norm(), ((g - w).norm() / w.norm())


KINDS = ["unit", "offset", "scale", "background"]


def box_formula(a, b, k, eps):
    """Squared local correlation of voxelmorph <= 0.2 and TransMorph: raw sums, eps on the product."""
    ones = torch.ones(1, 1, *(k,) * (a.ndim - 2), dtype=a.dtype)
    conv = torch.nn.functional.conv3d if a.ndim == 5 else torch.nn.functional.conv2d
    s = [conv(x, ones, padding=k // 2) for x in (a, b, a * a, b * b, a * b)]
    n = ones.numel()
    cross, va, vb = s[4] - s[0] * s[1] / n, s[2] - s[0] ** 2 / n, s[3] - s[1] ** 2 / n
    return cross**2 / (va * vb + eps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("win", [None, [5, 5, 5]])
def test_voxelmorph_and_transmorph_ncc(kind, win):
    k = 9 if win is None else 5
    pair = images(kind)
    want = lambda x, y: -box_formula(x, y, k, 1e-5).mean()  # noqa: E731
    compare(lambda x, y: our_voxelmorph.NCC(win).loss(x, y), want, pair)
    compare(our_transmorph.NCC(win), want, pair)
    compare(our_transmorph.NCC_vxm(win), want, pair)


@pytest.mark.parametrize("kind", ["unit", "offset"])
def test_mir_ncc(kind):
    pair, n = images(kind), 729
    compare(our_mir.NCC_vxm(), lambda x, y: -box_formula(x, y, 9, 1e-5).mean(), pair)
    compare(our_mir.NCC(), lambda x, y: -box_formula(x, y, 9, 1e-5 * n**2).mean(), pair)  # means: c / n and v / n

    def vfa(x, y):
        def one(a, b, k):  # denominators of these images are far above eps
            return box_formula(a, b, k, 0.0).mean()
        pooled = [torch.nn.functional.avg_pool3d(v, 3, 2, 1, count_include_pad=False) for v in (x, y)]
        return -(one(x, y, 9) + one(*pooled, 7)) / 2 if scale == 2 else -one(x, y, 9)
    scale = 2 if kind == "unit" else 1  # pooled 1000 +- 1 has lost its digits before anybody correlates it
    compare(our_mir.NCC_vfa(scale=scale), vfa, pair)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"window_size": 5, "reduction": None}, {"window_size": [3, 5, 7]},
                                     {"reduction": "sum", "keepdims": False}])
def test_neurite_ncc(kind, options):
    theirs = pytest.importorskip("neurite").nn.modules.NCC(**options)
    compare(our_neurite.NCC(**options), theirs, images(kind, channels=2))


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_neurite_spatial_gradient_and_mse(penalty):
    modules = pytest.importorskip("neurite").nn.modules
    u = torch.randn(2, 3, 7, 8, 9, generator=torch.Generator().manual_seed(1))
    compare(our_neurite.SpatialGradient(penalty), modules.SpatialGradient(penalty), (u,))
    theirs = modules.SpatialGradient(penalty)
    compare(lambda x: our_voxelmorph.Grad(penalty, loss_mult=2).loss(None, x), lambda x: 2 * theirs(x), (u,))
    compare(our_transmorph.Grad3d(penalty), theirs, (u,))
    compare(our_neurite.MSE(), lambda a, b: ((a - b) ** 2).mean(), images("unit"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"kernel_size": 9}, {"kernel_size": 9, "kernel_type": "gaussian"},
                                     {"kernel_size": 7, "kernel_type": "triangular"},
                                     {"kernel_size": 5, "kernel_type": "triangular", "reduction": "sum"},
                                     {"kernel_size": 5, "smooth_nr": 1e-5, "reduction": "none"}])
def test_monai_lncc(kind, options):
    name = "LocalNormalizedCrossCorrelationLoss"
    theirs = getattr(pytest.importorskip("monai.losses"), name)(**options)
    theirs.kernel = theirs.kernel.double()  # with float32 weights, weights and their sum differ by their rounding
    theirs.kernel_vol = theirs.get_kernel_vol()
    compare(getattr(our_monai, name)(**options), theirs, images(kind, channels=2))


def test_monai_lncc_of_slices():
    losses = pytest.importorskip("monai.losses")
    options = dict(spatial_dims=2, kernel_size=5)
    compare(our_monai.LocalNormalizedCrossCorrelationLoss(**options),
            losses.LocalNormalizedCrossCorrelationLoss(**options), images("unit", (17, 18)))


@pytest.mark.parametrize("options", [{}, {"num_bins": 32, "sigma_ratio": 1.0, "reduction": "none"},
                                     {"kernel_type": "b-spline"}, {"kernel_type": "b-spline", "num_bins": 16}])
def test_monai_mi(options):
    theirs = pytest.importorskip("monai.losses").GlobalMutualInformationLoss(**options)
    soft = options.get("kernel_type") != "b-spline"  # a box spline has no slope
    compare(our_monai.GlobalMutualInformationLoss(**options), theirs, images("unit"), both=soft)


def test_monai_regularisers():
    losses = pytest.importorskip("monai.losses")
    u = torch.randn(2, 3, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    compare(our_monai.BendingEnergyLoss(), losses.BendingEnergyLoss(), (u,))
    compare(our_monai.BendingEnergyLoss(normalize=True), losses.BendingEnergyLoss(normalize=True), (u,))
    compare(our_monai.DiffusionLoss(), losses.DiffusionLoss(), (u,))
    compare(our_monai.DiffusionLoss(normalize=True, reduction="sum"),
            losses.DiffusionLoss(normalize=True, reduction="sum"), (u[:, :, :7, :6],))
    compare(our_monai.BendingEnergyLoss(), losses.BendingEnergyLoss(), (u[:, :2, :, :, 0],))


def velocity(size=(10, 11, 12), scale=3.0):
    g = torch.Generator().manual_seed(2)
    coarse = torch.randn(2, len(size), *(4,) * len(size), generator=g)
    mode = "trilinear" if len(size) == 3 else "bilinear"
    return scale * torch.nn.functional.interpolate(coarse, size=size, mode=mode, align_corners=True)


@pytest.mark.parametrize("size", [(10, 11, 12), (13, 14)])
@pytest.mark.parametrize("padding", ["border", "zeros"])
def test_monai_warp_and_dvf2ddf(size, padding):
    blocks = pytest.importorskip("monai.networks.blocks")
    image = images("unit", size)[0]
    compare(our_monai.Warp(padding_mode=padding), blocks.Warp(padding_mode=padding), (image, velocity(size)))
    # Rounding of float32 positions is carried on by seven squarings of a piecewise linear field.
    compare(our_monai.DVF2DDF(num_steps=4, padding_mode=padding), blocks.DVF2DDF(num_steps=4, padding_mode=padding),
            (velocity(size, 1.0),))


@pytest.mark.parametrize("size", [(10, 11, 12), (13, 14)])
def test_voxelmorph_layers(size):
    modules = pytest.importorskip("voxelmorph").nn.modules
    image, v = images("unit", size)[0], velocity(size)
    compare(our_voxelmorph.SpatialTransformer(size), modules.SpatialTransformer(), (image, v))
    compare(our_voxelmorph.SpatialTransformer(), modules.SpatialTransformer(), (image, v))
    compare(our_voxelmorph.IntegrateVelocityField(steps=4), modules.IntegrateVelocityField(steps=4),
            (velocity(size, 1.0),))
    compare(our_voxelmorph.VecInt(size, 4), modules.IntegrateVelocityField(steps=4), (velocity(size, 1.0),))
    for factor in (2.0, 0.5):
        compare(our_voxelmorph.ResizeDisplacementField(factor), modules.ResizeDisplacementField(factor), (v,))
        compare(our_voxelmorph.ResizeTransform(1 / factor, len(size)), modules.ResizeDisplacementField(factor), (v,))


def test_state_dicts_load_with_and_without_a_grid():
    for module, key in ((our_voxelmorph.SpatialTransformer((4, 4, 4)), "grid"),
                        (our_voxelmorph.VecInt((4, 4, 4), 7), "transformer.grid")):
        module.load_state_dict({})
        module.load_state_dict({key: torch.zeros(1, 3, 4, 4, 4)})
        with pytest.raises(RuntimeError, match="Unexpected key"):
            module.load_state_dict({"weights": torch.zeros(1)})


def test_transmorph_mi():
    def formula(a, b, bins=32, ratio=1):
        centres = torch.linspace(0, 1, bins, dtype=a.dtype)
        sigma = (centres[1:] - centres[:-1]).mean() * ratio

        def weights(x):
            w = torch.exp(-((x.clamp(0, 1).reshape(x.shape[0], -1, 1) - centres) ** 2) / (2 * sigma**2))
            return w / w.sum(-1, keepdim=True)
        wa, wb = weights(a), weights(b)
        joint = wa.transpose(1, 2) @ wb / wa.shape[1]
        product = wa.mean(1)[:, :, None] * wb.mean(1)[:, None]
        return -(joint * torch.log(joint / (product + 1e-6) + 1e-6)).sum((1, 2)).mean()
    pair = images("unit")
    compare(our_transmorph.MutualInformation(), formula, pair)
    pair = [x.detach().clone() for x in pair]
    pair[0][:, :, :4] = 0  # background on the end of the range
    compare(our_transmorph.MutualInformation(sigma_ratio=0.5, num_bin=16), lambda a, b: formula(a, b, 16, 0.5), pair)


def test_transmorph_regulariser():
    u = torch.randn(2, 3, 8, 9, 10, generator=torch.Generator().manual_seed(1))

    def slope(x, axis):
        later, earlier = [slice(1, -1)] * 3, [slice(1, -1)] * 3
        later[axis], earlier[axis] = slice(2, None), slice(None, -2)
        return (x[(..., *later)] - x[(..., *earlier)]) / 2

    def bending(x):
        d = [slope(x, a) for a in range(3)]
        pure = sum(slope(d[a], a) ** 2 for a in range(3))
        return (pure + 2 * (slope(d[0], 1) ** 2 + slope(d[0], 2) ** 2 + slope(d[1], 2) ** 2)).mean()
    compare(our_transmorph.DisplacementRegularizer("bending"), bending, (u,))
    compare(our_transmorph.DisplacementRegularizer("gradient-l2"),
            lambda x: sum(slope(x, a) ** 2 for a in range(3)).mean() / 3, (u,))


@pytest.mark.parametrize("kind", ["unit", "scale"])  # 1e-5 stands beside variances: with an offset icon is fine, too
@pytest.mark.parametrize("name", ["LNCC", "SquaredLNCC"])
@pytest.mark.parametrize("masked", [False, True])
def test_icon_lncc(kind, name, masked):
    losses = pytest.importorskip("icon_registration.losses")
    mask = (torch.rand(2, 2, 13, 14, 15, generator=torch.Generator().manual_seed(3)) > 0.5).float() if masked else None
    args = () if mask is None else (mask,)
    compare(lambda a, b: getattr(our_icon, name)(2)(a, b, *args), lambda a, b: getattr(losses, name)(2)(a, b, *args),
            images(kind, channels=2))


def test_icon_lncc_only_interpolated():
    losses = pytest.importorskip("icon_registration.losses")
    a, b = images("unit")
    inside = torch.ones_like(a)
    inside[..., :3] = 0
    compare(lambda x, y: our_icon.LNCCOnlyInterpolated(2)(torch.cat([x, inside.to(x)], 1), y),
            lambda x, y: losses.LNCCOnlyInterpolated(2)(torch.cat([x, inside.to(x)], 1), y), (a, b))
