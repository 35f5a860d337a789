#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes docs/images/report.png, the picture of the README: a page of `ffdp report` of a phantom pair.
# Needs chromium. Usage: docs/images/make_report_picture.sh PROGRAM
set -euo pipefail
ffdp=$(realpath "$1")
target=$(cd "$(dirname "$0")" && pwd)/report.png
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$ffdp" phantom -q --pair --size 120x144x128 --spacing 1.5 --warp-mm 6 -o demo
"$ffdp" register -q demo_fixed.nii.gz demo_moving.nii.gz -o out/demo_ --moving-labels demo_moving_labels.nii.gz
"$ffdp" report -q out/demo_ --fixed-labels demo_fixed_labels.nii.gz
# As after a click on "edges".
sed 's|</body>|<script>addEventListener("load", () => setTimeout(() => { const e = document.getElementById("edges"); e.checked = true; e.dispatchEvent(new Event("input")); }, 500));</script></body>|' \
  out/demo_report.html > shown.html
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/browser" \
  --virtual-time-budget=8000 --force-device-scale-factor=0.72 --window-size=1260,1130 --screenshot="$target" "file://$work/shown.html" 2>/dev/null
echo "wrote $target: $(stat -c %s "$target") bytes"
