#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lung CT pair c1 with both masks; target registration error of its 10 index points.
# Usage: benchmarks/e2e/lung.sh FFDP OUTPUT_FOLDER PYTHON_WITH_NIBABEL [REGISTER_OPTIONS…]
set -euo pipefail
ffdp=$(realpath "$1") out=$2 python=$3
shift 3
data=${FFDP_TEST_DATA:-$(dirname "$0")/../../../shared/data}/c1_lung_ct_elastix
mkdir -p "$out"
"$python" - "$data" "$out" <<'PY'
import sys
import nibabel, numpy
data, out = sys.argv[1:]
for image, points in (("fixed_baseline_ct", "baseline"), ("moving_followup_ct", "followup")):
    lps = numpy.diag([-1, -1, 1, 1]) @ nibabel.load(f"{data}/{image}.nii.gz").affine
    index = numpy.loadtxt(f"{data}/orig/3DCT_lung_{points}.txt", skiprows=2)[:10]
    world = index @ lps[:3, :3].T + lps[:3, 3]
    numpy.savetxt(f"{out}/{points}.csv", numpy.c_[world, numpy.zeros(10)], "%.6f", ",", header="x,y,z,t", comments="")
PY
"$ffdp" register -q "$data/fixed_baseline_ct.nii.gz" "$data/moving_followup_ct.nii.gz" -o "$out/r_" \
  --fixed-mask "$data/fixed_mask.nii.gz" --moving-mask "$data/moving_mask.nii.gz" "$@"
"$ffdp" evaluate --fixed-points "$out/baseline.csv" --moving-points "$out/followup.csv" -t "$out/r_1Warp.nii.gz" \
  -t "$out/r_0GenericAffine.mat"
