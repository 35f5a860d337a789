#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Multimodal registration with a known answer: T2 and FLAIR of b1 are put through the inverse of a smooth random
# warp (6 mm at most) and registered to T1; the error against that warp, inside the brain.
# Usage: benchmarks/e2e/known_warp.sh FFDP OUTPUT_FOLDER PYTHON_WITH_NIBABEL_AND_SCIPY
set -euo pipefail
ffdp=$(realpath "$1") out=$2 python=$3
data=${FFDP_TEST_DATA:-$(dirname "$0")/../../../shared/data}/b1_stroke_t1_t2_flair
mkdir -p "$out"
"$python" - "$data/T1.nii.gz" "$out/true.nii.gz" <<'PY'
import sys
import nibabel, numpy, scipy.ndimage
image = nibabel.load(sys.argv[1])
rng = numpy.random.default_rng(3)
d = numpy.stack([scipy.ndimage.gaussian_filter(rng.normal(size=image.shape), 12) for _ in range(3)], -1)
d *= 6 / numpy.sqrt((d**2).sum(-1)).max()
warp = nibabel.Nifti1Image(d[:, :, :, None, :].astype(numpy.float32), image.affine)
warp.header.set_intent(1007)
nibabel.save(warp, sys.argv[2])
PY
"$ffdp" invert -q -t "$out/true.nii.gz" -o "$out/inverse.nii.gz"
for contrast in T2 FLAIR; do
  "$ffdp" apply -q -i "$data/$contrast.nii.gz" -r "$data/$contrast.nii.gz" -t "$out/inverse.nii.gz" -n bspline \
    -o "$out/moved_$contrast.nii.gz"
  "$ffdp" register -q "$data/T1.nii.gz" "$out/moved_$contrast.nii.gz" --metric mi -o "$out/${contrast}_"
  echo "T1 <- $contrast"
  "$ffdp" evaluate --true-warp "$out/true.nii.gz" --mask "$data/T1.nii.gz" -t "$out/${contrast}_1Warp.nii.gz" \
    -t "$out/${contrast}_0GenericAffine.mat"
done
