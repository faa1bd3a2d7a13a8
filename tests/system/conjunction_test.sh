#!/bin/bash
# Conjunctive matches over OpenFlow 1.0 and 1.3: packets at the far end, dumps, changes, refusals.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
host_make h3 10.0.0.3/24 02:00:00:00:00:03
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)" "$(port_json p3 3 h3)"
start_sluice

# udp SOURCE DESTINATION PORT
udp() { echo "Ether(src=\"02:00:00:00:00:01\",dst=\"02:00:00:00:00:dd\")/IP(src=\"$1\",dst=\"$2\")/UDP(sport=1000,dport=$3)/Raw(b\"conjunctive-match-test\")"; }

for OF in OpenFlow10 OpenFlow13; do
    export OF
    step "$OF: one of each set, or the weaker rule"
    ofctl del-flows
    cat >"$TEST_DIR/flows" <<'FLOWS'
priority=50,in_port=1,actions=output:3
priority=60,conj_id=1234,in_port=1,actions=output:2
priority=100,ip,nw_src=10.1.0.0/16,actions=conjunction(1234,1/3)
priority=100,ip,nw_src=10.2.0.1,actions=conjunction(1234,1/3)
priority=100,ip,nw_dst=10.0.0.7,actions=conjunction(1234,2/3),note:01.02.03.04.05.06
priority=100,udp,tp_dst=80,actions=conjunction(1234,3/3)
priority=100,udp,tp_dst=0x100/0xff00,actions=conjunction(1234,3/3),conjunction(5,1/2)
FLOWS
    ofctl add-flows "$TEST_DIR/flows"
    assert_eq "$(flows_without_stats | sort | tr -d '\n')" "$(sed 's/,actions/ actions/' "$TEST_DIR/flows" | sort | sed 's/^/ /; s/^ //' | tr -d '\n')"
    packets h1 "$(udp 10.1.2.3 10.0.0.7 80)" 3 h2=same h3=none
    packets h1 "$(udp 10.2.0.1 10.0.0.7 257)" 2 h2=same h3=none
    packets h1 "$(udp 10.2.0.2 10.0.0.7 80)" 1 h3=same h2=none
    packets h1 "$(udp 10.1.2.3 10.0.0.8 80)" 1 h3=same h2=none
    packets h1 "$(udp 10.1.2.3 10.0.0.7 81)" 1 h3=same h2=none

    step "$OF: the id's rule counts packets, the clauses do not"
    wait_until 3 rule_packets_are 5 conj_id=1234
    assert_eq "$(rule_packets ip)" 0 "packets of clauses"

    step "$OF: clauses that go and come"
    ofctl --strict del-flows priority=100,udp,tp_dst=80
    packets h1 "$(udp 10.1.2.3 10.0.0.7 80)" 2 h3=same h2=none
    ofctl add-flow 'priority=100,udp,actions=conjunction(1234,3/3)'
    packets h1 "$(udp 10.1.2.3 10.0.0.7 80)" 2 h2=same h3=none
    ofctl --strict mod-flows 'priority=100,ip,nw_src=10.1.0.0/16,actions=conjunction(99,1/3)'
    packets h1 "$(udp 10.1.2.3 10.0.0.7 80)" 2 h3=same h2=none
done

step "a megaflow looks at no more than the clauses"
ofctl del-flows
ofctl add-flows "$TEST_DIR/flows"
for host in 1 2 3 4 5 6; do packets h1 "$(udp 10.1.0.$host 10.0.0.7 80)" 1 h2=same; done
assert_eq "$(appctl dpctl/dump-flows | grep -c 'src=10.1.0.0/[^,]*,dst=10.0.0.7[,)]')" 1 "megaflows"
assert_contains "$(appctl ofproto/trace br0 in_port=1,udp,nw_src=10.1.0.9,nw_dst=10.0.0.7,tp_dst=80)" \
    'conj_id=1234' 'by clauses of priority 100'

if ! is_ovs; then
    step "refused: other actions beside"
    assert_fails ofctl add-flow 'ip,actions=conjunction(1,1/2),output:1'
    # ovs-ofctl refuses it before the switch can
    assert_contains "$OUTPUT" conjunction
    assert_eq "$(ofctl dump-flows ip,nw_src=1.1.1.1 | grep -c actions || true)" 0
fi

stop_sluice
