#!/bin/bash
# Internal ports: the interface outlives the process with its addresses, goes with the configuration, and works in other namespaces.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such file"; exit 0; }

name=i$(($$ % 100000))
on_exit link "$name"
host_make h1 10.0.0.1/24 02:00:00:00:00:01
long=$(printf 'ü%.0s' $(seq 100))
internal="{ \"name\": \"$name\", \"ofport\": 2, \"type\": \"internal\", \"mac\": \"02:00:00:00:00:02\" }"
patch="{ \"name\": \"$long\", \"ofport\": 3, \"type\": \"patch\", \"peer\": \"nobody\" }"
configure() { sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$@"; }

configure "$internal" "$patch"
start_sluice
step "down until the host sets it up"
assert_lacks "$(ip -o link show "$name")" ",UP"
ip addr add 10.0.0.2/24 dev "$name"
ip link set "$name" up
wait_until 5 ping_once h1 10.0.0.2

step "it outlives the process, and is taken over"
index=$(cat "/sys/class/net/$name/ifindex")
stop_sluice
assert_eq "$(cat "/sys/class/net/$name/ifindex")" "$index" "index while nobody runs"
start_sluice
assert_eq "$(cat "/sys/class/net/$name/ifindex")" "$index" "index after the start"
wait_until 5 ping_once h1 10.0.0.2

step "a name of 200 bytes"
assert_contains "$(ctl ports "$long")" "error peer not found"
assert_matches "$(ofctl show)" '^ 3[(]'

step "it goes on in another namespace"
ip link set "$name" netns "$(ns_name h1)"
ip -n "$(ns_name h1)" link set "$name" up
wait_until 5 eval 'ctl ports "$name" | grep -q ", up,"'
ip -n "$(ns_name h1)" link set "$name" netns 1
ip addr add 10.0.0.2/24 dev "$name"
ip link set "$name" up
wait_until 5 ping_once h1 10.0.0.2

step "exit --cleanup takes it along"
ctl exit --cleanup
wait_until 5 eval '! [ -e "/sys/class/net/$name" ]'
wait "$SLUICE_PID" || fail "the switch did not end well"
start_sluice
wait_until 5 test -e "/sys/class/net/$name"

step "out of the configuration, it goes"
configure
ctl reload >/dev/null
wait_until 5 eval '! [ -e "/sys/class/net/$name" ]'
stop_sluice
