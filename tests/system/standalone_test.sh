#!/bin/bash
# fail_mode standalone without a controller: a learning switch; MACs learned, moved, shown and not flooded once known.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
host_make h3 10.0.0.3/24 02:00:00:00:00:03
tap=${TEST_ID}t
sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)" "$(port_json p3 3 h3)" \
    "{ \"name\": \"$tap\", \"ofport\": 4, \"type\": \"tap\", \"ifname\": \"$tap\" }"
on_exit link "$tap"
start_sluice

frame() { echo "Ether(src=\"$1\",dst=\"$2\",type=0x88b5)/Raw(b\"standalone-test-payload\")"; }

step "an unknown destination is flooded"
packets h1 "$(frame 02:00:00:00:00:01 02:00:00:00:00:66)" 3 h2=same h3=same h1=none

step "hosts ping without any rule"
ping_ok h1 10.0.0.2
ping_ok h2 10.0.0.3
ping_ok h3 10.0.0.1
is_ovs || assert_contains "$(ctl bridges)" "acting as a learning switch"

step "fdb/show lists them"
table=$(ctl fdb/show br0)
assert_matches "$table" '^ *port +VLAN +MAC +Age'
for i in 1 2 3; do assert_matches "$table" "^ *$i +0 +02:00:00:00:00:0$i +[0-9]+"; done

step "a known destination is not flooded"
packets h1 "$(frame 02:00:00:00:00:01 02:00:00:00:00:02)" 5 h2=same h3=none

step "a station that moves is followed, within a second"
packets h1 "$(frame 02:00:00:00:00:77 ff:ff:ff:ff:ff:ff)" 1 h2=same h3=same
sleep 1
packets h2 "$(frame 02:00:00:00:00:02 02:00:00:00:00:77)" 3 h1=same h3=none
packets h3 "$(frame 02:00:00:00:00:77 ff:ff:ff:ff:ff:ff)" 1 h1=same h2=same
sleep 1
packets h2 "$(frame 02:00:00:00:00:02 02:00:00:00:00:77)" 3 h3=same h1=none

step "VLANs are learned apart"
tagged='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/Dot1Q(vlan=5,type=0x88b5)/Raw(b"standalone-test-payload")'
packets h1 "$tagged" 2 h2=same h3=same
assert_matches "$(ctl fdb/show br0)" '^ *1 +5 +02:00:00:00:00:01'

step "a table that is flushed is learned again"
ctl fdb/flush br0 >/dev/null
packets h2 "$(frame 02:00:00:00:00:02 02:00:00:00:00:77)" 2 h1=same h3=same # a station of which no kernel speaks

is_ovs || {
    step "what a TAP that went down does not take has the right name from the first packet on"
    packets h1 "$(frame 02:00:00:00:00:01 ff:ff:ff:ff:ff:ff)" 1 h2=same h3=same
    ip link set "$tap" down
    packets h1 "$(frame 02:00:00:00:00:01 ff:ff:ff:ff:ff:ff)" 5 h2=same h3=same
    assert_matches "$(ctl ports "$tap")" 'drop tx_port_down ([5-9]|[1-9][0-9])'
    assert_lacks "$(ctl ports "$tap")" tx_queue_full
    assert_contains "$(ctl ports "$tap")" ' down,'
}

step "the rule that does it is one as any other: it is dumped, replaced and deleted"
assert_matches "$(ofctl dump-flows)" 'priority=0 actions=NORMAL'
ofctl add-flow priority=0,actions=drop
packets h1 "$(frame 02:00:00:00:00:01 ff:ff:ff:ff:ff:ff)" 3 h2=none h3=none
ofctl add-flow priority=0,actions=NORMAL
packets h1 "$(frame 02:00:00:00:00:01 ff:ff:ff:ff:ff:ff)" 3 h2=same h3=same
ofctl del-flows
assert_lacks "$(ofctl dump-flows)" actions=
packets h1 "$(frame 02:00:00:00:00:01 ff:ff:ff:ff:ff:ff)" 3 h2=none h3=none

stop_sluice
