#!/bin/bash
# os-ken applications of every version: learning switches, and all functions behind a REST interface (router and firewall rules, groups, meters ...).
# timeout: 900
# OSKEN_VERSIONS="14 15": only those.
. "$(dirname "$0")/lib/harness.sh"

versions=${OSKEN_VERSIONS:-10 13 14 15}
port=$((20000 + $$ % 20000))
routes_port=$((port + 1))
manager() { osken_app=$1; shift; background osken env PYTHONUNBUFFERED=1 "$@" osken-manager --ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port "$port" "$osken_app"; }
some_packets() { [ "$(rule_packets "$@")" -gt 0 ]; }
connected() { ss -Htn state established "( sport = :$port )" | grep -q .; }
# route REQUEST: leaves the answer of ofctl_routes.py in REPLY; REQUEST is a JSON array. Table features are megabytes: not for `read`.
route() {
    REPLY=$("$PYTHON" -c 'import socket, sys
lines = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 240).makefile("rw")
lines.write(sys.argv[2] + "\n")
lines.flush()
print(lines.readline()[:1 << 16])' "$routes_port" "$1") || fail "no answer to $1"
}
# route_ok REQUEST PART...: no error, and the parts are in the answer
route_ok() {
    route "$1"
    assert_lacks "$REPLY" '"error"'
    assert_contains "$REPLY" "${@:2}"
}

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config "\"fail_mode\": \"secure\", \"controllers\": [{\"target\": \"tcp:127.0.0.1:$port\", \"max_backoff\": 1000}]" "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice

for version in $versions; do
    step "a learning switch, OpenFlow $version"
    manager "$TEST_LIB/learning_switch.py" LEARNING_VERSION="$version"
    controller=$PID
    wait_until 90 connected
    wait_until 40 ping_once h1 10.0.0.2
    ping_ok h1 10.0.0.2 5
    wait_until 5 some_packets in_port=1
    assert_lacks "$(cat "$TEST_DIR/osken.log")" Traceback EventOFPErrorMsg
    end_pid "$controller"
    ofctl del-flows
done

for version in $versions; do
    step "every function behind ofctl_rest, OpenFlow $version"
    manager "$TEST_LIB/ofctl_routes.py" ROUTES_VERSION="$version" ROUTES_PORT="$routes_port"
    controller=$PID
    wait_until 90 grep -q connected "$TEST_DIR/osken.log"
    names='"get_desc_stats" "get_table_stats" "get_port_stats" "get_port_desc" "get_queue_stats"'
    case $version in
        13) names+=' "get_table_features" "get_queue_config" "get_meter_features" "get_meter_config" "get_meter_stats" "get_group_features" "get_group_desc" "get_group_stats" "get_role"' ;;
        14) names+=' "get_table_features" "get_queue_desc" "get_meter_features" "get_meter_config" "get_meter_stats" "get_group_features" "get_group_desc" "get_group_stats" "get_role"' ;;
        15) names+=' "get_table_features" "get_queue_desc" "get_meter_features" "get_meter_desc" "get_meter_stats" "get_group_features" "get_group_desc" "get_group_stats" "get_role" "get_flow_desc_stats"' ;;
    esac
    for name in $names; do route_ok "[$name]" '"1":'; done

    if [ "$version" = 10 ]; then out='"actions": [{"type": "OUTPUT", "port": PORT}]'; else out='"instructions": [{"type": "APPLY_ACTIONS", "actions": [{"type": "OUTPUT", "port": PORT}]}]'; fi
    [ "$version" != 13 ] || out='"actions": [{"type": "OUTPUT", "port": PORT}]'
    step "  rules: a router's, with a firewall's in front"
    ping_none h1 10.0.0.2
    route_ok "[\"mod_flow_entry\", {\"priority\": 10, \"match\": {\"in_port\": 1}, ${out/PORT/2}}, \"ADD\"]"
    route_ok "[\"mod_flow_entry\", {\"priority\": 10, \"match\": {\"in_port\": 2}, ${out/PORT/1}}, \"ADD\"]"
    ping_ok h1 10.0.0.2
    route_ok '["get_flow_stats", {}]' '"packet_count"' '"in_port": 1'
    route_ok '["get_aggregate_flow_stats", {}]' '"flow_count": 2'
    deny='{"dl_type": 2048, "nw_proto": 1}'
    case $version in 14 | 15) deny='{"eth_type": 2048, "ip_proto": 1}' ;; esac
    route_ok "[\"mod_flow_entry\", {\"priority\": 100, \"match\": $deny, \"actions\": [], \"instructions\": []}, \"ADD\"]"
    ping_none h1 10.0.0.2
    route_ok "[\"mod_flow_entry\", {\"priority\": 100, \"match\": $deny}, \"DELETE_STRICT\"]"
    ping_ok h1 10.0.0.2

    if [ "$version" != 10 ]; then
        step "  groups and meters"
        route_ok '["mod_group_entry", {"type": "ALL", "group_id": 1, "buckets": [{"actions": [{"type": "OUTPUT", "port": 2}]}]}, "ADD"]'
        route_ok '["get_group_desc"]' '"group_id": 1'
        assert_matches "$REPLY" 'OUTPUT:2|"port": 2'
        route_ok '["mod_meter_entry", {"flags": "PKTPS", "meter_id": 1, "bands": [{"type": "DROP", "rate": 1000}]}, "ADD"]'
        if [ "$version" = 15 ]; then route_ok '["get_meter_desc"]' '"meter_id": 1'; else route_ok '["get_meter_config"]' '"meter_id": 1' '"rate": 1000'; fi
        route_ok "[\"mod_flow_entry\", {\"priority\": 10, \"match\": {\"in_port\": 1}, ${out/\{\"type\": \"OUTPUT\", \"port\": PORT\}/{\"type\": \"GROUP\", \"group_id\": 1\}}}, \"MODIFY_STRICT\"]"
        ping_ok h1 10.0.0.2
        route_ok '["get_group_stats", 1]' '"packet_count"'
        route_ok '["get_meter_stats", 1]' '"meter_id": 1'
        route_ok '["mod_group_entry", {"type": "ALL", "group_id": 1, "buckets": []}, "DELETE"]'
        route_ok '["mod_meter_entry", {"meter_id": 1, "bands": []}, "DELETE"]'
        ping_none h1 10.0.0.2
        route '["mod_group_entry", {"type": "ALL", "group_id": 5, "buckets": []}, "MODIFY"]'
        assert_contains "$REPLY" '"error"'
        route_ok '["set_role", {"role": "MASTER"}]'
    fi
    mac=$(ofctl show | sed -n 's/^ *1(p1): addr:\(.*\)/\1/p')
    step "  a port is taken down and up"
    route_ok "[\"mod_port_behavior\", {\"port_no\": 1, \"hw_addr\": \"$mac\", \"config\": 1, \"mask\": 1, \"advertise\": 0, \"properties\": []}]"
    assert_contains "$(ofctl show)" PORT_DOWN
    route_ok "[\"mod_port_behavior\", {\"port_no\": 1, \"hw_addr\": \"$mac\", \"config\": 0, \"mask\": 1, \"advertise\": 0, \"properties\": []}]"
    assert_lacks "$(ofctl show)" PORT_DOWN
    route_ok '["get_desc_stats"]' Sluice
    assert_lacks "$(cat "$TEST_DIR/osken.log")" Traceback
    end_pid "$controller"
    ofctl del-flows
done

stop_sluice
