# ofctl_rest: every route, over each version. What a version does not have the application refuses with 501.
# shellcheck shell=bash
rules() { ovs-ofctl -O OpenFlow15 dump-flows --no-names --no-stats "$MGMT" "$@" | grep -v '^OFPST' || true; }
# wait_rules TEXT [MATCH]: rules come and go behind the answer of the application, which does not wait for a barrier
has_rules() { [[ $(rules "${@:2}") == *"$1"* ]]; }
no_rules() { [ -z "$(rules "$@")" ]; }
has_group() { [[ $(OF=OpenFlow15 ofctl dump-groups) == *"$1"* ]]; }
no_group() { ! has_group "$1"; }
has_meter() { [[ $(OF=OpenFlow15 ofctl dump-meters) == *"$1"* ]]; }
no_meter() { ! has_meter "$1"; }

for version in 10 13 14 15; do
    [[ " $versions " == *" $version "* ]] || continue
    step "ofctl_rest, OpenFlow $version"
    no_addresses
    address h1 10.0.0.1/24
    address h4 10.0.0.4/24
    manager "$version" os_ken.app.ofctl_rest
    wait_until 20 web_has /stats/switches 1
    wait_until 20 web_has /stats/switches 3

    step "  what the switch is"
    ok GET /stats/switches ''
    for n in 1 2 3; do assert_matches "$REPLY" "[[, ]$n[],]"; done
    ok GET /stats/desc/1 '' '"mfr_desc": "' '"hw_desc"' '"sw_desc"' '"serial_num"' '"dp_desc"' Sluice
    ok GET /stats/desc/2 '' '"2": '
    refused 404 GET /stats/desc/99
    refused 400 GET /stats/desc/none
    ok GET /stats/table/1 '' '"table_id": 0' '"active_count": 0' '"lookup_count"' '"matched_count"'
    for route in port/1 port/1/ALL; do
        ok GET /stats/$route '' '"port_no": 1' '"port_no": 4' '"rx_packets"' '"tx_bytes"' '"rx_dropped"' '"collisions"'
    done
    ok GET /stats/port/1/4 '' '"port_no": 4'
    assert_lacks "$REPLY" '"port_no": 1,'
    ok GET /stats/portdesc/1 '' '"name": "p1"' '"name": "p4"' '"hw_addr"' '"port_no": 1' '"config": 0'
    ok GET /stats/portdesc/1/4 '' '"name": "p4"'
    [ "$version" != 15 ] || assert_lacks "$REPLY" '"name": "p1"'
    for route in queue/1 queue/1/ALL queue/1/1 queue/1/ALL/ALL queue/1/1/ALL; do ok GET /stats/$route '' '"1": []'; done
    rest GET /stats/queue/1/1/5
    assert_eq "$STATUS" 200 status
    if [ "$version" = 10 ]; then
        for route in tablefeatures queueconfig queuedesc meterfeatures meterconfig meterdesc meter groupfeatures groupdesc group role; do
            refused 501 GET /stats/$route/1
        done
    else
        ok GET /stats/tablefeatures/1 '' '"table_id": 0' '"table_id": 253' '"table_id": "MAX"' '"max_entries"' '"type": "INSTRUCTIONS"' '"type": "MATCH"'
        ok GET /stats/meterfeatures/1 '' '"max_meter"' '"band_types"' DROP DSCP_REMARK KBPS '"max_bands"'
        ok GET /stats/groupfeatures/1 '' '"types"' ALL SELECT INDIRECT FF '"max_groups"' '"actions"' GROUP SET_FIELD
        ok GET /stats/role/1 '' '"role": "EQUAL"'
    fi
    case $version in
        13)
            for route in queueconfig/1 queueconfig/1/ALL queueconfig/1/1; do ok GET /stats/$route '' '"queues": []'; done
            for route in queuedesc/1 queuedesc/1/1 queuedesc/1/1/1; do refused 501 GET /stats/$route; done
            refused 501 GET /stats/meterdesc/1
            ;;
        14 | 15)
            for route in queuedesc/1 queuedesc/1/1 queuedesc/1/ALL/ALL; do ok GET /stats/$route '' '"1": []'; done
            for route in queueconfig/1 queueconfig/1/1; do refused 501 GET /stats/$route; done
            ;;
    esac
    if [ "$version" = 14 ]; then refused 501 GET /stats/meterdesc/1; fi
    if [ "$version" = 15 ]; then refused 501 GET /stats/meterconfig/1; fi

    step "  rules"
    out() { # PORT: what a rule says to send there
        case $version in
            10 | 13) echo "\"actions\": [{\"type\": \"OUTPUT\", \"port\": $1}]" ;;
            *) echo "\"instructions\": [{\"type\": \"APPLY_ACTIONS\", \"actions\": [{\"type\": \"OUTPUT\", \"port\": $1}]}]" ;;
        esac
    }
    if [ "$version" = 10 ] || [ "$version" = 13 ]; then ip='"dl_type": 2048' proto=nw_proto; else ip='"eth_type": 2048' proto=ip_proto; fi
    if [ "$version" -le 13 ]; then sent='"OUTPUT:4"'; else sent='"port": 4'; fi
    ping_none h1 10.0.0.4
    ok POST /stats/flowentry/add "{\"dpid\": 1, \"cookie\": 7, \"priority\": 10, \"match\": {\"in_port\": 1}, $(out 4)}"
    ok POST /stats/flowentry/add "{\"dpid\": 1, \"cookie\": 8, \"priority\": 10, \"match\": {\"in_port\": 4}, $(out 1)}"
    wait_until 5 has_rules output:1 in_port=4
    ping_ok h1 10.0.0.4
    for route in flow flowdesc; do
        ok GET /stats/$route/1 '' '"priority": 10' '"in_port": 1' '"in_port": 4'
        assert_matches "$REPLY" '"packet_count": [1-9]'
        # 1.5 tells cookies and instructions with flow descriptions, which the application does not ask for under either route.
        [ "$version" = 15 ] || assert_contains "$REPLY" '"cookie": 7' '"cookie": 8' "$sent"
        ok POST /stats/$route/1 '{"match": {"in_port": 4}}' '"in_port": 4'
        assert_lacks "$REPLY" '"in_port": 1}'
    done
    if [ "$version" != 10 ]; then
        ok POST /stats/flow/1 '{"cookie": 7, "cookie_mask": 255}' '"in_port": 1'
        assert_lacks "$REPLY" '"in_port": 4'
    fi
    ok GET /stats/aggregateflow/1 '' '"flow_count": 2' '"packet_count"' '"byte_count"'
    ok POST /stats/aggregateflow/1 '{"match": {"in_port": 1}}' '"flow_count": 1'
    ok GET /stats/table/1 '' '"active_count": 2'

    ok POST /stats/flowentry/modify_strict "{\"dpid\": 1, \"priority\": 11, \"match\": {\"in_port\": 1}, $(out 2)}"
    ok POST /stats/flowentry/modify_strict "{\"dpid\": 1, \"priority\": 10, \"match\": {\"in_port\": 4}, $(out 2)}"
    wait_until 5 has_rules output:2 in_port=4
    # One that is not there is made in 1.0 and ignored later.
    if [ "$version" = 10 ]; then
        wait_until 5 has_rules priority=11
        ok POST /stats/flowentry/delete_strict '{"dpid": 1, "priority": 11, "match": {"in_port": 1}}'
        wait_until 5 has_rules priority=10,in_port=1 in_port=1
    fi
    assert_lacks "$(rules)" priority=11
    ping_none h1 10.0.0.4
    ok POST /stats/flowentry/modify "{\"dpid\": 1, \"match\": {\"in_port\": 4}, $(out 1)}"
    wait_until 5 has_rules output:1 in_port=4
    ping_ok h1 10.0.0.4
    ok POST /stats/flowentry/add "{\"dpid\": 1, \"priority\": 100, \"match\": {$ip, \"$proto\": 1}, \"actions\": [], \"instructions\": []}"
    wait_until 5 has_rules priority=100 icmp
    ping_none h1 10.0.0.4
    ok POST /stats/flowentry/delete_strict "{\"dpid\": 1, \"priority\": 99, \"match\": {$ip, \"$proto\": 1}}"
    ok POST /stats/flowentry/delete_strict "{\"dpid\": 1, \"priority\": 100, \"match\": {$ip, \"$proto\": 1}}"
    wait_until 5 no_rules icmp
    ping_ok h1 10.0.0.4
    ok POST /stats/flowentry/delete '{"dpid": 1, "match": {"in_port": 1}}'
    wait_until 5 no_rules in_port=1
    ok DELETE /stats/flowentry/clear/1 ''
    wait_until 5 no_rules
    refused 404 POST /stats/flowentry/no_such "{\"dpid\": 1}"
    refused 404 POST /stats/flowentry/add "{\"dpid\": 99}"
    refused 400 POST /stats/flowentry/add "{\"dpid\": "

    if [ "$version" != 10 ]; then
        step "  groups"
        weight() { if [ "$version" = 15 ]; then echo "\"bucket_id\": $1, \"properties\": [{\"type\": \"WEIGHT\", \"weight\": 1}]"; else echo '"weight": 1'; fi; }
        ok POST /stats/groupentry/add '{"dpid": 1, "type": "ALL", "group_id": 1, "buckets": [{"actions": [{"type": "OUTPUT", "port": 4}]}]}'
        wait_until 5 has_group group_id=1
        ok POST /stats/flowentry/add "{\"dpid\": 1, \"match\": {\"in_port\": 1}, $(out 4 | sed 's/"OUTPUT", "port": 4/"GROUP", "group_id": 1/')}"
        ok POST /stats/flowentry/add "{\"dpid\": 1, \"match\": {\"in_port\": 4}, $(out 1)}"
        wait_until 5 has_rules output:1 in_port=4
        ping_ok h1 10.0.0.4
        ok GET /stats/group/1 '' '"group_id": 1' '"packet_count"' '"bucket_stats"' '"ref_count": 1'
        ok GET /stats/group/1/1 '' '"group_id": 1'
        ok GET /stats/group/1/ALL '' '"group_id": 1'
        ok GET /stats/groupdesc/1 '' '"group_id": 1' '"type": "ALL"'
        assert_matches "$REPLY" 'OUTPUT:4|"port": 4'
        ok GET /stats/groupdesc/1/1 '' '"group_id": 1'
        ok POST /stats/groupentry/modify "{\"dpid\": 1, \"type\": \"SELECT\", \"group_id\": 1, \"buckets\": [{$(weight 1), \"actions\": [{\"type\": \"OUTPUT\", \"port\": 2}]}]}"
        wait_until 5 has_group type=select
        ping_none h1 10.0.0.4
        ok GET /stats/groupdesc/1 '' '"type": "SELECT"' '"weight": 1'
        ok POST /stats/groupentry/delete '{"dpid": 1, "group_id": 1}'
        wait_until 5 no_group group_id=1
        wait_until 5 no_rules in_port=1
        refused 404 POST /stats/groupentry/no_such '{"dpid": 1}'

        step "  meters"
        ok POST /stats/meterentry/add '{"dpid": 1, "flags": ["PKTPS", "BURST", "STATS"], "meter_id": 1, "bands": [{"type": "DROP", "rate": 1000, "burst_size": 100}]}'
        wait_until 5 has_meter rate=1000
        case $version in
            13) meter='"actions": [{"type": "METER", "meter_id": 1}, {"type": "OUTPUT", "port": 4}]' ;;
            14) meter='"instructions": [{"type": "METER", "meter_id": 1}, {"type": "APPLY_ACTIONS", "actions": [{"type": "OUTPUT", "port": 4}]}]' ;;
            15) meter='"instructions": [{"type": "APPLY_ACTIONS", "actions": [{"type": "METER", "meter_id": 1}, {"type": "OUTPUT", "port": 4}]}]' ;;
        esac
        ok POST /stats/flowentry/add "{\"dpid\": 1, \"match\": {\"in_port\": 1}, $meter}"
        wait_until 5 has_rules meter:1 in_port=1
        ping_ok h1 10.0.0.4
        for route in meter/1 meter/1/1 meter/1/ALL; do ok GET /stats/$route '' '"meter_id": 1' '"packet_in_count"' '"band_stats"'; done
        ok GET /stats/flow/1 ''
        [ "$version" = 15 ] || assert_matches "$REPLY" 'METER:1|"type": "METER"|"meter_id": 1'
        if [ "$version" = 15 ]; then
            # The application has no handler for OFPMeterDescStatsReply: nothing but the switch's number can be in the answer.
            for route in meterdesc/1 meterdesc/1/1; do ok GET /stats/$route '' '"1": []'; done
        else
            for route in meterconfig/1 meterconfig/1/1 meterconfig/1/ALL; do ok GET /stats/$route '' '"meter_id": 1' '"rate": 1000' '"burst_size": 100' PKTPS '"type": "DROP"'; done
        fi
        ok POST /stats/meterentry/modify '{"dpid": 1, "flags": "KBPS", "meter_id": 1, "bands": [{"type": "DSCP_REMARK", "rate": 2000, "prec_level": 1}]}'
        wait_until 5 has_meter rate=2000
        ok POST /stats/meterentry/delete '{"dpid": 1, "meter_id": 1}'
        wait_until 5 no_meter meter=1
        wait_until 5 no_rules in_port=1
        refused 404 POST /stats/meterentry/no_such '{"dpid": 1}'

        step "  roles"
        for role in MASTER SLAVE EQUAL; do
            ok POST /stats/role "{\"dpid\": 1, \"role\": \"$role\"}"
            wait_until 5 web_has /stats/role/1 "\"role\": \"$role\""
        done
    else
        for what in groupentry meterentry; do refused 501 POST /stats/$what/add '{"dpid": 1}'; done
        refused 501 POST /stats/role '{"dpid": 1, "role": "MASTER"}'
    fi

    step "  ports, and a message of somebody's own"
    properties=
    [ "$version" -lt 14 ] || properties=', "properties": []' # left out, the application fails over what it has noted of the port
    ok POST /stats/portdesc/modify "{\"dpid\": 1, \"port_no\": 4, \"config\": 1, \"mask\": 1$properties}"
    port_is_down() { [[ $(ofctl show | grep -A1 ' 4(p4)') == *PORT_DOWN* ]]; }
    port_is_up() { ! port_is_down; }
    wait_until 5 port_is_down
    ok GET /stats/portdesc/1/4 '' '"name": "p4"' '"config": 1'
    ok POST /stats/portdesc/modify "{\"dpid\": 1, \"port_no\": 4, \"config\": 0, \"mask\": 1$properties}"
    wait_until 5 port_is_up
    refused 404 POST /stats/portdesc/modify '{"dpid": 1, "port_no": 44}'
    refused 404 POST /stats/portdesc/no_such "{\"dpid\": 1, \"port_no\": 4$properties}"
    if [ "$version" != 10 ]; then
        # NXT_TLV_TABLE_MOD: option 0xffff, 0 of 4 bytes becomes tun_metadata0; then clear.
        tlv_map() { ofctl dump-tlv-map | grep -c 0xffff; }
        ok POST /stats/experimenter/1 '{"experimenter": 8992, "exp_type": 24, "data": "AAAAAAAAAAD//wAEAAAAAA==", "data_type": "base64"}'
        wait_until 5 tlv_map
        ok POST /stats/experimenter/1 '{"experimenter": 8992, "exp_type": 24, "data": "AAIAAAAAAAA=", "data_type": "base64"}'
        no_tlv_map() { ! tlv_map; }
        wait_until 5 no_tlv_map
        ok POST /stats/experimenter/1 '{"experimenter": 128, "exp_type": 9, "data": "nobody knows this", "data_type": "ascii"}'
    fi
    ok GET /stats/desc/1 '' Sluice
    # Refusals of the application's own (501, 404, 400) leave tracebacks in the log; a failure is 500.
    failed=$(grep -a -B40 'HTTP/1.0" 500 ' "$TEST_DIR/osken.log") && fail "$failed"
    end_pid "$MANAGER"
    wait_until 10 none_connected
done
