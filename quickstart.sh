#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian 12 machine to a registered pair of brains: installs what is missing, builds,
# makes a phantom pair with a known warp, registers it, and says what was reached.
# Usage: ./quickstart.sh [OUTPUT_FOLDER]
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-out/quickstart}

tools/install_packages.sh build
cmake --preset cpu >build-quickstart.log 2>&1 && cmake --build --preset cpu >>build-quickstart.log 2>&1 ||
  { tail -n 40 build-quickstart.log; echo "quickstart: the build failed, see build-quickstart.log" >&2; exit 1; }
rm build-quickstart.log
ffdp=$PWD/build/cpu/bin/ffdp
mkdir -p "$out"

say() { echo; echo "\$ $*"; }
run() { say "${@/#$ffdp/ffdp}"; "$@"; }
run "$ffdp" phantom -q --pair --size 128x160x128 --spacing 1.25 --rotate 4 -6 8 --translate 6 -4 5 -o "$out/brain"
run "$ffdp" evaluate --fixed "$out/brain_fixed.nii.gz" --warped "$out/brain_moving.nii.gz" \
  --fixed-labels "$out/brain_fixed_labels.nii.gz" --warped-labels "$out/brain_moving_labels.nii.gz" --summary
time run "$ffdp" register "$out/brain_fixed.nii.gz" "$out/brain_moving.nii.gz" -o "$out/reg_" \
  --moving-labels "$out/brain_moving_labels.nii.gz"
run "$ffdp" evaluate --fixed "$out/brain_fixed.nii.gz" --warped "$out/reg_Warped.nii.gz" \
  --fixed-labels "$out/brain_fixed_labels.nii.gz" --warped-labels "$out/reg_WarpedLabels.nii.gz" \
  --warp "$out/reg_1Warp.nii.gz" --true-warp "$out/brain_true_warp.nii.gz" \
  -t "$out/reg_1Warp.nii.gz" -t "$out/reg_0GenericAffine.mat" --json "$out/evaluation.json" --summary

echo
echo "The files are in $out:"
ls -sh "$out"
echo "The program is $ffdp; ffdp --help lists what it does. Tests: ./run_tests.sh"
