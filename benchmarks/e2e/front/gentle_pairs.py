#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes more pairs for run.py, which no preset was chosen on: one person (s_*; the truth is a smooth random warp) and two (d_*
denoised, n_* noisy). docs/adr/0017-gentle-warps.md was decided on them.
Usage: gentle_pairs.py DATA FFDP OUT [s_ct,d_a1a2_1]  (DATA: ../shared/data; needs nibabel and scipy)"""
import json
import pathlib
import subprocess
import sys

import nibabel
import numpy
from scipy import ndimage

DATA, FFDP, OUT = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])


def load(path, kind=numpy.float32):
    image = nibabel.load(DATA / path)
    return nibabel.Nifti1Image(numpy.asarray(image.dataobj).astype(kind), image.affine)


def cropped(image, *others):
    """To what is above 0, and 12 voxels more."""
    inside = numpy.asarray(image.dataobj) > 0
    box = tuple(slice(max(places.min() - 12, 0), places.max() + 13) for places in numpy.nonzero(inside))
    return [one.slicer[box] for one in (image, *others)]


def spoiled(image, seed, noise=0, bias=0, blur=0, everywhere=True):
    """Noise is a share of the range of the intensities; without `everywhere` only where there is something."""
    rng = numpy.random.default_rng(seed)
    values = numpy.asarray(image.dataobj).astype(numpy.float32)
    if blur:
        values = ndimage.gaussian_filter(values, blur)
    lo, hi = numpy.quantile(values, [0.001, 0.995])
    if bias:
        field = ndimage.zoom(rng.normal(size=(4, 4, 4)), [n / 4 for n in values.shape], order=3)
        values = lo + (values - lo) * numpy.exp(bias * field)
    if noise:
        added = rng.normal(size=values.shape) * noise * (hi - lo)
        values = values + (added if everywhere else added * (values > lo + 0.02 * (hi - lo)))
    return nibabel.Nifti1Image(values.astype(numpy.float32), image.affine)


def apply(out, image, name, interpolation):
    subprocess.run([FFDP, "apply", "-q", "-i", out / image, "-r", out / "clean.nii.gz", "-t", out / "inverse.nii.gz", "-n",
                    interpolation, "--default-value", "min", "-o", out / name], check=True)


def one(out, image, labels, seed, width, largest, noise, bias=0.1, mask_at=0, everywhere=True):
    """The moving image is the fixed one through the inverse of a warp of `largest` mm; each has its own noise."""
    rng = numpy.random.default_rng(seed)
    d = numpy.stack([ndimage.gaussian_filter(rng.normal(size=image.shape), float(width)) for _ in range(3)], -1)
    d *= float(largest) / numpy.sqrt((d**2).sum(-1)).max()
    warp = nibabel.Nifti1Image(d[:, :, :, None, :].astype(numpy.float32), image.affine)
    warp.header.set_intent(1007)
    nibabel.save(warp, out / "true_warp.nii.gz")
    nibabel.save(image, out / "clean.nii.gz")
    subprocess.run([FFDP, "invert", "-q", "-t", out / "true_warp.nii.gz", "-o", out / "inverse.nii.gz"], check=True)
    apply(out, "clean.nii.gz", "warped.nii.gz", "bspline")
    nibabel.save(spoiled(image, seed + 100, noise, everywhere=everywhere), out / "fixed.nii.gz")
    warped = nibabel.load(out / "warped.nii.gz")
    nibabel.save(spoiled(warped, seed + 200, noise, bias, everywhere=everywhere), out / "moving.nii.gz")
    inside = numpy.asarray(image.dataobj) > mask_at
    nibabel.save(nibabel.Nifti1Image(inside.astype(numpy.uint8), image.affine), out / "mask.nii.gz")
    if labels is not None:
        nibabel.save(labels, out / "fixed_labels.nii.gz")
        apply(out, "fixed_labels.nii.gz", "moving_labels.nii.gz", "nearest")


def two(out, swap=False, median=0, noise=0, bias=0, blur=0):
    pair = [a1(), a2()]
    for k, (name, (image, labels)) in enumerate(zip(("fixed", "moving"), pair[::-1] if swap else pair)):
        if median:
            image = nibabel.Nifti1Image(ndimage.median_filter(numpy.asarray(image.dataobj), median), image.affine)
        nibabel.save(spoiled(image, 300 + k, noise, bias, blur, everywhere=False), out / f"{name}.nii.gz")
        nibabel.save(labels, out / f"{name}_labels.nii.gz")


def painted(out, noise, blur, seed, bias):
    for k, name in enumerate(("fixed", "moving")):
        seg = load(f"a6_synthseg_labelmaps/training_seg_0{k + 1}.nii.gz", numpy.int32)
        labels = numpy.asarray(seg.dataobj)
        labels[labels >= 500] = 0  # what surrounds the brain
        seg = cropped(nibabel.Nifti1Image(labels, seg.affine))[0]
        labels = numpy.asarray(seg.dataobj)
        means = numpy.random.default_rng(seed).uniform(0.3, 1, labels.max() + 1)
        means[0] = 0
        image = nibabel.Nifti1Image((150 * means[labels]).astype(numpy.float32), seg.affine)
        nibabel.save(spoiled(image, seed + k, noise, bias, blur, everywhere=False), out / f"{name}.nii.gz")
        nibabel.save(seg, out / f"{name}_labels.nii.gz")


def with_labels(image, labels):
    return load(image), load(labels, numpy.int32)


def a1():
    return with_labels("a1_t1_fs46_pair/fixed_vxm_t1.nii.gz", "a1_t1_fs46_pair/fixed_vxm_seg.nii.gz")


def a2():
    return cropped(*with_labels("a2_t1_fs_native/t1_norm.nii.gz", "a2_t1_fs_native/aseg.nii.gz"))


def ct():
    return with_labels("d1_abdomen_totalseg/example_ct_sm.nii.gz", "d1_abdomen_totalseg/example_seg.nii.gz")


def mouse():
    return with_labels(*(f"e2_mouse_atlases_200um/demba_P14_mouse_{name}.nii.gz" for name in ("ref", "ann_uint32")))


PAIRS = {
    "s_a2_n0": lambda out: one(out, *a2(), 11, 8, 4, 0),
    "s_a2_n2": lambda out: one(out, *a2(), 12, 16, 8, 0.02),
    "s_a2_n5": lambda out: one(out, *a2(), 13, 10, 6, 0.05, everywhere=False),
    "s_a1_n10": lambda out: one(out, *a1(), 14, 14, 7, 0.1, everywhere=False),
    "s_a1_fine": lambda out: one(out, *a1(), 15, 4, 4, 0.02, everywhere=False),
    "s_b2": lambda out: one(out, load("b2_openms_raw/p01_s1_T1W.nii.gz"), None, 16, 9, 5, 0.02, mask_at=40),
    "s_ct": lambda out: one(out, *ct(), 17, 7, 5, 0.02, 0, mask_at=-500),
    "s_ct_n5": lambda out: one(out, *ct(), 18, 16, 9, 0.05, 0, mask_at=-500),
    "s_lung": lambda out: one(out, load("c1_lung_ct_elastix/fixed_baseline_ct.nii.gz"), None, 19, 14, 9, 0.02, 0,
                              mask_at=-900),
    "s_mouse": lambda out: one(out, *mouse(), 20, 5, 0.5, 0.02, mask_at=20),
    "d_a1a2_1": lambda out: two(out, blur=1),
    "d_a1a2_15": lambda out: two(out, blur=1.5),
    "d_a2a1_med": lambda out: two(out, swap=True, median=3),
    "n_a1a2_5": lambda out: two(out, noise=0.05, bias=0.1),
    "d_paint_b": lambda out: painted(out, 0, 1.2, 22, 0.1),
    "n_paint": lambda out: painted(out, 0.03, 0.6, 23, 0.1),
}


def main():
    for name in sys.argv[4].split(",") if len(sys.argv) > 4 else PAIRS:
        out = OUT / name
        out.mkdir(parents=True, exist_ok=True)
        PAIRS[name](out)
        (out / "pair.json").write_text(json.dumps({"options": []}))
        print(name)


if __name__ == "__main__":
    main()
