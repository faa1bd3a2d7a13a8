#!/bin/bash
# What a virtual machine under OVN notices when parts die: of the central, ovn-controller and the database nothing, of the switch less than a second.
# timeout: 300
# by name only
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovn.sh"

ovn_one_host
# An ovn-controller that starts deletes the rules it finds when it has some of its own: this long after its start, it has all of them.
on host ovs-vsctl set Open_vSwitch . external_ids:ovn-ofctrl-wait-before-clear=1000
ls_with sw1 1 a b
ls_with sw2 2 x
nb lr-add lr
router_port lr sw1 1
router_port lr sw2 2
nb acl-add sw1 to-lport 1000 'outport == "b" && ip4' drop -- acl-add sw1 to-lport 1001 'outport == "b" && icmp4' allow-related
for i in 1:a 2:b; do ovn_vm host "${i#*:}" "${i#*:}" "02:00:00:00:01:0${i%:*}" "10.0.1.${i%:*}/24" 10.0.1.254; done
ovn_vm host x x 02:00:00:00:02:01 10.0.2.1/24 10.0.2.254
sync
reaches a 10.0.1.2
reaches x 10.0.1.2

# pinging N: starts N pings, 20 a second, within a switch through connection tracking and across the router; lost: LOST is how many of them were
pinging() {
    inside a ping -q -n -c "$1" -i 0.05 -W 1 10.0.1.2 >"$TEST_DIR/pings.a" 2>&1 &
    pinging_a=$!
    inside x ping -q -n -c "$1" -i 0.05 -W 1 10.0.1.2 >"$TEST_DIR/pings.x" 2>&1 &
    pinging_x=$!
    sleep 0.3
}
lost() {
    wait "$pinging_a" || true
    wait "$pinging_x" || true
    LOST=$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$TEST_DIR"/pings.{a,x} | awk '{n = $1 - $2 > n ? $1 - $2 : n} END {print n + 0}')
}
# still_works PART: a change of the network takes effect, so that part does its work again
still_works() {
    nb lsp-add sw1 "after-$1" -- --if-exists lsp-del "before-$1"
    sync
}

step "ovn-controller is killed and started again"
pinging 60
ovn_kill host ovn/ovn-controller
sleep 1
ovn_controller host
lost
assert_eq "$LOST" 0 "pings that were lost"
still_works controller

step "the database of the host is killed and started again"
pinging 60
ovn_kill host openvswitch/ovsdb-server
sleep 1
ovn_database_server host
lost
assert_eq "$LOST" 0 "pings that were lost"
still_works database
ovn_vm host c after-database 02:00:00:00:01:03 10.0.1.3/24 10.0.1.254
nb lsp-set-addresses after-database "02:00:00:00:01:03 10.0.1.3"
sync
reaches c 10.0.1.2

step "the central goes away and comes back"
pinging 60
for daemon in ovn-northd ovnsb_db ovnnb_db; do ovn_kill host "ovn/$daemon"; done
sleep 1
lost
assert_eq "$LOST" 0 "pings that were lost"
ovn_central host
wait_until 20 still_works central
reaches x 10.0.1.2

# ovn-controller waits a second before it connects again: the rules are those that the process before had.
step "the switch is killed, three times: pings are back in less than a second, and none is lost when ovn-controller adds its rules again"
least=
for _ in 1 2 3; do
    pinging 120
    ovn_kill host openvswitch/ovs-vswitchd
    ovn_switch host
    lost
    echo "  away for $((LOST * 50)) ms"
    [ -n "$least" ] && [ "$least" -le "$LOST" ] || least=$LOST
done
grep -q 'bridge br-int goes on with [1-9][0-9]* rules' "$OVN_WORK/host/log/ovs-vswitchd.log" || fail "no rules were taken over"
# Machines that others use, too, may take longer for all of it.
[ "$least" -lt $((20 * ${TEST_PATIENCE:-1})) ] || fail "$least pings in succession were lost"
reaches a 10.0.1.2
reaches x 10.0.1.2
still_works switch

step "with flow-restore-wait a switch that starts forwards nothing until its rules are complete"
on host ovs-vsctl --no-wait set Open_vSwitch . other_config:flow-restore-wait=true
ovn_kill host openvswitch/ovs-vswitchd
ovn_switch host
silent a 10.0.1.2
wait_until 10 eval '[ "$(on host ovs-ofctl -O OpenFlow15 dump-flows br-int | wc -l)" -gt 100 ]'
silent a 10.0.1.2
on host ovs-vsctl --no-wait remove Open_vSwitch . other_config flow-restore-wait
wait_until 5 inside a ping -q -n -c 1 -W 1 10.0.1.2
reaches x 10.0.1.2

step "nobody has anything to complain of"
no_complaints host
