#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the pairs that run.py registers: a folder each, with fixed and moving images, what is known of them, and
pair.json. Usage: pairs.py DATA FFDP OUT [a1a2,a2a1]  (DATA: ../shared/data; needs nibabel, pillow and scipy)"""
import json
import pathlib
import subprocess
import sys

import nibabel
import numpy
from PIL import Image
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
    through_inverse(ffdp, out, data / moving, "moving", "bspline")


def through_inverse(ffdp, out, image, name, interpolation):
    subprocess.run([ffdp, "apply", "-q", "-i", image, "-r", image, "-t", out / "inverse.nii.gz", "-n", interpolation,
                    "--default-value", "min", "-o", out / f"{name}.nii.gz"], check=True)


def known_affine(ffdp, data, out, fixed, moving, to_common, from_common):
    """Thick slices of one patient; the truth is the reference map of the data, judged inside the brain."""
    data = data / "b2_openms_raw"
    link(data, out, fixed=fixed, moving=moving)
    onto = [data / fixed, *(word for step in to_common for word in ("-t", f"[{data / step},1]"))]
    subprocess.run([ffdp, "apply", "-q", "-i", data / "p01_brainmask_common.nii.gz", "-n", "nearest", "-r", *onto, "-o",
                    out / "mask.nii.gz"], check=True)
    back = [word for step in from_common for word in ("-t", data / step)]
    subprocess.run([ffdp, "compose", "-q", "-r", *onto, *back, "-o", out / "true_warp.nii.gz"], check=True)


def abdomen(data, out):
    """CT and MR of two persons; the nine organs that both label maps call by the same numbers."""
    data = data / "d1_abdomen_totalseg"
    link(data, out, fixed="example_ct_sm.nii.gz", moving="example_mr_sm.nii.gz")
    for side, name in (("fixed", "example_seg"), ("moving", "example_seg_mr")):
        seg = nibabel.load(data / f"{name}.nii.gz")
        organs = numpy.asarray(seg.dataobj)
        nibabel.save(nibabel.Nifti1Image(organs * (organs < 10), seg.affine), out / f"{side}_labels.nii.gz")


def warped_ct(ffdp, data, out):
    folder = "d1_abdomen_totalseg/"
    known_warp(ffdp, data, out, folder + "example_ct_sm.nii.gz", folder + "example_ct_sm.nii.gz")
    link(data / folder, out, fixed_labels="example_seg.nii.gz")
    through_inverse(ffdp, out, data / folder / "example_seg.nii.gz", "moving_labels", "nearest")
    ct = nibabel.load(out / "fixed.nii.gz")
    (out / "mask.nii.gz").unlink()
    body = (numpy.asarray(ct.dataobj) > -500).astype(numpy.uint8)
    nibabel.save(nibabel.Nifti1Image(body, ct.affine), out / "mask.nii.gz")


def prostate(data, out, n):
    """Ultrasound and MR; the gland, and the centres of the structures that are labelled in both."""
    for side, kind in (("fixed", "us"), ("moving", "mr")):
        name = f"case{n:06}_{kind}"
        link(data / "d2_prostate_mr_us", out, **{side: f"{name}_image.nii.gz"})
        seg = nibabel.load(data / f"d2_prostate_mr_us/{name}_label.nii.gz")
        labels = numpy.asarray(seg.dataobj) > 0
        labels = labels.reshape(*labels.shape[:3], -1)
        nibabel.save(nibabel.Nifti1Image(labels[..., 0].astype(numpy.uint8), seg.affine), out / f"{side}_labels.nii.gz")
        index = [ndimage.center_of_mass(labels[..., i]) for i in range(1, labels.shape[3])]
        if index:
            save_points(out / f"{side}_points.csv", index, seg.affine)


def grey_classes(image, count):
    """Classes 0 to count - 1 of the grey values (k-means): what stands in for labels where there are none."""
    values = image.astype(float)
    means = numpy.linspace(values.min(), numpy.quantile(values, 0.98), count)
    for _ in range(50):
        classes = abs(values[..., None] - means).argmin(-1)
        means = ndimage.mean(values, classes, range(count))
    return classes.astype(numpy.uint8)


def save_2d(out, name, pixels):
    nibabel.save(nibabel.Nifti1Image(pixels.T, numpy.diag([-1, -1, 1, 1])), out / f"{name}.nii.gz")


def slices(data, out):
    for side, name in (("fixed", "r16"), ("moving", "r64")):
        pixels = numpy.asarray(Image.open(data / f"f1_2d_ants_slices/{name}slice.jpg"))
        save_2d(out, side, pixels)
        save_2d(out, f"{side}_labels", grey_classes(ndimage.gaussian_filter(pixels.astype(float), 0.7), 4))


def histology(data, out):
    """Two stains of neighbouring sections of a kidney, dark on white paper, turned to bright on black."""
    for side, name in (("fixed", "HE"), ("moving", "PanCytokeratin")):
        path = data / f"f3_2d_histology/rat-kidney/Rat-Kidney_{name}"
        save_2d(out, side, 255 - numpy.asarray(Image.open(path.with_suffix(".jpg")).convert("L")))
        points = numpy.loadtxt(path.with_suffix(".csv"), skiprows=1, delimiter=",")[:69]  # those that both have
        save_points(out / f"{side}_points.csv", numpy.c_[points[:, 1:], 0 * points[:, 0]], numpy.diag([-1, -1, 1, 1]))


def echo_planar(data, out):
    """A phantom, distorted one way and the other along y; where it is bright stands in for labels."""
    name = "noPF_noPAT_noPOS_PEres100_ES1p00_BW2222_{}.nii.gz"
    link(data / "g3_epi_ap_pa", out, fixed=name.format("AP_24"), moving=name.format("PA_25"))
    for side in ("fixed", "moving"):
        image = nibabel.load(out / f"{side}.nii.gz")
        labels = grey_classes(numpy.asarray(image.dataobj), 2)
        nibabel.save(nibabel.Nifti1Image(labels, image.affine), out / f"{side}_labels.nii.gz")


def save_points(path, index, affine):
    """Writes voxel indices as LPS mm."""
    lps = numpy.diag([-1, -1, 1, 1]) @ affine
    world = numpy.asarray(index) @ lps[:3, :3].T + lps[:3, 3]
    numpy.savetxt(path, numpy.c_[world, numpy.zeros(len(world))], "%.6f", ",", header="x,y,z,t", comments="")


def lung(data, out):
    folder = data / "c1_lung_ct_elastix"
    link(folder, out, fixed="fixed_baseline_ct.nii.gz", moving="moving_followup_ct.nii.gz",
         fixed_mask="fixed_mask.nii.gz", moving_mask="moving_mask.nii.gz")
    for side, image, points in (("fixed", "fixed_baseline_ct", "baseline"), ("moving", "moving_followup_ct", "followup")):
        index = numpy.loadtxt(folder / f"orig/3DCT_lung_{points}.txt", skiprows=2)[:10]
        save_points(out / f"{side}_points.csv", index, nibabel.load(folder / f"{image}.nii.gz").affine)


def brains(data, out, swap):
    files = dict(fixed="a1_t1_fs46_pair/fixed_vxm_t1.nii.gz", fixed_labels="a1_t1_fs46_pair/fixed_vxm_seg.nii.gz",
                 moving="a2_t1_fs_native/t1_norm.nii.gz", moving_labels="a2_t1_fs_native/aseg.nii.gz")
    other = {"fixed": "moving", "moving": "fixed"}
    if swap:
        files = {name.replace(*pair): path for name, path in files.items() for pair in other.items()
                 if name.startswith(pair[0])}
    link(data, out, **files)


def all_pairs(data, ffdp):
    """Name -> (function that fills the folder of the pair, options of ffdp register)."""
    mouse, stroke, spine = "e2_mouse_atlases_200um/", "b1_stroke_t1_t2_flair/", "d3_spine_sct/"
    first_t1, first_flair, later_t1, later_flair = (
        f"p01_{name}.txt" for name in ("s1_T1W_intrastudy_to_FLAIR", "s1_FLAIR_to_common_space",
                                       "s2_T1W_intrastudy_to_FLAIR", "s2_FLAIR_to_common_space"))
    first, later, flair = (f"p01_{name}.nii.gz" for name in ("s1_T1W", "s2_T1W", "s1_FLAIR"))
    return {
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
        "thick_t1": (lambda out: known_affine(ffdp, data, out, first, later, [first_t1, first_flair],
                                              [later_flair, later_t1]), []),
        "thick_flair": (lambda out: known_affine(ffdp, data, out, first, flair, [first_t1, first_flair], [first_flair]),
                        ["--metric", "mi"]),
        "thick_later": (lambda out: known_affine(ffdp, data, out, flair, later, [first_flair], [later_flair, later_t1]),
                        ["--metric", "mi"]),
        "abdomen": (lambda out: abdomen(data, out), ["--metric", "mi"]),
        "abdomen_ct": (lambda out: warped_ct(ffdp, data, out), []),
        "spine": (lambda out: link(data, out, fixed=spine + "t1/t1w.nii.gz", moving=spine + "t2/t2.nii.gz",
                                   fixed_labels=spine + "t1/t1w_seg-manual.nii.gz",
                                   moving_labels=spine + "t2/t2_seg-manual.nii.gz"), ["--metric", "mi"]),
        "slices": (lambda out: slices(data, out), []),
        "histology": (lambda out: histology(data, out), []),
        "histology_mi": (lambda out: histology(data, out), ["--metric", "mi"]),
        "epi": (lambda out: echo_planar(data, out), []),
        **{f"prostate{n}": (lambda out, n=n: prostate(data, out, n), ["--metric", "mi"]) for n in (0, 2, 4)},
    }


def main():
    data, ffdp, root = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    pairs = all_pairs(data, ffdp)
    if len(sys.argv) > 4:
        pairs = {name: pairs[name] for name in sys.argv[4].split(",")}
    for name, (make, options) in pairs.items():
        out = root / name
        out.mkdir(parents=True, exist_ok=True)
        make(out)
        (out / "pair.json").write_text(json.dumps({"options": options}))
        print(name)


if __name__ == "__main__":
    main()
