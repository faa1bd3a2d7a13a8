#!/bin/bash
# Two bridges joined by patch ports: packets, rules, addresses, counters and traces go through; loops end; peers come and go.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such file"; exit 0; }

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
patch() { echo "{ \"name\": \"$1\", \"ofport\": $2, \"type\": \"patch\", \"peer\": \"$3\" }"; }
# configure PORTS_OF_BR1: br0 with h1 and a patch port, and br1
configure() {
    sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$(patch pa 10 pb)" ${LOOP:+"$(patch pc 11 pd)"}
    sed -i "s|\"bridges\": \[ {|\"bridges\": [ { \"name\": \"br1\", \"fail_mode\": \"standalone\", \"ports\": [ $* ] }, {|" "$TEST_DIR/sluice.json"
}
br1() { ovs-ofctl -t 10 "$1" "unix:$RUN_DIR/br1.mgmt" "${@:2}"; }
p2=$(port_json p2 1 h2)

configure "$p2, $(patch pb 20 pa)"
start_sluice
step "NORMAL on both sides"
wait_until 5 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2
assert_matches "$(ctl fdb/show br1)" '^ +20 +0 +02:00:00:00:00:01'
assert_matches "$(ctl fdb/show br0)" '^ +10 +0 +02:00:00:00:00:02'
assert_contains "$(ctl ofproto/trace br0 in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02)" 'bridge("br0")' 'bridge("br1")'

step "a rule of the second bridge, from its barrier on"
br1 add-flow priority=9,icmp,actions=drop
ping_none h1 10.0.0.2
br1 del-flows icmp
ping_ok h1 10.0.0.2

step "counters of the patch ports"
counted() { br1 dump-ports pb | grep -q 'rx pkts=[1-9]' && ofctl dump-ports pa | grep -q 'tx pkts=[1-9]'; }
wait_until 5 counted

step "the peer goes and comes back"
configure "$p2"
ctl reload >/dev/null
assert_contains "$(ctl ports pa)" "error peer not found"
ping_none h1 10.0.0.2
assert_matches "$(ctl drops)" patch_no_peer
configure "$p2, $(patch pb 20 pa)"
ctl reload >/dev/null
wait_until 5 ping_once h1 10.0.0.2

step "a loop ends, and is named"
LOOP=1 configure "$p2, $(patch pb 20 pa), $(patch pd 21 pc)"
ctl reload >/dev/null
for bridge in br0 br1; do ovs-ofctl add-flow "unix:$RUN_DIR/$bridge.mgmt" actions=FLOOD; done
ping_none h1 10.0.0.2
assert_matches "$(ctl drops)" patch_loop
stop_sluice
