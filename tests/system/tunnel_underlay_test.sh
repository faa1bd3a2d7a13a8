#!/bin/bash
# Where tunnels' outer packets go: neighbours are asked for while packets wait, routes and addresses that change are followed within 100 ms,
# and nothing is translated again that they do not concern.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS is configured otherwise"; exit 0; }

phy=n$(($$ % 100000)) net=198.18.$(($$ % 200 + 1)) far=198.19.$(($$ % 200 + 1))
on_exit link "$phy"
vxlan() { # NAME OFPORT REMOTE KEY
    printf '{ "name": "%s", "ofport": %d, "type": "vxlan", "tunnel": { "remote_ip": "%s", "key": "%d" } }' "$@"
}
host_make vm 10.0.0.1/24 02:00:00:00:00:01
for i in 1 2; do
    host_make "v$i" "$net.1$i/24" "02:00:00:00:01:0$i"
    in_ns "v$i" ip link add x type vxlan id $i remote "$net.1" dstport 4789 dev eth0
    in_ns "v$i" ip link set x address "02:00:00:00:02:0$i" mtu 1400 up
    in_ns "v$i" ip addr add "10.0.0.1$i/24" dev x
done
cat >"$TEST_DIR/sluice.json" <<JSON
{
  "run_dir": "$RUN_DIR",
  "dpdk": { "eal_args": ["--no-pci", "--in-memory", "-m", "$TEST_MEMORY", "--file-prefix", "$TEST_ID"], "hugepages": $HUGEPAGES },
  "pmd": { "cores": [$PMD_CORE] },
  "control": { "core": 0 },
  "bridges": [
    { "name": "br0", "fail_mode": "secure", "ports": [ $(system_json vm 1 vm),
      $(vxlan t1 11 "$net.11" 1), $(vxlan t2 12 "$net.12" 2), $(vxlan t3 13 "$far.9" 3), $(vxlan t4 14 "$net.99" 4) ] },
    { "name": "$phy", "fail_mode": "standalone", "ports": [ { "name": "$phy", "ofport": "LOCAL", "type": "tap" },
      $(system_json p1 1 v1), $(system_json p2 2 v2) ] }
  ]
}
JSON
start_sluice
ip addr add "$net.1/24" dev "$phy"
ip link set "$phy" up
ofctl add-flow "in_port=11,actions=1"
ofctl add-flow "in_port=12,actions=1"
ofctl add-flow "priority=9,arp,actions=flood"
for i in 1 2; do ofctl add-flow "in_port=1,dl_dst=02:00:00:00:02:0$i,actions=1$i"; done
ofctl add-flow "in_port=1,dl_dst=02:00:00:00:02:03,actions=13"
ofctl add-flow "in_port=1,dl_dst=02:00:00:00:02:04,actions=14"
for i in 1 2 3 4; do in_ns vm ip neigh add "10.0.0.1$i" lladdr "02:00:00:00:02:0$i" dev eth0; done
wait_until 5 eval 'appctl ovs/route/show | grep -q "$net.0/24"'
hop() { appctl tnl/next-hops | grep "^$1 "; }
stat() { ctl --json flows | jq "$1"; }

step "the first packet waits for the neighbour's answer"
in_ns vm ping -q -n -c 1 -W 2 10.0.0.11 >/dev/null || fail "the first packet was lost"
assert_matches "$(appctl tnl/neigh/show)" "^$net.11 +02:00:00:00:01:01   $phy$"
assert_matches "$(hop "$net.11")" "dev $phy src $net.1 via $net.11 bridge $phy port $phy mac 02:00:00:00:01:01 mtu [0-9]+: ready$"
ping_ok vm 10.0.0.12
assert_eq "$(ctl --json tnl/arp/show | jq -r "map(select(.ip == \"$net.12\"))[0].source")" snooped
