#!/bin/bash
# A million rules over 250 tables or in one, flows that keep missing, and long requests: dumps of rules and megaflows, modifies and deletes
# hold nothing up for more than 10 ms.
# timeout: 600
. "$(dirname "$0")/lib/harness.sh"

export OFCTL_TIMEOUT=200
RULES=${RULES:-1000000}
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice

"$PYTHON" - "$RULES" >"$TEST_DIR/rules" <<'PYTHON'
import sys
n = int(sys.argv[1])
for i in range(n):
    print("table=%d,cookie=%d,priority=100,udp,nw_dst=64.%d.%d.%d,actions=output:2" % (
        i * 250 // n, i % 1000, i >> 16, i >> 8 & 255, i & 255))
print("table=0,priority=1,udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2")
PYTHON

many_megaflows() { [ "$(flows_number megaflows)" -ge 1000 ]; }
of14() { OF=OpenFlow14 ofctl "$@"; }
flow_count() { # COUNT [TABLE]
    assert_eq "$(of14 dump-aggregate ${2:+"$2"} | grep -o 'flow_count=[0-9]*')" "flow_count=$1"
}

step "load"
load() { of14 --bundle add-flows "$TEST_DIR/rules"; }
delete_all() { of14 del-flows; }
short_turns "bundle of $RULES rules" load delete_all

step "megaflows, more of them all the time"
cat >"$TEST_DIR/misses.py" <<'PYTHON'
import os, struct, time
from packet import Host
host, end = Host("h1"), time.monotonic() + 150
head = bytes.fromhex("020000000002020000000001080045000030000000004011") + b"\x66\xba" + bytes([10, 0, 0, 1, 10, 0, 0, 2])
port = 0
while time.monotonic() < end and os.getppid() != 1:
    for _ in range(20):
        port = (port + 1) % 60000
        host.send(head + struct.pack("!HHHH", 1, port, 28, 0) + bytes(20))
    time.sleep(0.005)
PYTHON
background misses env TEST_ID="$TEST_ID" "$PYTHON" "$TEST_DIR/misses.py"
misses_pid=$PID
wait_until 20 many_megaflows

step "ovs-ofctl dump-flows, dump-aggregate"
dump() { assert_eq "$(of14 dump-flows | grep -c nw_dst=64)" "$RULES" "rules in the dump"; }
short_turns dump-flows dump
aggregate() { flow_count $((RULES / 1000)) cookie=5/-1; }
short_turns dump-aggregate aggregate

step "dpctl/dump-flows"
dump_megaflows() {
    [ "$(ctl dpctl/dump-flows | grep -c '^recirc_id')" -ge 500 ] || fail "megaflows are missing in the dump"
    ctl --json dpctl/dump-flows br0 | "$PYTHON" -c 'import json,sys; sys.exit(len(json.load(sys.stdin)) < 500)'
}
short_turns dpctl/dump-flows dump_megaflows

step "modify all, by itself and in a bundle"
modify_to_1() { of14 mod-flows udp,nw_dst=64.0.0.0/8,actions=output:1; }
echo 'modify udp,nw_dst=64.0.0.0/8,actions=output:2' >"$TEST_DIR/modify"
modify_to_2() { of14 --bundle add-flows "$TEST_DIR/modify"; }
short_turns "modify of all" modify_to_1 modify_to_2
short_turns "modify of all in a bundle" modify_to_2 modify_to_1

step "delete by cookie, delete all"
delete_cookie() {
    of14 del-flows cookie=7/-1
    flow_count $((RULES - RULES / 1000 + 1))
}
short_turns "delete by cookie" delete_cookie load
delete_udp() {
    of14 del-flows udp,nw_dst=64.0.0.0/8
    flow_count 1
}
short_turns "delete of all" delete_udp load

step "all in one table, of one mask"
sed 's/^table=[0-9]*,cookie=[0-9]*/table=1,cookie=0x77/; /^table=0,priority=1/d' "$TEST_DIR/rules" >"$TEST_DIR/one_table"
load_again() { of14 --bundle add-flows "$TEST_DIR/one_table"; }
load_table() {
    load_again
    flow_count "$RULES" table=1
}
delete_table() { of14 del-flows table=1; }
short_turns "bundle of $RULES rules of one mask" load_table delete_table
no_overlap() {
    of14 add-flow check_overlap,table=1,priority=100,tcp,nw_src=10.9.9.9,actions=drop
    OF=OpenFlow14 assert_fails ofctl add-flow check_overlap,table=1,priority=100,ip,nw_src=10.9.9.9,actions=drop
}
delete_tcp() { of14 del-flows table=1,tcp; }
short_turns "add of a rule that is to overlap with none" no_overlap delete_tcp
modify_table() { of14 mod-flows table=1,udp,actions=output:1; }
short_turns "modify of every rule" modify_table
delete_learned() {
    of14 add-flow "table=0,priority=9,in_port=77,actions=learn(delete_learned,table=1,cookie=0x77,NXM_OF_ETH_SRC[])"
    of14 del-flows table=0,in_port=77
    flow_count 1 table=1
}
short_turns "every rule was learned, and what taught it is gone" delete_learned load_again
delete_every() {
    of14 del-flows
    flow_count 0
}
load_again
short_turns "delete of every rule" delete_every load_again

kill "$misses_pid"
stop_sluice
