# SPDX-License-Identifier: Apache-2.0
"""Images of other packages keep their geometry on the way in and back."""
import numpy as np
import pytest

import ffdp
from ffdp._images import as_image


def oblique(shape=(7, 8, 9)):
    """An image whose axes are turned, flipped and of different spacing."""
    a, b = 0.3, -0.5
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ \
        np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn * [1.5, -2.0, 3.0]
    affine[:3, 3] = [10, -20, 30]
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return ffdp.Image(data, affine)


def world_of(image, index):
    """RAS point of voxel (z, y, x)."""
    return (image.affine @ [*index[::-1], 1])[:3]


def test_nibabel_round_trip(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = oblique()
    theirs = nibabel.Nifti1Image(np.asarray(image).T.copy(), image.affine)
    taken, kind = as_image(theirs)
    np.testing.assert_allclose(taken.affine, image.affine, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(taken), np.asarray(image))
    back = kind.wrap(taken)
    np.testing.assert_allclose(back.affine, theirs.affine, atol=1e-5)
    np.testing.assert_array_equal(back.get_fdata(), theirs.get_fdata())
    image.save(tmp_path / "image.nii.gz")
    read = nibabel.load(tmp_path / "image.nii.gz")
    np.testing.assert_allclose(read.affine, image.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(read.dataobj), np.asarray(image).T)


def test_simpleitk_round_trip(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    image = oblique()
    image.save(str(tmp_path / "image.nii.gz"))
    theirs = sitk.ReadImage(str(tmp_path / "image.nii.gz"))
    taken, kind = as_image(theirs)
    np.testing.assert_allclose(taken.affine, image.affine, atol=1e-4)
    back = kind.wrap(taken)
    for name in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
        np.testing.assert_allclose(getattr(back, name)(), getattr(theirs, name)(), atol=1e-9)
    point = theirs.TransformIndexToPhysicalPoint((3, 4, 5))  # LPS
    np.testing.assert_allclose(world_of(taken, (5, 4, 3)) * [-1, -1, 1], point, atol=1e-4)


def test_antspy_round_trip(tmp_path):
    ants = pytest.importorskip("ants")
    image = oblique()
    image.save(str(tmp_path / "image.nii.gz"))
    theirs = ants.image_read(str(tmp_path / "image.nii.gz"))
    taken, kind = as_image(theirs)
    np.testing.assert_allclose(taken.affine, image.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(taken), np.asarray(image))
    back = kind.wrap(taken)
    assert ants.image_physical_space_consistency(back, theirs)
    np.testing.assert_array_equal(back.numpy(), theirs.numpy())


def test_torch_comes_back_as_torch(pair):
    torch = pytest.importorskip("torch")
    fixed, moving = (torch.from_numpy(np.asarray(i)) for i in (pair.fixed, pair.moving))
    found = ffdp.register(fixed, moving, preset="affine", quiet=True)
    assert isinstance(found.warped, torch.Tensor) and found.warped.dtype == torch.float32
    assert found.warped.shape == fixed.shape


@pytest.mark.parametrize("package", ["nibabel", "SimpleITK", "ants"])
def test_register_returns_the_kind_of_the_fixed_image(pair, package):
    pytest.importorskip(package)
    from ffdp._images import _to_ants, _to_nibabel, _to_sitk
    make = {"nibabel": _to_nibabel, "SimpleITK": _to_sitk, "ants": _to_ants}[package]
    fixed, moving = make(pair.fixed), make(pair.moving)
    found = ffdp.register(fixed, moving, preset="affine", quiet=True)
    assert type(found.warped) is type(fixed)
    own = ffdp.register(pair.fixed, pair.moving, preset="affine", quiet=True)
    np.testing.assert_allclose(found.affine, own.affine, atol=1e-4)
    np.testing.assert_allclose(np.asarray(as_image(found.warped)[0]), np.asarray(own.warped), atol=0.5)


def test_points_are_ras():
    image = oblique()
    shift = np.eye(4)
    shift[:3, 3] = [1.5, 0, 0]
    moved = ffdp.apply(image, ffdp.Transform.from_affine(shift), interpolation="nearest")
    point = world_of(image, (3, 4, 5)) + [1.5, 0, 0]
    index = np.linalg.inv(image.affine) @ [*point, 1]
    nearest = tuple(np.rint(index[:3][::-1]).astype(int))
    assert np.asarray(moved)[3, 4, 5] == np.asarray(image)[nearest]


def test_labels_stay_exact():
    labels = np.random.default_rng(3).integers(0, 2**40, (6, 6, 6))
    out = ffdp.apply(labels, ffdp.Transform(), interpolation="label")
    assert out.dtype == np.int64
    np.testing.assert_array_equal(out, labels)
