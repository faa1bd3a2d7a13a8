#!/bin/bash
# Spanning trees, by ovs-vsctl: a ring of three bridges is cut in one place, with a bridge of Open vSwitch's beside it; with
# STP_LONG=1 another way when a link goes, which takes as long again.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "it is what OVS does"; exit 0; }
. "$TEST_LIB/tunnels.sh"
[ -x "$OVS_VSWITCHD" ] || { echo "lacks Debian's openvswitch-switch"; exit 77; }

# wire NAME NODE NAME NODE
wire() {
    ip -n "$(ovn_ns "$2")" link add "$1" type veth peer name "$3" netns "$(ovn_ns "$4")"
    on "$2" sh -c "echo 1 >/proc/sys/net/ipv6/conf/$1/disable_ipv6"
    on "$4" sh -c "echo 1 >/proc/sys/net/ipv6/conf/$3/disable_ipv6"
    on "$2" ethtool -K "$1" tx off >/dev/null 2>&1 || true
    on "$4" ethtool -K "$3" tx off >/dev/null 2>&1 || true
    ip -n "$(ovn_ns "$2")" link set "$1" up
    ip -n "$(ovn_ns "$4")" link set "$3" up
}
start_switch() { # NODE DAEMON
    ln -sf "$2" "$OVN_WORK/$1/bin/ovs-vswitchd"
    ovn_database "$1"
    ovn_switch "$1"
}
tree='stp_enable=true other_config:stp-hello-time=1 other_config:stp-max-age=6 other_config:stp-forward-delay=4'
bridge() { # NODE BRIDGE ADDRESS PRIORITY PORT...
    local node=$1 br=$2 ports=()
    for port in "${@:5}"; do ports+=(-- add-port "$br" "$port"); done
    # shellcheck disable=SC2086
    vsctl "$node" add-br "$br" -- set Bridge "$br" datapath_type=netdev "other_config:hwaddr=02:00:00:00:01:$3" "other_config:stp-priority=$4" $tree \
        "${ports[@]}"
}
# inner VM NODE N: a host on a port of its own, which takes part; Open vSwitch does not flood to ports that do not
inner() {
    ovn_namespace "$1"
    ip -n "$(ovn_ns "$2")" link add "$1" type veth peer name eth0 netns "$(ovn_ns "$1")" address "02:00:00:00:00:0$3"
    on "$2" ethtool -K "$1" tx off >/dev/null 2>&1 || true
    inside "$1" ethtool -K eth0 tx off >/dev/null 2>&1 || true
    ip -n "$(ovn_ns "$2")" link set "$1" up
    ip -n "$(ovn_ns "$1")" link set eth0 up
    ip -n "$(ovn_ns "$1")" addr add "10.0.0.$3/24" dev eth0
}
state() { vsctl "$1" get Port "$2" status:stp_state 2>/dev/null | tr -d '"'; }
states() { state a p12; state a p21; state a p13; state b p31; state a p23; state b p32; }
settled() { [ "$(states | grep -c forwarding)" = "$1" ] && [ "$(states | grep -c 'listening\|learning')" = 0 ]; }

OVN_SWITCH=$SLUICED
ovn_node a
ovn_node b
start_switch b "$OVS_VSWITCHD" &
other=$!
start_switch a "$SLUICED"
wait $other
ip -n "$(ovn_ns a)" link add p12 type veth peer name p21
for end in p12 p21; do
    on a sh -c "echo 1 >/proc/sys/net/ipv6/conf/$end/disable_ipv6"
    ip -n "$(ovn_ns a)" link set $end up
done
wire p13 a p31 b
wire p23 a p32 b

step "a ring of two bridges of Sluice's and one of Open vSwitch's"
inner va a 1
inner vb b 2
bridge a br1 01 4096 p12 p13 va
bridge a br2 02 8192 p21 p23
bridge b br3 03 12288 p31 p32 vb
wait_until 20 settled 5
assert_eq "$(states | grep -c blocking)" 1 "blocked ports"
assert_eq "$(state b p32)$(state a p23)" "blockingforwarding" "the place where it is cut"
assert_eq "$(vsctl a get Bridge br2 status:stp_designated_root | tr -d '"')" 1000.020000000101 "root as br2 knows it"
assert_eq "$(vsctl a get Bridge br1 status:stp_bridge_id | tr -d '"')" 1000.020000000101 "br1"
assert_eq "$(vsctl a get Port p21 status:stp_role | tr -d '"')" root "role of p21"
shape() { sed 's/[0-9a-f:]\{17\}/MAC/; s/[0-9][0-9]*/N/g; s/  */ /g; s/\(root\|designated\|alternate\) *\(forwarding\|blocking\)/ROLE STATE/; s/ *$//'; }
assert_eq "$(appctl a stp/show br2 | shape)" "$(appctl b stp/show br3 | grep -v '^  vb ' | shape)" "form of stp/show"
reaches va 10.0.0.2
ofctl_on a -O OpenFlow10 show br1 | grep -q STP_FORWARD || fail "state of ports in OpenFlow 1.0"

step "a broadcast goes round once"
received() { inside vb cat /sys/class/net/eth0/statistics/rx_packets; }
before=$(received)
inside va ping -q -n -b -c 5 -i 0.05 -W 0.1 10.0.0.255 >/dev/null || true
came() { [ $(($(received) - before)) -ge 5 ]; }
wait_until 3 came
sleep 0.2 # for those that are too many
[ $(($(received) - before)) -lt 20 ] || fail "$(($(received) - before)) packets of 5"

if [ -n "${STP_LONG:-}" ]; then
step "the link that is used goes down, the other way is taken"
ip -n "$(ovn_ns b)" link set p31 down
wait_until 20 inside va ping -q -n -c 1 -W 1 10.0.0.2
reaches va 10.0.0.2
assert_eq "$(state b p32)" forwarding "the port that was blocked"
fi

step "and without the protocol"
vsctl a set Bridge br2 stp_enable=false
without() { [ "$(vsctl a get Bridge br2 status)" = "{}" ]; }
wait_until 3 without
assert_fails appctl a stp/show br2
assert_eq "$(appctl a stp/tcn br1)" OK
vsctl a get Port p12 statistics:stp_tx_count >/dev/null
