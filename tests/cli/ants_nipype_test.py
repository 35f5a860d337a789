# SPDX-License-Identifier: Apache-2.0
"""nipype's interfaces to ANTs run on our commands. Usage: ants_nipype_test.py FOLDER_OF_COMMANDS
Exit code 77 where nipype or nibabel is not installed."""
import os
import sys
import tempfile

try:
    import nibabel
    import numpy as np
    from nipype.interfaces import ants
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


def ball(shift, seed=1):
    """A soft ball with waves in it, shifted along x [voxels]."""
    z, y, x = np.meshgrid(np.arange(40.0), np.arange(36.0), np.arange(32.0) - shift, indexing="ij")
    r = np.sqrt(((z - 20) / 14) ** 2 + ((y - 18) / 12) ** 2 + ((x - 16) / 11) ** 2)
    waves = np.sin(z / 3 + seed) * np.cos(y / 2.5) * np.sin(x / 3.5)
    return ((60 + 20 * waves) / (1 + np.exp(8 * (r - 1)))).astype(np.float32)


def save(name, array):
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.5, 1, 1, 1])), name)


def register(composite):
    r = ants.Registration()
    r.inputs.fixed_image, r.inputs.moving_image = "f.nii.gz", "m.nii.gz"
    r.inputs.dimension = 3
    r.inputs.output_transform_prefix = "n_"
    r.inputs.initial_moving_transform_com = 1
    r.inputs.transforms = ["Rigid", "Affine", "SyN"]
    r.inputs.transform_parameters = [(0.1,), (0.1,), (0.1, 3.0, 0.0)]
    r.inputs.metric, r.inputs.metric_weight = ["MI", "Mattes", "CC"], [1] * 3
    r.inputs.radius_or_number_of_bins = [32, 32, 3]
    r.inputs.sampling_strategy, r.inputs.sampling_percentage = ["Regular", "Regular", "None"], [0.25, 0.25, 1]
    r.inputs.number_of_iterations = [[50, 20], [50, 20], [30, 10]]
    r.inputs.convergence_threshold, r.inputs.convergence_window_size = [1e-6] * 3, [10] * 3
    r.inputs.shrink_factors, r.inputs.smoothing_sigmas = [[2, 1]] * 3, [[1, 0]] * 3
    r.inputs.sigma_units = ["vox"] * 3
    r.inputs.use_histogram_matching = [True] * 3
    r.inputs.winsorize_lower_quantile, r.inputs.winsorize_upper_quantile = 0.005, 0.995
    r.inputs.write_composite_transform = composite
    r.inputs.collapse_output_transforms = True
    r.inputs.interpolation = "BSpline"
    r.inputs.interpolation_parameters = (3,)
    r.inputs.output_warped_image, r.inputs.output_inverse_warped_image = "n_W.nii.gz", "n_IW.nii.gz"
    r.inputs.float, r.inputs.num_threads, r.inputs.verbose = True, 2, True
    return r.run().outputs


def same(name, fixed, share):
    got = nibabel.load(name).get_fdata()
    before = np.square(ball(2) - fixed).sum()
    after = np.square(got - fixed).sum()
    assert after < share * before, f"{name}: {after} of {before} are left"


def main():
    os.environ["PATH"] = os.path.abspath(sys.argv[1]) + os.pathsep + os.environ["PATH"]
    os.chdir(tempfile.mkdtemp())
    fixed = ball(0)
    save("f.nii.gz", fixed)
    save("m.nii.gz", ball(2))
    save("series.nii.gz", np.stack([ball(2)] * 3, -1))
    assert ants.base.Info.version() is not None, "the version is not understood"

    out = register(composite=False)
    for name in out.forward_transforms + out.reverse_transforms:
        assert os.path.exists(name), name
    same(out.warped_image, fixed, 0.1)
    assert os.path.exists(out.inverse_warped_image)

    apply = ants.ApplyTransforms(input_image="series.nii.gz", reference_image="f.nii.gz", dimension=3,
                                 input_image_type=3, output_image="a.nii.gz", interpolation="Linear",
                                 default_value=0, float=True)
    # nipype lists transforms as the line wants them: the last one meets the image first.
    apply.inputs.transforms = out.forward_transforms[::-1]
    result = apply.run().outputs.output_image
    assert nibabel.load(result).shape == fixed.shape + (3,)
    first = nibabel.load(result).get_fdata()[..., 0]
    assert np.square(first - fixed).sum() < 0.1 * np.square(ball(2) - fixed).sum()

    apply = ants.ApplyTransforms(input_image="f.nii.gz", reference_image="m.nii.gz", dimension=3,
                                 output_image="i.nii.gz", interpolation="GenericLabel",
                                 transforms=out.reverse_transforms,
                                 invert_transform_flags=out.reverse_invert_flags)
    assert os.path.exists(apply.run().outputs.output_image)

    out = register(composite=True)
    assert os.path.exists(out.composite_transform) and os.path.exists(out.inverse_composite_transform)
    print("nipype runs on these commands")


main()
