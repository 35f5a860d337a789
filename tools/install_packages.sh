#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs by apt what building and testing needs and this machine lacks. Needs root or sudo for that.
# Usage: tools/install_packages.sh [build|test|ci]: what building needs, the tests also, CI also
set -euo pipefail

packages=(g++ cmake ninja-build git python3 libcli11-dev libeigen3-dev nlohmann-json3-dev
  libdeflate-dev libisal-dev libhdf5-dev)
if [ "${1:-build}" != build ]; then packages+=(libgtest-dev libbenchmark-dev libopenmpi-dev openmpi-bin procps); fi
if [ "${1:-build}" = ci ]; then packages+=(clang-format-19 clang-tidy-19 clang-19 libclang-rt-19-dev
  ccache python3-venv python3-dev chromium iproute2); fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "installing: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install: no root and no sudo; please install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  "${missing[@]}" >/dev/null
