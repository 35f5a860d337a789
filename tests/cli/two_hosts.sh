#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two network namespaces as two hosts: mpirun over both gives the bytes of one rank. Needs root, iproute2 and OpenMPI.
# Usage: two_hosts.sh FFDP [FIXED MOVING [RATE]]
# Without images: a small phantom on two ranks a host. RATE, as 1gbit: the link passes no more in each direction.
set -euo pipefail
# Exit code 77, a skip, where this machine has no namespaces for us.
if ! ip netns add ffdp_try 2>/dev/null; then echo "no network namespaces here"; exit 77; fi
ip netns del ffdp_try
ffdp=$(realpath "$1")
work=$(mktemp -d)
cleanup() {
  for host in a b; do ip netns del "ffdp_$host" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
for host in a b; do ip netns add "ffdp_$host"; done
ip link add ffdp_a netns ffdp_a type veth peer name ffdp_b netns ffdp_b
for host in a b; do
  [ $host = a ] && address=10.77.0.1 || address=10.77.0.2
  ip -n "ffdp_$host" addr add $address/24 dev "ffdp_$host"
  ip -n "ffdp_$host" link set "ffdp_$host" up
  ip -n "ffdp_$host" link set lo up
  if [ -n "${4:-}" ]; then
    ip netns exec "ffdp_$host" tc qdisc add dev "ffdp_$host" root tbf rate "$4" burst 256k latency 50ms
  fi
done
# In place of ssh: the second host is the other namespace, with a name of its own.
cat >"$work/agent" <<'AGENT'
#!/usr/bin/env bash
shift
exec ip netns exec ffdp_b unshare --uts sh -c "hostname ffdp-b; $*"
AGENT
chmod +x "$work/agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
if [ -n "${2:-}" ]; then
  images="$(realpath "$2") $(realpath "$3")" slots=1
else
  "$ffdp" phantom -q --pair --size 72x80x76 --spacing 2 -o "$work/p"
  images="$work/p_fixed.nii.gz $work/p_moving.nii.gz" slots=2
fi
"$ffdp" register $images --preset fast -q -o "$work/one_"
ip netns exec ffdp_a unshare --uts sh -c "hostname ffdp-a; mpirun --host 10.77.0.1:$slots,10.77.0.2:$slots -n $((2 * slots)) \
  --mca plm_rsh_agent $work/agent --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
  --mca oob_tcp_if_include 10.77.0.0/24 $ffdp register $images --preset fast -q --threads 1 -o $work/many_"
for file in 0GenericAffine.mat 1Warp.nii.gz 1InverseWarp.nii.gz Warped.nii.gz InverseWarped.nii.gz; do
  cmp "$work/one_$file" "$work/many_$file"
done
read -r sent < <(ip -n ffdp_b -s link show ffdp_b | awk '/TX:/ {getline; print $1}')
echo "two hosts: the bytes of one rank; $((sent >> 20)) MiB left the second host"
python3 - "$work/many_.json" <<'SAY'
import json, sys
record = json.load(open(sys.argv[1]))
stages = {}
for stage in record["stages"] if "stages" in record else []:
    stages[stage["name"]] = stages.get(stage["name"], 0) + stage["seconds"]
print("seconds:", {**record["seconds"], **stages})
for rank in record["ranks"]["of_ranks"]: print(rank)
SAY
