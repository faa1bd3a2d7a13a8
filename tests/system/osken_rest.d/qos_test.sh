# rest_qos and rest_conf_switch: rules that mark, meter and set queues in table 0, in front of a switch in table 1.
# shellcheck shell=bash
s1=0000000000000001

if has rest_qos && has rest_conf_switch && [[ " $versions " == *" 13 "* ]]; then
    step "rest_qos, OpenFlow 13"
    no_addresses
    address h1 10.0.0.1/24
    address h4 10.0.0.4/24
    manager 13 os_ken.app.rest_qos os_ken.app.rest_conf_switch
    wait_until 20 logged 'Join qos switch' 3
    ping_none h1 10.0.0.4
    ofctl add-flow table=1,actions=normal
    ping_ok h1 10.0.0.4

    step "  marks"
    udp='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:04")/IP(src="10.0.0.1",dst="10.0.0.4",tos=TOS)/UDP(sport=1000,dport=5002)/Raw(b"x"*30)'
    ok POST /qos/rules/$s1 '{"priority": "3", "match": {"nw_dst": "10.0.0.4", "nw_proto": "UDP", "tp_dst": "5002"}, "actions": {"mark": "26", "queue": "1"}}' 'QoS added. : qos_id=1'
    packets h1 "${udp/TOS/0}" 1 "h4=${udp/TOS/26 << 2}"
    ok GET /qos/rules/$s1 '' '"mark": "26"' '"queue": "1"' '"nw_proto": "UDP"' '"tp_dst": 5002' '"qos_id": 1' '"priority": 3'

    step "  meters"
    ok POST /qos/meter/$s1 '{"meter_id": "1", "flags": "PKTPS", "bands": [{"type": "DROP", "rate": "1", "burst_size": "1"}]}' 'Meter added. : Meter ID=1'
    ok POST /qos/rules/$s1 '{"priority": "9", "match": {"nw_proto": "ICMP"}, "actions": {"meter": "1"}}' 'QoS added. : qos_id=2'
    in_ns h1 ping -q -n -c 20 -i 0.01 -W 1 10.0.0.4 >"$TEST_DIR/ping.out" || true
    lost=$(sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p' "$TEST_DIR/ping.out")
    [ "$lost" -ge 50 ] || fail "the meter let all but $lost % pass"
    ok GET /qos/meter/$s1 '' '"meter_id": 1' '"flow_count": 1'
    assert_matches "$REPLY" '"band_stats": \[\{"packet_band_count": [1-9]'
    ok DELETE /qos/rules/$s1 '{"qos_id": "2"}' 'deleted. : QoS ID=2'
    ping_ok h1 10.0.0.4
    ok DELETE /qos/meter/$s1 '{"meter_id": "1"}' 'Meter deleted. : Meter ID=1'

    # Behind all deletions, which the application cannot do any more then: it changes its list of VLANs while it walks it.
    step "  rules of a VLAN"
    ok POST /qos/rules/$s1/7 '{"match": {"ip_dscp": "26"}, "actions": {"queue": "2"}}' '"vlan_id": 7'
    ok GET /qos/rules/$s1/all '' '"ip_dscp": 26' '"queue": "2"'
    refused 400 POST /qos/rules/$s1 '{"match": {"dl_type": "ARP", "ip_dscp": "26"}}'

    step "  queues, of which there are none"
    ok GET /qos/queue/status/$s1 '' '"1": []'
    ok GET /qos/queue/$s1 '' 'Queue is not exists'
    ok POST /qos/queue/$s1 '{"port_name": "p1", "queues": [{"max_rate": "500000"}]}' 'ovs_bridge is not exists'
    ok DELETE /qos/queue/$s1 '' failure

    step "  rest_conf_switch"
    rest PUT /v1.0/conf/switches/$s1/colour '"blue"'
    assert_eq "$STATUS" 201 "status"
    ok GET /v1.0/conf/switches/$s1/colour '' blue
    ok GET /v1.0/conf/switches '' $s1
    ok DELETE /v1.0/conf/switches/$s1/colour
    refused 404 GET /v1.0/conf/switches/$s1/colour
    end_manager
fi
