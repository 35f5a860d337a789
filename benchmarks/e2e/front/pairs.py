#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the pairs that run.py registers: a folder each, with fixed and moving images, what is known of them, and
pair.json. Usage: pairs.py DATA FFDP OUT  (DATA: ../shared/data; needs nibabel and scipy)"""
import json
import pathlib
import subprocess
import sys

import nibabel
import numpy
from scipy import ndimage


def link(data, out, **files):
    """Names of the pair for files of the data."""
    for name, path in files.items():
        target = out / f"{name}.nii.gz"
        target.unlink(missing_ok=True)
        target.symlink_to((data / path).resolve())


def painted(labels, seed, invert):
    """An image of smooth, noisy classes with a bias field; `invert` gives another contrast."""
    rng = numpy.random.default_rng(seed)
    ids = numpy.unique(labels)
    means = numpy.random.default_rng(7).uniform(0.3, 1, ids.max() + 1)
    if invert:
        means = 1.3 - means
    means[0] = 0
    image = ndimage.gaussian_filter(means[labels], 0.6)
    image += 0.03 * rng.normal(size=labels.shape) * (image > 0.02)
    bias = ndimage.zoom(rng.normal(size=(4, 4, 4)), [n / 4 for n in labels.shape], order=3)
    return (150 * image * numpy.exp(0.1 * bias)).clip(0, 255).astype(numpy.uint8)


def paint(data, out, invert):
    for name, number in (("fixed", 1), ("moving", 2)):
        seg = nibabel.load(data / f"a6_synthseg_labelmaps/training_seg_0{number}.nii.gz")
        labels = numpy.asarray(seg.dataobj).astype(numpy.int16)
        labels[labels >= 500] = 0  # what surrounds the brain
        seg = nibabel.Nifti1Image(labels, seg.affine).slicer[tuple(
            slice(max(places.min() - 10, 0), places.max() + 11) for places in numpy.nonzero(labels))]
        nibabel.save(seg, out / f"{name}_labels.nii.gz")
        image = painted(numpy.asarray(seg.dataobj), number, invert and name == "moving")
        nibabel.save(nibabel.Nifti1Image(image, seg.affine), out / f"{name}.nii.gz")


def known_warp(ffdp, data, out, fixed, moving, largest=6.0, width=12):
    """The moving image is put through the inverse of a smooth random warp, which is the truth."""
    link(data, out, fixed=fixed, mask=fixed)
    image = nibabel.load(data / fixed)
    rng = numpy.random.default_rng(3)
    d = numpy.stack([ndimage.gaussian_filter(rng.normal(size=image.shape), width) for _ in range(3)], -1)
    d *= largest / numpy.sqrt((d**2).sum(-1)).max()
    warp = nibabel.Nifti1Image(d[:, :, :, None, :].astype(numpy.float32), image.affine)
    warp.header.set_intent(1007)
    nibabel.save(warp, out / "true_warp.nii.gz")
    subprocess.run([ffdp, "invert", "-q", "-t", out / "true_warp.nii.gz", "-o", out / "inverse.nii.gz"], check=True)
    subprocess.run([ffdp, "apply", "-q", "-i", data / moving, "-r", data / moving, "-t", out / "inverse.nii.gz", "-n",
                    "bspline", "-o", out / "moving.nii.gz"], check=True)


def lung(data, out):
    folder = data / "c1_lung_ct_elastix"
    link(folder, out, fixed="fixed_baseline_ct.nii.gz", moving="moving_followup_ct.nii.gz",
         fixed_mask="fixed_mask.nii.gz", moving_mask="moving_mask.nii.gz")
    for side, image, points in (("fixed", "fixed_baseline_ct", "baseline"), ("moving", "moving_followup_ct", "followup")):
        lps = numpy.diag([-1, -1, 1, 1]) @ nibabel.load(folder / f"{image}.nii.gz").affine
        index = numpy.loadtxt(folder / f"orig/3DCT_lung_{points}.txt", skiprows=2)[:10]
        world = index @ lps[:3, :3].T + lps[:3, 3]
        numpy.savetxt(out / f"{side}_points.csv", numpy.c_[world, numpy.zeros(10)], "%.6f", ",", header="x,y,z,t",
                      comments="")


def brains(data, out, swap):
    files = dict(fixed="a1_t1_fs46_pair/fixed_vxm_t1.nii.gz", fixed_labels="a1_t1_fs46_pair/fixed_vxm_seg.nii.gz",
                 moving="a2_t1_fs_native/t1_norm.nii.gz", moving_labels="a2_t1_fs_native/aseg.nii.gz")
    other = {"fixed": "moving", "moving": "fixed"}
    if swap:
        files = {name.replace(*pair): path for name, path in files.items() for pair in other.items()
                 if name.startswith(pair[0])}
    link(data, out, **files)


def main():
    data, ffdp, root = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    mouse, stroke, prostate = "e2_mouse_atlases_200um/", "b1_stroke_t1_t2_flair/", "d2_prostate_mr_us/case00000"
    mr, us = (f"{prostate}{{}}_{kind}_{{}}.nii.gz" for kind in ("mr", "us"))
    pairs = {
        "a1a2": (lambda out: brains(data, out, False), []),
        "a2a1": (lambda out: brains(data, out, True), []),
        "painted": (lambda out: paint(data, out, False), []),
        "painted_mi": (lambda out: paint(data, out, True), ["--metric", "mi"]),
        "t1t2": (lambda out: known_warp(ffdp, data, out, stroke + "T1.nii.gz", stroke + "T2.nii.gz"), ["--metric", "mi"]),
        "t1flair": (lambda out: known_warp(ffdp, data, out, stroke + "T1.nii.gz", stroke + "FLAIR.nii.gz"),
                    ["--metric", "mi"]),
        "t1t1": (lambda out: known_warp(ffdp, data, out, stroke + "T1.nii.gz", stroke + "T1.nii.gz"), []),
        "lung": (lambda out: lung(data, out), []),
        "lung_masks": (lambda out: lung(data, out), ["--fixed-mask", "fixed_mask.nii.gz", "--moving-mask",
                                                     "moving_mask.nii.gz"]),
        "mouse": (lambda out: link(data, out, fixed=mouse + "allen_mouse_ref.nii.gz", moving=mouse + "demba_P14_mouse_ref.nii.gz",
                                   fixed_labels=mouse + "allen_mouse_ann_uint32.nii.gz",
                                   moving_labels=mouse + "demba_P14_mouse_ann_uint32.nii.gz"), []),
        **{f"prostate{n}": (lambda out, n=n: link(data, out, fixed=us.format(n, "image"), moving=mr.format(n, "image"),
                                                  fixed_labels=us.format(n, "label"), moving_labels=mr.format(n, "label")),
                            ["--metric", "mi"]) for n in (0, 2, 4)},
    }
    for name, (make, options) in pairs.items():
        out = root / name
        out.mkdir(parents=True, exist_ok=True)
        make(out)
        (out / "pair.json").write_text(json.dumps({"options": options}))
        print(name)


if __name__ == "__main__":
    main()
