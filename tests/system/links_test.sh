#!/bin/bash
# Interfaces of the kernel's: a port is down as soon as its link is, and comes back after its interface was deleted and made again.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such log"; exit 0; }

LOG=$TEST_DIR/sluiced.log
veth=$(host_if h1) tap=${TEST_ID}t moved=${TEST_ID}m
tap_json() { printf '{ "name": "%s", "ofport": %d, "type": "tap", "ifname": "%s" }' "$1" "$2" "$3"; }

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
ns_make h3
ns_make h4
sluice_config '"fail_mode": "standalone"' "$(port_json veth 1 h1)" "$(port_json other 2 h2)" "$(tap_json tap 3 "$tap")" "$(tap_json moved 4 "$moved")"
start_sluice

# tap_host HOST INTERFACE A.B.C.D/N: moves a TAP into the host
tap_host() {
    ip link set "$2" netns "$(ns_name "$1")"
    in_ns "$1" ip addr add "$3" dev "$2"
    in_ns "$1" ip link set "$2" up
}
# state_is PORT up|down
state_is() { ctl --json ports "$1" | grep -q "\"link\": \"$2\""; }
said() { grep -c "|$1" "$LOG" || true; }
said_more() { [ "$(said "$1")" -gt "$2" ]; }
# ms_until MESSAGE COMMAND...: from the start of the command to the line in the log
ms_until() {
    local message=$1 before start at
    shift
    before=$(said "$message")
    start=$(date +%s%3N)
    "$@"
    wait_until 5 said_more "$message" "$before"
    at=$(date -d "$(grep "|$message" "$LOG" | tail -n 1 | cut -d'|' -f1)" +%s%3N)
    echo $((at - start))
}
# follows PORT COMMAND...: "COMMAND down" and "COMMAND up" are seen at once; one of six times may be late, as machines are.
follows() {
    local port=$1 times=() late
    shift
    for _ in 1 2 3; do
        times+=("$(ms_until ".*$port: link down" "$@" down)")
        state_is "$port" down || fail "$port is not down"
        times+=("$(ms_until ".*$port: link up" "$@" up)")
    done
    late=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 5p)
    [ "$late" -lt 100 ] || fail "$port: down and up are seen after ${times[*]} ms"
    echo "  $port: ${times[*]} ms"
}

wait_until 5 ping_once h1 10.0.0.2
wait_until 5 state_is tap up
tap_host h4 "$moved" 10.0.0.4/24
wait_until 5 ping_once h4 10.0.0.2

step "a link's state, without traffic"
background monitor ovs-ofctl --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT" 128
follows veth ip link set "$veth"
follows veth ip -n "$(ns_name h1)" link set eth0
follows tap ip link set "$tap"
follows moved ip -n "$(ns_name h4)" link set "$moved"
wait_until 2 grep -q 'PORT_STATUS.*MOD: 1(veth)' "$TEST_DIR/monitor.log"
in_ns h1 ip addr replace 10.0.0.1/24 dev eth0
wait_until 5 ping_once h1 10.0.0.2

step "a veth is deleted: its port is down, reload says why, the others forward"
ip link del "$veth"
wait_until 2 state_is veth down
assert_contains "$(cat "$LOG")" "veth: the interface $veth was deleted"
assert_fails ctl reload
assert_contains "$OUTPUT" "br0: port veth: its interface $veth was deleted: create it again"
ping_ok h4 10.0.0.2

step "it is there again, and so is the port"
host_wire h1 10.0.0.1/24 02:00:00:00:00:01
wait_until 5 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2
assert_contains "$(cat "$LOG")" "port veth: the interface $veth is there again"
assert_contains "$(ctl reload)" "nothing differs"
assert_matches "$(ofctl show)" '^ 1\(veth\)'

step "deleted and made again within a moment, and set up late"
ip link del "$veth"
ip link add "$veth" type veth peer name eth0 netns "$(ns_name h1)"
sleep 0.3
state_is veth down || fail "up before the interface is"
ip link del "$veth"
host_wire h1 10.0.0.1/24 02:00:00:00:00:01
wait_until 5 ping_once h1 10.0.0.2

step "more happens than the kernel keeps for the switch, which hears of none of it"
kill -STOP "$SLUICE_PID"
ip link add "${TEST_ID}d" type veth peer name "${TEST_ID}e"
on_exit link "${TEST_ID}d"
for _ in $(seq 1500); do echo "link set ${TEST_ID}d up"; echo "link set ${TEST_ID}d down"; done | ip -batch -
ip link del "$veth"
host_wire h1 10.0.0.1/24 02:00:00:00:00:01
ip link set "$(host_if h2)" down
kill -CONT "$SLUICE_PID"
wait_until 2 state_is other down
assert_contains "$(cat "$LOG")" "more to tell of interfaces than there was room for"
ip link set "$(host_if h2)" up
wait_until 5 ping_once h1 10.0.0.2

step "a TAP is deleted: its port is down, reload makes both again"
ip link del "$tap"
wait_until 2 state_is tap down
assert_contains "$(cat "$LOG")" "the interface $tap was deleted"
assert_contains "$(ctl reload)" "br0: replaced port tap: its interface $tap was deleted"
on_exit link "$tap"
tap_host h3 "$tap" 10.0.0.3/24
wait_until 5 ping_once h3 10.0.0.2
assert_contains "$(ctl reload)" "nothing differs"

step "the same of one that was moved to another namespace"
in_ns h4 ip link del "$moved"
wait_until 2 state_is moved down
assert_contains "$(ctl reload)" "br0: replaced port moved"
tap_host h4 "$moved" 10.0.0.4/24
wait_until 5 ping_once h4 10.0.0.3

stop_sluice
