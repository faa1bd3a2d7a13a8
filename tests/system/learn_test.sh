#!/bin/bash
# The learn action: MAC learning in tables, limits, delete_learned, timeouts, flow_removed, with real packets.
# timeout: 360
. "$(dirname "$0")/lib/harness.sh"

# Without IP addresses the hosts' kernels say nothing, so that nothing but the test's packets is learned.
host_make h1 '' 02:00:00:00:00:01
host_make h2 '' 02:00:00:00:00:02
host_make h3 '' 02:00:00:00:00:03
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)" "$(port_json p3 3 h3)"
start_sluice

# frame FROM TO: the last bytes of the Ethernet addresses
frame() { echo "Ether(src=\"02:00:00:00:00:$1\",dst=\"02:00:00:00:00:$2\")/IP(src=\"10.0.0.1\",dst=\"10.0.0.2\")/UDP(sport=1000,dport=9)/Raw(b\"the-learn-action-test\")"; }
learned() { ofctl dump-flows --no-stats --no-names table=10 | grep -c 'actions=load' || true; }
learned_is() { [ "$(learned)" = "$1" ]; }

# learning_switch TIMEOUT
learning_switch() {
    ofctl del-flows
    ofctl add-flow "table=0,actions=learn(table=10,hard_timeout=$1,priority=500,cookie=0x77,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]),resubmit(,10),resubmit(,20)"
    ofctl add-flow 'table=20,priority=1,reg0=0,actions=flood'
    ofctl add-flow 'table=20,priority=0,actions=output:NXM_NX_REG0[0..15]'
}

# What megaflows take that are there already, from the version before, teaches with the next pass over the counters.
learned_at() { ofctl dump-flows --no-stats --no-names "table=10,dl_dst=02:00:00:00:00:$1" | grep -q "actions=load:0x$2->"; }

for OF in OpenFlow10 OpenFlow13; do
    export OF
    step "$OF: a switch that learns by rules"
    learning_switch 600
    packets h1 "$(frame 01 02)" 1 h2=same h3=same
    wait_until 3 learned_at 01 1
    packets h2 "$(frame 02 01)" 3 h1=same h3=none
    wait_until 3 learned_at 02 2
    packets h1 "$(frame 01 02)" 3 h2=same h3=none
    out=$(ofctl dump-flows --no-stats --no-names table=10)
    for host in 1 2; do
        assert_contains "$out" "cookie=0x77, table=10, hard_timeout=600, priority=500,vlan_tci=0x0000/0x0fff,dl_dst=02:00:00:00:00:0$host actions=load:0x$host->NXM_NX_REG0[0..15]"
    done

    step "$OF: a host that moves is found where it is"
    wait_until 3 rule_packets_are 7 table=0 # what the host said before does not count once more
    packets h3 "$(frame 02 01)" 1 h1=same
    wait_until 3 learned_at 02 3
    packets h1 "$(frame 01 02)" 1 h3=same h2=none
done

step "packets that megaflows take keep what was learned; without them it goes"
learning_switch 6
background talk env TEST_ID="$TEST_ID" "$PYTHON" -c '
import time
from packet import Host
hosts = Host("h1"), Host("h2")
addresses = [bytes.fromhex("0200000000%02x" % i) for i in (1, 2)]
while True:
    for host, source, destination in zip(hosts, addresses, addresses[::-1]):
        host.send(destination + source + b"\x88\xb5" + bytes(46))
    time.sleep(0.1)'
talk=$PID
wait_until 5 learned_is 2
end=$((SECONDS + 9))
while [ "$SECONDS" -lt "$end" ]; do
    assert_eq "$(learned)" 2 "rules, while there are packets"
    sleep 0.3
done
[ "$(rule_packets table=20,reg0=0)" -lt 10 ] || fail "packets were flooded: $(ofctl dump-flows table=20)"
end_pid "$talk"
wait_until 20 learned_is 0
packets h2 "$(frame 02 01)" 1 h1=same h3=same

step "trace teaches nothing unless it is told to"
learning_switch 600
out=$(appctl ofproto/trace br0 in_port=1,dl_src=02:00:00:00:00:aa,dl_dst=02:00:00:00:00:02)
assert_contains "$out" 'learn(table=10' '-> table=10 priority=500 '
assert_eq "$(learned)" 0
appctl ofproto/trace br0 in_port=1,dl_src=02:00:00:00:00:aa,dl_dst=02:00:00:00:00:02 -generate >/dev/null
assert_eq "$(learned)" 1

step "limit and result_dst; delete_learned; send_flow_rem"
ofctl del-flows
ofctl add-flow 'in_port=1,actions=learn(table=10,cookie=5,limit=2,result_dst=NXM_NX_REG1[0],delete_learned,send_flow_rem,NXM_OF_ETH_SRC[],load:1->NXM_NX_REG0[]),resubmit(,1)'
ofctl add-flow table=1,reg1=1,actions=output:2
ofctl add-flow table=1,reg1=0,actions=output:3
assert_contains "$(ofctl dump-flows --no-names)" 'limit=2,result_dst=NXM_NX_REG1[0]' delete_learned,cookie=0x5
packets h1 "$(frame a1 02)" 1 h2=same h3=none
packets h1 "$(frame a2 02)" 2 h2=same h3=none
packets h1 "$(frame a3 02)" 2 h3=same h2=none
assert_eq "$(learned)" 2
background monitor ovs-ofctl -O OpenFlow13 --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT" 65534
wait_until 5 ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/barrier
ofctl del-flows in_port=1
assert_eq "$(learned)" 0
wait_until 3 grep -q 'FLOW_REMOVED.*reason=delete.*cookie:0x5' "$TEST_DIR/monitor.log"

step "refused: prerequisites of the rule to be learned"
assert_fails ofctl add-flow 'udp,actions=learn(dl_type=0x800,udp_dst=udp_src)'

stop_sluice
