#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two scans of one patient (b2, thick oblique slices): NCC after the reference affine of the data and after ours.
# Usage: benchmarks/e2e/longitudinal.sh FFDP OUTPUT_FOLDER
set -euo pipefail
ffdp=$(realpath "$1") out=$2
data=${FFDP_TEST_DATA:-$(dirname "$0")/../../../shared/data}/b2_openms_raw
fixed=$data/p01_s1_T1W.nii.gz moving=$data/p01_s2_T1W.nii.gz
mkdir -p "$out"
"$ffdp" apply -q -i "$moving" -r "$fixed" -t "[$data/p01_s1_T1W_intrastudy_to_FLAIR.txt,1]" \
  -t "[$data/p01_s1_FLAIR_to_common_space.txt,1]" -t "$data/p01_s2_FLAIR_to_common_space.txt" \
  -t "$data/p01_s2_T1W_intrastudy_to_FLAIR.txt" -o "$out/referenceWarped.nii.gz"
"$ffdp" register -q "$fixed" "$moving" --preset affine -o "$out/affine"
for name in reference affine; do
  echo "$name: $("$ffdp" evaluate --fixed "$fixed" --warped "$out/${name}Warped.nii.gz")"
done
