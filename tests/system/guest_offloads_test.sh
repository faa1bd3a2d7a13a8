#!/bin/bash
# TCP to and from guests on vhost-user ports whose kernels leave checksums and segments to others, with every other kind of port.
# timeout: 240
#
# MEGABYTES=1024 sends a gigabyte between every pair of kinds of ports in both directions, with segments to be cut and with an MTU of 9000; without it
# some megabytes between the pairs that differ most.
. "$(dirname "$0")/lib/harness.sh"

vhost_tap=$BUILD/tests/system/vhost-tap
s1=$TEST_DIR/v1.sock s2=$TEST_DIR/v2.sock s3=$TEST_DIR/v3.sock s4=$TEST_DIR/v4.sock tap=${TEST_ID}t

stream() { "$PYTHON" "$TEST_LIB/tcp_stream.py" "$@"; }
# tcp FROM TO ADDRESS [MEGABYTES]: what arrives is what was sent
tcp() {
    local log=receive-$1-$2 sent
    background "$log" ip netns exec "$(ns_name "$2")" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive "$3"
    wait_until 5 grep -q ready "$TEST_DIR/$log.log"
    sent=$(in_ns "$1" "$PYTHON" "$TEST_LIB/tcp_stream.py" send "$3" "${4:-${MEGABYTES:-10}}") || fail "tcp $1 -> $3"
    wait_until 5 grep -q "$sent" "$TEST_DIR/$log.log"
    echo "  $1 -> $3: $(sed -n 's/.* \([0-9]* MB\)/\1/p' "$TEST_DIR/$log.log")"
}
dropped() { ctl --json drops | "$PYTHON" -c 'import json, sys; print(sum(n for why, n in json.load(sys.stdin).items() if why in sys.argv[1:]))' "$@"; }
received() { in_ns "$1" cat /sys/class/net/eth0/statistics/rx_packets; }

# address HOST N [MTU]
address() {
    in_ns "$1" ip link set eth0 address "02:00:00:00:00:0$2" mtu "${3:-1500}" up
    in_ns "$1" ip addr add "10.0.0.$2/24" dev eth0
    in_ns "$1" ip addr add "fd00::$2/64" dev eth0 nodad
}
ns_six() {
    ns_make "$1"
    in_ns "$1" sh -c 'for f in all default; do echo 0 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
}
# guest NAME N SOCKET MODE LAYOUT [MTU [plain]]
guest() {
    background "$1" ip netns exec "$(ns_name "$1")" "$vhost_tap" "$3" "$4" "$5" eth0 ${7:+"$7"}
    wait_until 5 in_ns "$1" test -e /sys/class/net/eth0
    address "$1" "$2" "${6:-1500}"
}

for host in v1 v2 v3 v4 h5 h6; do ns_six $host; done
ip link add "$(host_if h5)" type veth peer name eth0 netns "$(ns_name h5)"
on_exit link "$(host_if h5)"
ip link set "$(host_if h5)" up
address h5 5
host_make h7 10.0.0.7/24 02:00:00:00:00:07
sluice_config '"fail_mode": "standalone"' \
    "{ \"name\": \"v1\", \"ofport\": 1, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s1\" }" \
    "{ \"name\": \"v2\", \"ofport\": 2, \"type\": \"vhost-user\", \"mode\": \"client\", \"path\": \"$s2\", \"gro\": true }" \
    "{ \"name\": \"v3\", \"ofport\": 3, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s3\" }" \
    "{ \"name\": \"v4\", \"ofport\": 4, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s4\", \"offloads\": false }" \
    "$(system_json p5 5 h5)" "{ \"name\": \"p6\", \"ofport\": 6, \"type\": \"tap\", \"ifname\": \"$tap\" }" "$(port_json p7 7 h7)"
start_sluice
ip link set "$tap" netns "$(ns_name h6)" name eth0
address h6 6
guest v1 1 "$s1" server split
guest v2 2 "$s2" client packed
guest v3 3 "$s3" server split 1500 plain
guest v4 4 "$s4" server packed
for n in 2 3 4 5 6 7; do wait_until 10 ping_once v1 10.0.0.$n; done
wait_until 5 ping_once v1 fd00::2

step "between two guests segments stay whole, over IPv4 and IPv6"
before=$(received v2)
tcp v1 v2 10.0.0.2 50
after=$(received v2)
[ $((after - before)) -lt 15000 ] || fail "50 MB arrive in $((after - before)) packets: more than 3.5 kB would be too long for one segment"
tcp v2 v1 10.0.0.1
tcp v1 v2 fd00::2
tcp v2 v1 fd00::1

step "to and from a guest that wants none of it, one whose port offers none, a veth pair, a TAP and a device that takes none"
hosts=(v1 v2 v3 v4 h5 h6 h7)
# between PAIR...: FROM-TO each; all of them if MEGABYTES says how much
between() {
    local pairs=("$@") from to pair
    if [ -n "${MEGABYTES:-}" ]; then
        pairs=()
        for from in "${hosts[@]}"; do for to in "${hosts[@]}"; do [ "$from" = "$to" ] || pairs+=("$from-$to"); done; done
    fi
    for pair in "${pairs[@]}"; do tcp "${pair%-*}" "${pair#*-}" "10.0.0.${pair: -1}"; done
}
between v1-v3 v3-v1 v2-v4 v4-v2 v1-h5 h5-v1 v2-h6 h6-v2 v1-h7 h7-v2 v3-h5 h5-v3
tcp v1 h5 fd00::5
tcp h6 v2 fd00::2
assert_eq "$(dropped rx_offload tx_oversize no_mbuf action_malformed)" 0 "packets dropped"

step "what comes cut is merged for a guest whose port says so"
before=$(received v2)
tcp h7 v2 10.0.0.2 10
after=$(received v2)
[ $((after - before)) -lt 6000 ] || fail "10 MB arrive in $((after - before)) packets: cut, they are 7242"
echo "  10 MB arrived in $((after - before)) packets"

step "addresses and ports are rewritten on the way"
ofctl add-flow "priority=2,in_port=1,tcp,nw_dst=10.0.0.9,tp_dst=80,actions=dec_ttl,mod_nw_dst:10.0.0.2,mod_tp_dst:5001,mod_dl_dst:02:00:00:00:00:02,output:2"
ofctl add-flow "priority=2,in_port=2,tcp,nw_src=10.0.0.2,tp_src=5001,actions=dec_ttl,mod_nw_src:10.0.0.9,mod_tp_src:80,output:1"
in_ns v1 ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0
background receive-nat ip netns exec "$(ns_name v2)" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive 10.0.0.2
wait_until 5 grep -q ready "$TEST_DIR/receive-nat.log"
sent=$(in_ns v1 "$PYTHON" "$TEST_LIB/tcp_stream.py" send 10.0.0.9 10 80) || fail "tcp v1 -> 10.0.0.9"
wait_until 5 grep -q "$sent" "$TEST_DIR/receive-nat.log"

ofctl del-flows tcp

step "frames of 9 kB"
for port in v1 v2 v3 v4 p5 p6; do sed -i "s/\"name\": \"$port\",/\"name\": \"$port\", \"mtu\": 9000,/" "$TEST_DIR/sluice.json"; done
ctl reload >/dev/null
hosts=(v1 v2 v3 v4 h5 h6)
for host in "${hosts[@]}"; do in_ns $host ip link set eth0 mtu 9000; done
between v1-v2 v1-v3 v3-v1 v4-h5 h6-v4
assert_eq "$(dropped rx_offload tx_oversize no_mbuf action_malformed)" 0 "packets dropped"

stop_sluice
