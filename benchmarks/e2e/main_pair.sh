#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Registers the main pair of ../shared/data (a1 <- a2) with every preset, judges each result with
# ffdp evaluate, and does the same with Greedy where a Python with picsl_greedy is given.
# Usage: benchmarks/e2e/main_pair.sh FFDP OUTPUT_FOLDER [PYTHON_WITH_PICSL_GREEDY] [THREADS]
set -euo pipefail
ffdp=$(realpath "$1") out=$2 python=${3:-} threads=${4:-2}
data=${FFDP_TEST_DATA:-$(dirname "$0")/../../../shared/data}
fixed=$data/a1_t1_fs46_pair/fixed_vxm_t1.nii.gz fixed_labels=$data/a1_t1_fs46_pair/fixed_vxm_seg.nii.gz
moving=$data/a2_t1_fs_native/t1_norm.nii.gz moving_labels=$data/a2_t1_fs_native/aseg.nii.gz
mkdir -p "$out"

# measured NAME COMMAND…: runs it; the wall time and the peak memory of the whole process are its row.
measured() {
  local name=$1
  shift
  python3 - "$name" "$@" <<'PY'
import resource, subprocess, sys, time
begin = time.time()
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{sys.argv[1]:9s} {time.time() - begin:7.2f} s wall, peak {peak:5.0f} MiB")
PY
}

# judge PREFIX WARP AFFINE INVERSE: Dice of labels warped by nearest neighbour, folds, SDlogJ.
judge() {
  local chain=() more=()
  if [ -e "$2" ]; then chain=(-t "$2") more=(--warp "$2" --inverse-warp "$4"); fi
  "$ffdp" apply -q -i "$moving_labels" -r "$fixed" "${chain[@]}" -t "$3" -n nearest -o "$1labels.nii.gz"
  "$ffdp" evaluate --fixed-labels "$fixed_labels" --warped-labels "$1labels.nii.gz" "${more[@]}" \
    --json "$1scores.json" --summary
}

for preset in affine fast default accurate; do
  p=$out/${preset}_
  measured "$preset" "$ffdp" register "$fixed" "$moving" -o "$p" --preset $preset --threads "$threads"
  judge "$p" "${p}1Warp.nii.gz" "${p}0GenericAffine.mat" "${p}1InverseWarp.nii.gz"
done
if [ -n "$python" ]; then
  p=$out/greedy_ mask=$out/mask.nii.gz
  "$python" -c "
import nibabel, numpy, sys
image = nibabel.load(sys.argv[1])
mask = (numpy.asarray(image.dataobj) > 0).astype(numpy.uint8)
nibabel.save(nibabel.Nifti1Image(mask, image.affine), sys.argv[2])" "$fixed" "$mask"
  measured greedy "$python" "$(dirname "$0")/greedy.py" "$fixed" "$moving" "$mask" "$p" "$threads"
  judge "$p" "${p}warp.nii.gz" "${p}affine.mat" "${p}inverse.nii.gz"
fi
