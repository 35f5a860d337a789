#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes every reader: RUNS inputs each, or SECONDS each where that is over first (0: no limit).
# Usage: tests/fuzz/run.sh [RUNS [SECONDS [KIND...]]]; what fails is kept in build/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${1:-1000000} seconds=${2:-0}
shift $(($# < 2 ? $# : 2))
build=build/fuzz corpus=build/fuzz/corpus
cmake --preset fuzz >/dev/null
cmake --build "$build" --target fuzzers -j "$(nproc)"
mkdir -p "$corpus"/{points,lta,recipe} "$build/found"
"$build"/bin/fuzz_seeds "$corpus"

put() { printf "$2" >"$corpus/$1"; }
put text/translation.txt '#Insight Transform File V1.0\n#Transform 0\nTransform: TranslationTransform_double_3_3\nParameters: 1 2 3\nFixedParameters:\n'
put text/versor.tfm '#Insight Transform File V1.0\nTransform: ComposeScaleSkewVersor3DTransform_double_3_3\nParameters: 0.1 0.2 0.05 1 2 3 1.1 0.9 1.2 0 0 0\nFixedParameters: 3 -4 5\n'
put text/matrix.mat '1 0 0 5\n0 1 0 6\n0 0 1 7\n0 0 0 1\n'
put text/linear.xfm 'MNI Transform File\nTransform_Type = Linear;\nInvert_Flag = True;\nLinear_Transform =\n1 0 0 4\n0 1 0 5\n0 0 1 6;\n'
volume='valid = 1\nvolume = 4 5 6\nvoxelsize = 1 1 1\nxras = -1 0 0\nyras = 0 0 -1\nzras = 0 1 0\ncras = 1 2 3\n'
put lta/a.lta "type = 0\nnxforms = 1\nmean = 0 0 0\nsigma = 1\n1 4 4\n1 0 0 5\n0 1 0 6\n0 0 1 7\n0 0 0 1\nsrc volume info\n${volume}dst volume info\n$volume"
put lta/b.lta 'type = 1\nnxforms = 1\n1 4 4\n1 0 0 5\n0 1 0 6\n0 0 1 7\n0 0 0 1\n'
put points/a.csv 'x,y,z,t,label\n1,2,3,0,7\n'
put points/b.csv '\xef\xbb\xbfx;y;z\r1,5;2;3\r'
put points/c.fcsv '# CoordinateSystem = 0\n# columns = id,x,y,z\nF-1,1,2,3\n'
put recipe/a.json '{"preset": "fast", "winsorize_lo": 0.1, "deformable": [{"shrink": [4, 2], "metrics": [{"kind": "mi", "bins": 32}]}]}'
put recipe/b.json 'deformable/0/step=0.4'

status=0
for kind in "${@:-nifti gzip matlab text lta hdf5 points recipe}"; do
  for one in $kind; do
    case $one in matlab | text | lta | hdf5) reader=transform ;; *) reader=$one ;; esac
    # A file of 16 KiB honestly holds at most 1032 times that, where it is compressed.
    "$build/bin/${reader}_fuzz" -runs="$runs" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
      -malloc_limit_mb=64 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
      -artifact_prefix="$build/found/$one-" "$corpus/$one" >"$build/$one.log" 2>&1 ||
      { status=1; echo "$one: failed, see $build/$one.log"; tail -n 30 "$build/$one.log"; continue; }
    echo "$one: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$one.log") runs, none failed"
  done
done
exit $status
