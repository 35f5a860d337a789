# SPDX-License-Identifier: Apache-2.0
"""The package without torch: registration, transforms, evaluation, errors."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ffdp


def test_import_needs_numpy_only():
    code = "import sys, ffdp; bad = {'torch', 'nibabel', 'SimpleITK', 'ants', 'cupy', 'matplotlib'} & set(sys.modules);"
    subprocess.run([sys.executable, "-c", code + "sys.exit(str(bad) if bad else 0)"], check=True)


@pytest.mark.parametrize("options", [{}, {"metric": "mi", "preset": "fast"}, {"preset": "affine"}])
def test_register_writes_the_bytes_of_the_program(pair, program, tmp_path, options):
    fixed, moving = tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz"
    pair.fixed.save(fixed)
    pair.moving.save(moving)
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    program("register", fixed, moving, "-o", tmp_path / "program_", "--quiet", *words)
    found = ffdp.register(fixed, moving, quiet=True, **options)
    written = found.save(tmp_path / "python_")
    assert len(written) == (4 if options.get("preset") == "affine" else 6)
    for file in written[:-1]:
        own = file.replace("python_", "program_")
        assert open(file, "rb").read() == open(own, "rb").read(), file


def test_arrays_give_what_files_give(pair, found, tmp_path):
    arrays = ffdp.register((pair.fixed.data, pair.fixed.affine), (pair.moving.data, pair.moving.affine), preset="fast",
                           quiet=True)
    np.testing.assert_array_equal(arrays.affine, found.affine)
    np.testing.assert_array_equal(arrays.displacement, found.displacement)
    assert isinstance(arrays.warped, tuple) and isinstance(found.warped, ffdp.Image)


def test_warped_is_what_apply_makes(pair, found):
    applied = ffdp.apply(pair.moving, found, pair.fixed)
    inside = np.asarray(applied)[4:-4, 4:-4, 4:-4]
    np.testing.assert_allclose(inside, np.asarray(found.warped)[4:-4, 4:-4, 4:-4], atol=0.02 * inside.max())


def test_registration_improves_the_overlap(pair, found):
    def dice(labels):
        return ffdp.evaluate(fixed_labels=pair.fixed_labels, warped_labels=labels)["labels"]["mean_dice"]
    warped = found.apply(pair.moving_labels, interpolation="label")
    assert warped.data.dtype == np.uint8
    assert dice(warped) > dice(pair.moving_labels) + 0.03


def test_inverse_brings_points_back(pair, found):
    points = np.random.default_rng(1).uniform(-40, 40, (50, 3))
    back = found.inverse.map(found.apply(points))
    assert np.abs(back - points).max() < 0.6  # a tenth of a voxel


def test_transforms_are_read_written_and_composed(found, pair, program, tmp_path):
    warp, affine, total = tmp_path / "w.nii.gz", tmp_path / "a.mat", tmp_path / "t.nii.gz"
    found.warp.save(warp)
    ffdp.Transform.from_affine(found.affine).save(affine)
    pair.fixed.save(tmp_path / "f.nii.gz")
    program("compose", "-r", tmp_path / "f.nii.gz", "-t", warp, "-t", affine, "-o", total)
    points = np.random.default_rng(2).uniform(-30, 30, (40, 3))
    by_program = ffdp.read_transform(total).map(points)
    composed = ffdp.compose([str(warp), str(affine)], pair.fixed)
    np.testing.assert_allclose(composed.map(points), by_program, atol=1e-4)
    np.testing.assert_allclose(found.transform.map(points), by_program, atol=1e-3)
    np.testing.assert_allclose(ffdp.invert(str(affine)).affine, np.linalg.inv(found.affine), atol=1e-9)


def test_jacobian_is_that_of_the_program(found, program, tmp_path):
    found.warp.save(tmp_path / "w.nii.gz")
    program("jacobian", tmp_path / "w.nii.gz", "-o", tmp_path / "j.nii.gz", "--quiet")
    np.testing.assert_array_equal(np.asarray(ffdp.jacobian(str(tmp_path / "w.nii.gz"))),
                                  np.asarray(ffdp.Image.read(tmp_path / "j.nii.gz")))


def test_evaluate_is_that_of_the_program(pair, found, program, tmp_path):
    files = {}
    for name in ("fixed", "moving", "fixed_labels", "moving_labels"):
        files[name] = tmp_path / f"{name}.nii.gz"
        getattr(pair, name).save(files[name])
    found.warp.save(tmp_path / "w.nii.gz")
    program("evaluate", "--fixed-labels", files["fixed_labels"], "--warped-labels", files["moving_labels"],
            "--fixed", files["fixed"], "--warped", files["moving"], "--warp", tmp_path / "w.nii.gz", "--json",
            tmp_path / "r.json", "--quiet")
    wanted = json.loads((tmp_path / "r.json").read_text())
    got = ffdp.evaluate(fixed_labels=pair.fixed_labels, warped_labels=pair.moving_labels, fixed=pair.fixed,
                        warped=pair.moving, warp=str(tmp_path / "w.nii.gz"))
    for part in ("warp", "images"):
        assert got[part] == pytest.approx(wanted[part], rel=1e-12)
    labels = got["labels"].pop("labels"), wanted["labels"].pop("labels")
    assert got["labels"] == pytest.approx(wanted["labels"], rel=1e-12)
    assert [row["dice"] for row in labels[0]] == pytest.approx([row["dice"] for row in labels[1]])


def test_phantom_is_that_of_the_program(pair, program, tmp_path):
    program("phantom", "-o", tmp_path / "p", "--pair", "--size", "22x28x24", "--spacing", "6", "--quiet")
    for name in ("fixed", "moving", "fixed_labels", "moving_labels"):
        image = ffdp.Image.read(tmp_path / f"p_{name}.nii.gz")
        np.testing.assert_array_equal(np.asarray(image), np.asarray(getattr(pair, name)))
        np.testing.assert_allclose(image.affine, getattr(pair, name).affine)


def test_callback_sees_every_iteration_and_can_end_the_run(pair):
    seen = []
    found = ffdp.register(pair.fixed, pair.moving, preset="fast", callback=lambda *a: seen.append(a))
    deformable = [line for line in seen if line[0] == "deformable"]
    assert len(deformable) == sum(map(len, found.costs))
    assert all(line[3] <= line[4] for line in seen)

    def stop(*_):
        raise KeyError("enough")
    with pytest.raises(KeyError, match="enough"):
        ffdp.register(pair.fixed, pair.moving, preset="fast", callback=stop)


def test_ctrl_c_ends_a_run():
    pair = ffdp.phantom((64, 64, 64), spacing=2.5, pair=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        ffdp.register(pair.fixed, pair.moving, preset="accurate", iterations=(4000, 4000), shrink=(2, 1), quiet=True)
        time.sleep(1)
    signal.signal(signal.SIGINT, before)
    assert time.perf_counter() - begin < 20


def test_other_threads_run_meanwhile(pair):
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)
    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    ffdp.register(pair.fixed, pair.moving, preset="fast", threads=1, quiet=True)
    during = sum(t > begin for t in ticks)
    done.set()
    thread.join()
    assert during > 20


@pytest.mark.parametrize("call, error, words", [
    (lambda p: ffdp.register("/nowhere.nii", p.moving), OSError, "/nowhere.nii"),
    (lambda p: ffdp.register(p.fixed, p.moving, preset="best"), ValueError, 'preset: "best" is unknown'),
    (lambda p: ffdp.register(p.fixed, p.moving, metric="ssd9"), ValueError, 'got "ssd9"'),
    (lambda p: ffdp.register(p.fixed, p.moving, iteration=5), ValueError, "--iteration"),
    (lambda p: ffdp.register(p.fixed, p.moving, ranks=2), ValueError, "--ranks is the program's alone"),
    (lambda p: ffdp.register(p.fixed, "image"), OSError, "image"),
    (lambda p: ffdp.register(p.fixed, 5), TypeError, "a int is no image"),
    (lambda p: ffdp.register(np.zeros((8, 8, 8)), p.moving), ValueError, "fixed"),
    (lambda p: ffdp.register(p.fixed, p.moving, fixed_mask=np.zeros(p.fixed.shape)), ValueError, "mask is empty"),
    (lambda p: ffdp.register(p.fixed, p.moving, start=p.true_warp), ValueError, "an affine is wanted"),
    (lambda p: ffdp.apply(p.fixed, ffdp.Transform(), interpolation="cubic"), ValueError, '"cubic"'),
    (lambda p: ffdp.Image(np.zeros((3, 3, 3)), np.ones((4, 4))), ValueError, "right angles"),
    (lambda p: ffdp.Image(np.zeros(3)), ValueError, "1 axes"),
    (lambda p: ffdp.evaluate(), ValueError, "nothing to evaluate"),
    (lambda p: ffdp.evaluate(fixed=p.fixed), ValueError, "without the other"),
    (lambda p: ffdp.jacobian(ffdp.Transform()), ValueError, "0 displacements"),
])
def test_errors_say_what_is_wrong(pair, call, error, words):
    with pytest.raises(error, match=words):
        call(pair)


def test_masks_and_channels_are_taken(pair):
    mask = np.asarray(pair.fixed_labels) > 0
    one = ffdp.register(pair.fixed, pair.moving, fixed_mask=mask, preset="fast", quiet=True)
    none = ffdp.register(pair.fixed, pair.moving, preset="fast", quiet=True)
    assert np.abs(one.displacement - none.displacement).max() > 0
    two = ffdp.register([pair.fixed] * 2, [pair.moving] * 2, metric=["lncc", "lncc,pair=1"], preset="fast", quiet=True)
    np.testing.assert_allclose(two.displacement, none.displacement, atol=0.05)


def test_slices_stay_slices():
    pair = ffdp.phantom((1, 64, 64), spacing=3, pair=True)
    found = ffdp.register(pair.fixed.data[0], pair.moving.data[0], preset="fast", quiet=True)
    assert found.warped.shape == (64, 64)


def test_plot_makes_a_figure(found):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    figure = found.plot()
    assert [axis.get_title() for axis in figure.axes[:3]] == ["fixed", "moving", "warped"]


def test_the_program_comes_along(program):
    assert program("--version").strip() == f"ffdp {ffdp.__version__}"
