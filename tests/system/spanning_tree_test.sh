#!/bin/bash
# os-ken's spanning tree over a ring of three bridges: no loop, and another way when a link goes.
# timeout: 300
. "$(dirname "$0")/lib/harness.sh"

port=$((20000 + $$ % 20000))
# link A B: a veth pair between two bridges, ends ${TEST_ID}aAB and ${TEST_ID}bAB
link() {
    ip link add "${TEST_ID}a$1$2" type veth peer name "${TEST_ID}b$1$2"
    on_exit link "${TEST_ID}a$1$2"
    for end in a b; do
        echo 1 >"/proc/sys/net/ipv6/conf/$TEST_ID$end$1$2/disable_ipv6"
        ip link set "$TEST_ID$end$1$2" up
    done
}
ring_port() { printf '{ "name": "%s", "ofport": %d, "type": "dpdk", "devargs": "net_af_packet_%s,iface=%s" }' "$1" "$2" "$1" "$TEST_ID$1"; }
bridge() { # NUMBER PORT...
    local number=$1 ports='' p
    shift
    for p in "$@"; do ports+="${ports:+, }$p"; done
    printf '{ "name": "br%d", "datapath_id": "%016x", "fail_mode": "secure", "controllers": [{"target": "tcp:127.0.0.1:%d", "max_backoff": 1000}], "ports": [%s] }' \
        "$number" "$number" "$port" "$ports"
}
blocked() { tail -n +"${1:-1}" "$TEST_DIR/osken.log" | grep -q 'is blocked'; }
forwarding() { [ "$(grep -c 'is forwarding' "$TEST_DIR/osken.log")" -ge "$1" ]; }

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
link 1 2
link 2 3
link 3 1
cat >"$TEST_DIR/sluice.json" <<JSON
{
  "run_dir": "$RUN_DIR",
  "dpdk": { "eal_args": ["--no-pci", "--in-memory", "-m", "$TEST_MEMORY", "--file-prefix", "$TEST_ID"], "hugepages": $HUGEPAGES },
  "pmd": { "cores": [$PMD_CORE] },
  "control": { "core": 0 },
  "bridges": [
    $(bridge 1 "$(port_json p1 1 h1)" "$(ring_port a12 2)" "$(ring_port b31 3)"),
    $(bridge 2 "$(port_json p2 1 h2)" "$(ring_port b12 2)" "$(ring_port a23 3)"),
    $(bridge 3 "$(ring_port b23 2)" "$(ring_port a31 3)")
  ]
}
JSON
start_sluice
background osken env PYTHONUNBUFFERED=1 osken-manager --ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port "$port" "$TEST_LIB/spanning_tree.py"

step "the ring is cut in one place, and hosts reach each other"
wait_until 120 forwarding 7
wait_until 30 blocked
wait_until 60 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2 5

step "a broadcast is not multiplied"
arping='Ether(src="02:00:00:00:00:01",dst="ff:ff:ff:ff:ff:ff",type=0x88b5)/Raw(b"x"*50)'
capture h2
packets h1 "$arping" 1 h2=same
sleep 1
assert_eq "$(grep -c 0x88b5 "$TEST_DIR/capture-h2.log")" 1 "broadcasts at h2"

step "the link that is used goes down, the other way is taken"
ip link set "${TEST_ID}a12" down

wait_until 90 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2 3
assert_lacks "$(cat "$TEST_DIR/osken.log")" Traceback

stop_sluice
