#!/bin/bash
# The verbs of ovs-ofctl that must work unmodified, over OpenFlow 1.0, 1.3, 1.4 and 1.5, and the errors that they show.
# timeout: 300
. "$(dirname "$0")/lib/harness.sh"

port=$((20000 + $$ % 20000))
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config "\"fail_mode\": \"secure\", \"listen\": [\"ptcp:$port:127.0.0.1\"]" "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice

frame='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=5,dport=%s)/Raw(b"ofctl-verbs-test")'
send() { packets h1 "${frame/\%s/$1}" "${@:2}"; }

for OF in OpenFlow10 OpenFlow13 OpenFlow14 OpenFlow15; do
    export OF
    step "$OF: show"
    out=$(ofctl show)
    assert_contains "$out" 'dpid:0000000000000001' ' 1(p1): addr:' ' 2(p2): addr:' FLOW_STATS PORT_STATS
    assert_matches "$out" 'n_tables:25[0-9]'
    assert_contains "$out" 'OFPT_GET_CONFIG_REPLY' 'frags=normal'

    step "$OF: add-flow, dump-flows"
    ofctl del-flows
    assert_eq "$(flows_without_stats)" ""
    ofctl add-flow 'cookie=0x1234,table=0,priority=7,udp,in_port=1,nw_dst=10.0.0.0/24,tp_dst=80,idle_timeout=300,hard_timeout=600,actions=output:2'
    out=$(ofctl dump-flows --no-names)
    assert_contains "$out" 'cookie=0x1234' 'duration=' 'table=0' 'n_packets=0, n_bytes=0' 'idle_timeout=300, hard_timeout=600' \
        'priority=7,udp,in_port=1,nw_dst=10.0.0.0/24,tp_dst=80 actions=output:2'

    step "$OF: statistics of a rule"
    send 80 5 h2=same
    wait_until 3 rule_packets_are 5 'cookie=0x1234/-1'
    assert_contains "$(ofctl dump-flows)" 'n_packets=5, n_bytes=300'

    step "$OF: add-flows from a file, dump-aggregate, dump-flows by match"
    cat >"$TEST_DIR/flows" <<'FLOWS'
# comments and blank lines are the client's business

priority=10,in_port=1,udp,tp_dst=81 actions=output:2
priority=11,in_port=1,udp,tp_dst=82 actions=drop
priority=12,in_port=2,arp,arp_tpa=10.0.0.1 actions=output:1
priority=13,dl_vlan=9,dl_vlan_pcp=3,actions=strip_vlan,output:2
priority=14,in_port=1,icmp,icmp_type=8,icmp_code=0 actions=mod_nw_tos:32,output:2
priority=15,in_port=1,tcp,tp_src=0x1000/0xf000 actions=mod_dl_dst:02:00:00:00:00:ee,mod_nw_src:1.2.3.4,mod_tp_dst:99,output:2
priority=16,ipv6,nw_frag=later actions=drop
FLOWS
    if [ "$OF" != OpenFlow10 ]; then # say the same actions in their own way
        sed -i 's/strip_vlan/pop_vlan/; s/mod_nw_tos:32/set_field:8->ip_dscp/
            s/mod_dl_dst:\([^,]*\),mod_nw_src:\([^,]*\),mod_tp_dst:\([^,]*\)/set_field:\1->eth_dst,set_field:\2->ip_src,set_field:\3->tcp_dst/' "$TEST_DIR/flows"
    fi
    ofctl add-flows "$TEST_DIR/flows"
    assert_matches "$(ofctl dump-aggregate)" 'flow_count=8'
    assert_matches "$(ofctl dump-aggregate in_port=1)" 'packet_count=5 byte_count=300 flow_count=5'
    assert_eq "$(ofctl dump-flows --no-names udp,in_port=1 | grep -c actions=)" 3 "rules within udp,in_port=1"
    { cat "$TEST_DIR/flows"; echo 'cookie=0x1234,priority=7,udp,in_port=1,nw_dst=10.0.0.0/24,tp_dst=80,idle_timeout=300,hard_timeout=600,actions=output:2'; } >"$TEST_DIR/all"
    assert_eq "$(ofctl diff-flows "$TEST_DIR/all" || true)" "" "diff-flows"

    step "$OF: mod-flows, loose and strict"
    ofctl mod-flows 'udp,tp_dst=82,actions=output:2'
    send 82 2 h2=same
    ofctl --strict mod-flows 'priority=10,in_port=1,udp,tp_dst=81,actions=drop'
    send 81 2 h2=none
    assert_matches "$(flows_without_stats)" 'priority=10,udp,in_port=1,tp_dst=81 actions=drop'

    step "$OF: add-flow of the same match replaces; counters start anew as the version says"
    ofctl add-flow priority=11,in_port=1,udp,tp_dst=82,actions=in_port
    if [ "$OF" != OpenFlow10 ]; then # 1.3.5, 6.4: kept, unless OFPFF_RESET_COUNTS
        assert_contains "$(ofctl dump-flows udp,tp_dst=82)" 'n_packets=2'
        ofctl add-flow priority=11,reset_counts,in_port=1,udp,tp_dst=82,actions=in_port
    fi
    assert_contains "$(ofctl dump-flows udp,tp_dst=82)" 'n_packets=0'
    send 82 1 h1=same h2=none
    ofctl mod-flows udp,tp_dst=82,actions=output:2

    step "$OF: del-flows, strict and loose, by output port and by cookie"
    ofctl --strict del-flows priority=9,in_port=1,udp,tp_dst=82
    ofctl --strict del-flows priority=11,in_port=1,udp,tp_dst=82
    assert_matches "$(ofctl dump-aggregate)" 'flow_count=7'
    send 82 2 h2=none
    ofctl del-flows out_port=1
    assert_matches "$(ofctl dump-aggregate)" 'flow_count=6'
    ofctl del-flows cookie=0x1234/-1
    assert_matches "$(ofctl dump-aggregate)" 'flow_count=5'
    ofctl del-flows udp
    ofctl del-flows
    assert_matches "$(ofctl dump-aggregate)" 'flow_count=0'

    step "$OF: dump-tables, dump-ports, dump-ports-desc"
    ofctl add-flow in_port=1,actions=output:2
    before=$(ofctl dump-ports 2 | sed -n 's/.*tx pkts=\([0-9]*\).*/\1/p')
    send 7 9 h2=same
    after=$(ofctl dump-ports 2 | sed -n 's/.*tx pkts=\([0-9]*\).*/\1/p')
    [ $((after - before)) -ge 9 ] || fail "port 2 counted $((after - before)) packets sent, not 9"
    out=$(ofctl dump-ports)
    assert_matches "$out" 'port +"?p?1"?: +rx pkts=[0-9]+, bytes=[0-9]+, drop=[0-9]+, errs=[0-9]+'
    assert_contains "$(ofctl dump-ports-desc)" ' 1(p1): addr:' ' 2(p2): addr:' 'speed:'
    out=$(ofctl dump-tables)
    assert_contains "$out" 'table 0' 'active=1,'
    assert_matches "$out" 'lookup=[0-9]+, matched=[0-9]+'

    step "$OF: mod-port"
    ofctl mod-port p2 down
    assert_contains "$(ofctl dump-ports-desc)" 'PORT_DOWN'
    send 7 2 h2=none
    ofctl mod-port p2 up
    send 7 2 h2=same

    step "$OF: packet-out"
    capture h2
    ofctl packet-out 'in_port=controller,packet=0200000000020200000000010800450000200001000040116cca0a0000010a0000020005000900040000aabbccdd,actions=mod_dl_src:02:00:00:00:00:cc,output:2'
    wait_until 3 captured h2 '02:00:00:00:00:cc > 02:00:00:00:00:02'
    ofctl packet-out 'in_port=1,packet=0200000000020200000000030800450000200001000040116cca0a0000010a0000020005000900040000aabbccdd,actions=table'
    wait_until 3 captured h2 '02:00:00:00:00:03 > 02:00:00:00:00:02'
    end_pid "$PID"

    step "$OF: monitor: packet-in, flow-removed, port-status"
    ofctl del-flows
    ofctl add-flow 'in_port=1,udp,tp_dst=70,actions=controller:64'
    background "monitor-$OF" ovs-ofctl -O "$OF" --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT" 65534
    monitor=$PID
    monitored() { grep -qE -- "$1" "$TEST_DIR/monitor-$OF.log"; }
    wait_until 5 ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/barrier
    ofctl add-flow 'cookie=0x77,in_port=1,udp,tp_dst=71,send_flow_rem,idle_timeout=1,actions=drop'
    send 70 2 h2=none
    wait_until 3 monitored 'PACKET_IN.*'
    wait_until 3 monitored 'in_port=1 .*\(via action\)'
    wait_until 3 monitored 'udp,.*dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2.*tp_src=5,tp_dst=70'
    wait_until 6 monitored 'FLOW_REMOVED.*tp_dst=71 reason=idle.*cookie:?=?0x77'
    ofctl add-flow 'cookie=0x78,in_port=1,udp,tp_dst=72,send_flow_rem,hard_timeout=1,actions=drop'
    wait_until 6 monitored 'FLOW_REMOVED.*tp_dst=72 reason=hard.*cookie:?=?0x78'
    ofctl add-flow 'cookie=0x79,in_port=1,udp,tp_dst=73,send_flow_rem,actions=drop'
    ofctl del-flows udp,tp_dst=73
    wait_until 3 monitored 'FLOW_REMOVED.*tp_dst=73 reason=delete.*cookie:?=?0x79'
    ofctl mod-port p2 down
    ofctl mod-port p2 up
    wait_until 3 monitored 'PORT_STATUS'
    end_pid "$monitor"
    ofctl del-flows

    if [ "$OF" = OpenFlow13 ]; then
        step "errors; bundles, committed and refused as a whole"
        assert_fails ofctl add-flow in_port=1,actions=group:4711
        assert_contains "$OUTPUT" OFPT_ERROR OFPBAC_BAD_OUT_GROUP
        OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/flows"
        assert_matches "$(ofctl dump-aggregate)" 'flow_count=7'
        printf 'delete udp\nadd priority=99,in_port=1,actions=output:2\nadd priority=98,in_port=1,actions=group:4711\n' >"$TEST_DIR/bad"
        assert_fails env OF=OpenFlow14 ovs-ofctl -O OpenFlow14 --bundle add-flows "$MGMT" "$TEST_DIR/bad"
        assert_matches "$(ofctl dump-aggregate)" 'flow_count=7'
        ofctl del-flows
    fi

done
unset OF

step "check_overlap is refused (OpenFlow 1.0, 4.6)"
ofctl add-flow priority=5,in_port=1,actions=drop
assert_fails ovs-ofctl add-flow "$MGMT" check_overlap,priority=5,udp,actions=drop
assert_contains "$OUTPUT" OFPFMFC_OVERLAP
is_ovs || assert_fails ovs-ofctl add-flow "$MGMT" check_overlap,priority=5,in_port=1,actions=drop
ofctl del-flows

step "two versions see the same rules; the TCP listener serves as well"
OF=OpenFlow13 ofctl add-flow 'table=3,priority=5,ip,metadata=0x5,actions=set_field:02:00:00:00:00:99->eth_dst,output:2'
assert_contains "$(OF=OpenFlow13 ofctl dump-flows --no-names)" 'table=3' 'priority=5,ip,metadata=0x5 actions=set_field:02:00:00:00:00:99->eth_dst,output:2'
assert_contains "$(ofctl dump-flows --no-names)" 'table=3' 'metadata=0x5 actions=mod_dl_dst:02:00:00:00:00:99,output:2'
assert_contains "$(ovs-ofctl -O OpenFlow13 dump-flows tcp:127.0.0.1:$port)" 'metadata=0x5'

step "probes and barriers"
assert_matches "$(ofctl probe 2>&1; echo "status $?")" 'status 0'
assert_matches "$(ovs-ofctl ping "$MGMT" 100 2>&1 | head -3)" 'bytes from'

stop_sluice
