#!/bin/bash
# OpenStack's os-vif: its own functional tests, and what nova-compute does with it: ports, the hybrid bridge, vhost-user, by ovsdbapp and by ovs-vsctl.
# timeout: 400
# by name only
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "BOX_VSWITCHD names the other switch here"; exit 77; }
"$PYTHON" -c 'import os_vif, oslotest, testscenarios' 2>/dev/null || { echo "lacks os-vif: scripts/setup-packages openstack"; exit 77; }
. "$TEST_LIB/box.sh"
. "$TEST_LIB/guests.sh"

box_make
# Its tests run what needs rights by sudo, which is for users that are not root.
printf '#!/bin/sh\n[ "$1" != -E ] || shift\nexec "$@"\n' >"$BOX/bin/sudo"
chmod +x "$BOX/bin/sudo"
box_switch
box ovs-vsctl set-manager ptcp:6640:127.0.0.1

step "its functional tests"
# As stestr does: with the objects that another of its tests registers.
box env OS_LOG_PATH="$TEST_DIR" timeout 200 "$PYTHON" -W ignore -c 'import os_vif, sys, unittest
os_vif.objects.register_all()
unittest.main(module=None, argv=sys.argv, verbosity=2)' vif_plug_ovs.tests.functional.ovsdb.test_ovsdb_lib \
    vif_plug_ovs.tests.functional.test_plugin >"$TEST_DIR/functional" 2>&1 || fail "$(tail -60 "$TEST_DIR/functional")"
grep -E '^Ran|^OK' "$TEST_DIR/functional"

osvif() { box timeout 60 "$PYTHON" -W ignore "$TEST_LIB/osvif.py" "$@" >"$TEST_DIR/out" 2>&1 || fail "os-vif $*: $(cat "$TEST_DIR/out")"; }
ids() { box_get Interface "$1" external_ids; }
is_gone() { ! box ovs-vsctl port-to-br "$1" 2>/dev/null; }
is() { [ "$(box_get "${@:2}")" = "$1" ]; }
# What nova-compute's interface is: wire HOST ADDRESS NAME
wire() {
    ns_make "$1"
    ip link add "$3" netns "$(ns_name box)" type veth peer name eth0 netns "$(ns_name "$1")"
    box ip link set "$3" up
    in_ns "$1" ip addr add "$2" dev eth0
    in_ns "$1" ip link set eth0 up
}

box ovs-vsctl --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev
box_host h0 10.0.0.100/24 02:00:00:00:01:00
box ovs-vsctl add-port br-int "$(host_if h0)"
n=0
for how in native vsctl; do
    n=$((n + 10))
    step "$how: a port, which is nobody's until Neutron gives it its VLAN"
    name=$(printf 'tapb679325f-c%02d' $((n + 1)))
    wire "h$((n + 1))" "10.0.0.$((n + 1))/24" "$name"
    osvif plug port $((n + 1)) "$how" isolate_vif=true
    assert_contains "$(ids "$name")" "iface-status=active" "attached-mac=02:00:00:00:00:$(printf %02x $((n + 1)))" "vm-uuid=f0000000-0000-0000-0000-000000000001"
    assert_eq "$(box_get Port "$name" tag)" 4095 "tag of a port that is dead"
    wait_until 5 is 1400 Interface "$name" mtu # asked for after the port, by whom nothing waits for
    ping_none "h$((n + 1))" 10.0.0.100
    box ovs-vsctl clear Port "$name" tag
    wait_until 5 ping_once "h$((n + 1))" 10.0.0.100

    step "$how: the hybrid way"
    id=$(printf 'b679325f-c%02d' $((n + 2)))
    osvif plug bridge $((n + 2)) "$how"
    wire "h$((n + 2))" "10.0.0.$((n + 2))/24" "tap$id"
    box ip link set "tap$id" master "qbr$id"
    assert_eq "$(box ovs-vsctl port-to-br "$(printf "qvo%.11s" "$id")")" br-int
    wait_until 5 ping_once "h$((n + 2))" 10.0.0.100
    ping_ok "h$((n + 2))" "10.0.0.$((n + 1))"
    osvif plug bridge $((n + 2)) "$how" # nova does that again at each start
    ping_ok "h$((n + 2))" 10.0.0.100

    step "$how: a bridge for the port alone"
    id=$(printf 'b679325f-c%02d' $((n + 3)))
    wire "h$((n + 3))" "10.0.0.$((n + 3))/24" "tap$id"
    osvif plug patch $((n + 3)) "$how" per_port_bridge=true
    wait_until 5 ping_once "h$((n + 3))" 10.0.0.100
    osvif unplug patch $((n + 3)) "$how" per_port_bridge=true
    assert_fails box ovs-vsctl br-exists "pb$id"

    step "$how: vhost-user, QEMU as the server"
    id=$(printf 'b679325f-c%02d' $((n + 4)))
    osvif plug vhost-server $((n + 4)) "$how" "$TEST_DIR/$how.sock"
    vhu=$(box ovs-vsctl list-ports br-int | grep '^vhu' | tail -n 1)
    assert_eq "$vhu" "$(printf 'vhu%s' "$id" | cut -c 1-14)"
    [ "$(box_get Interface "$vhu" ofport)" -gt 0 ] || fail "no number: $(box_get Interface "$vhu" error)"
    assert_eq "$(box_get Interface "$vhu" link_state)" down
    wait_until 5 is 1400 Interface "$vhu" mtu
    guest_up "g$how" "$TEST_DIR/$how.sock" --server --no-huge --ip "10.0.0.$((n + 4))/24" --mac "02:00:00:00:00:$(printf %02x $((n + 4)))"
    wait_until 10 is up Interface "$vhu" link_state
    wait_until 5 ping_once "g$how" 10.0.0.100
    guest_kill "g$how"
    wait_until 5 is down Interface "$vhu" link_state
    osvif unplug vhost-server $((n + 4)) "$how" "$TEST_DIR/$how.sock"
    is_gone "$vhu" || fail "$vhu is there"

    step "$how: vhost-user, QEMU as the client"
    osvif plug vhost-client $((n + 5)) "$how"
    vhu=$(box ovs-vsctl list-ports br-int | grep '^vhu' | tail -n 1)
    assert_eq "$(box_get Interface "$vhu" type)" dpdkvhostuser
    guest_up "c$how" "/proc/$BOX_PID/root/run/openvswitch/$vhu" --no-huge --ip "10.0.0.$((n + 5))/24" --mac "02:00:00:00:00:$(printf %02x $((n + 5)))"
    wait_until 10 ping_once "c$how" 10.0.0.100
    guest_kill "c$how"
    osvif unplug vhost-client $((n + 5)) "$how"
    is_gone "$vhu" || fail "$vhu is there"

    step "$how: unplugged"
    osvif unplug bridge $((n + 2)) "$how"
    osvif unplug port $((n + 1)) "$how"
    is_gone "$name" || fail "$name is there"
    assert_fails box ip link show "$name"
done
assert_eq "$(box ovs-vsctl list-ports br-int)" "$(host_if h0)" "ports that are left"
