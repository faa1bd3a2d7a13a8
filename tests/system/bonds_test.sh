#!/bin/bash
# Bonds of two links to Open vSwitch, by ovs-vsctl, with and without LACP: no loop, one copy of a broadcast, less than 300 ms without packets when a
# link goes.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "it is what OVS does"; exit 0; }
[ -x /usr/lib/openvswitch-switch/ovs-vswitchd ] || { echo "lacks Debian's openvswitch-switch"; exit 77; }
. "$TEST_LIB/tunnels.sh"

wires() {
    local i node
    for i in 1 2; do
        ip -n "$(ovn_ns a)" link add "w$i" type veth peer name "w$i" netns "$(ovn_ns b)"
        for node in a b; do
            on $node sh -c "echo 1 >/proc/sys/net/ipv6/conf/w$i/disable_ipv6"
            on $node ethtool -K "w$i" tx off >/dev/null 2>&1 || true
            ip -n "$(ovn_ns $node)" link set "w$i" up
        done
    done
}
# switch_and_inner NODE DAEMON: a switch with the bridge br0 and an inner host v$NODE, 10.0.0.N
switch_and_inner() {
    local node=$1 vm=v$1 n=${NUMBER[$1]}
    ln -sf "$2" "$OVN_WORK/$node/bin/ovs-vswitchd"
    ovn_database "$node"
    ovn_switch "$node"
    vsctl "$node" add-br br0 -- set Bridge br0 datapath_type=netdev "other_config:hwaddr=02:00:00:00:01:0$n"
    ovn_namespace "$vm"
    vsctl "$node" add-port br0 "$vm" -- set Interface "$vm" type=internal
    ip -n "$(ovn_ns "$node")" link set dev "$vm" netns "$(ovn_ns "$vm")" name eth0 address "02:00:00:00:00:0$n"
    inside "$vm" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
    inside "$vm" ethtool -K eth0 tx off >/dev/null 2>&1 || true
    ip -n "$(ovn_ns "$vm")" link set eth0 up
    ip -n "$(ovn_ns "$vm")" addr add "10.0.0.$n/24" dev eth0
}
# link NUMBER up|down: at b's end, which a sees as a loss of carrier
link() { ip -n "$(ovn_ns b)" link set "w$1" "$2"; }
enabled() { appctl a bond/show bond0 | grep -q "^member w$1: enabled"; }
disabled() { appctl a bond/show bond0 | grep -q "^member w$1: disabled"; }
active_is() { appctl a bond/show bond0 | grep -A1 "^member w$1:" | grep -q "active member"; }
received() { inside vb cat /sys/class/net/eth0/statistics/rx_packets; }
# outage LINK: pings every 5 ms while the link goes down; says for how many ms none came to vb, and brings the link back. Answers are a matter of
# the other switch, which has to learn the other way.
outage() {
    local ping lost before
    sleep 1 # the kernel tells of a link that goes down up to a second late if another one has just come up
    before=$(received)
    inside va ping -q -n -i 0.005 -c 200 -W 1 10.0.0.2 >"$TEST_DIR/outage.out" &
    ping=$!
    sleep 0.3
    link "$1" down
    wait $ping || true
    lost=$((5 * ($(sed -n 's/\([0-9]*\) packets transmitted.*/\1/p' "$TEST_DIR/outage.out") - ($(received) - before))))
    echo "  link $1 down: $lost ms without a packet; $(sed -n 's/.*received, \(.*\) packet loss.*/\1/p' "$TEST_DIR/outage.out") of the pings unanswered"
    [ "$lost" -lt 300 ] || fail "$(cat "$TEST_DIR/outage.out")"
    wait_until 5 disabled "$1"
    link "$1" up
    wait_until 5 enabled "$1"
}
# Copies of a broadcast of va's that come to vb and back to va.
copies() {
    "$PYTHON" - "$(ovn_ns va)" "$(ovn_ns vb)" <<'PYTHON'
import ctypes, os, socket, sys, time
def socket_in(name):
    with open("/run/netns/" + name) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno())
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
    s.bind(("eth0", 0x88b5))
    s.setblocking(False)
    return s
a, b = socket_in(sys.argv[1]), socket_in(sys.argv[2])
for i in range(5):
    a.send(b"\xff" * 6 + bytes.fromhex("02000000000188b5") + bytes([i]) * 50)
    time.sleep(0.1)
time.sleep(0.2)
seen = {"a": 0, "b": 0}
for name, s in (("a", a), ("b", b)):
    while True:
        try:
            _, address = s.recvfrom(200)
        except BlockingIOError:
            break
        seen[name] += address[2] != socket.PACKET_OUTGOING
print(seen["b"], seen["a"])
PYTHON
}

OVN_SWITCH=$SLUICED
ovn_node a
ovn_node b
wires
switch_and_inner a "$SLUICED"
switch_and_inner b "$OVS_VSWITCHD"

step "active-backup: one member, and another one when its link goes"
vsctl a add-bond br0 bond0 w1 w2 bond_mode=active-backup
vsctl b add-port br0 w1 -- add-port br0 w2
assert_contains "$(appctl a bond/list)" "bond0	active-backup	0	w1, w2"
wait_until 5 enabled 2
appctl a bond/set-active-member bond0 w1 >/dev/null
wait_until 5 inside va ping -q -n -c 1 -W 1 10.0.0.2
assert_eq "$(copies)" "5 0" "copies of a broadcast, at the other end and back"
outage 1
wait_until 3 active_is 2
mac_of() { ip -n "$(ovn_ns a)" -br link show "$1" | awk '{print $3}'; }
told() { [ "$(vsctl a get Port bond0 bond_active_slave | tr -d '"')" = "$(mac_of "w$1")" ]; }
wait_until 3 told 2
appctl a bond/set-active-slave bond0 w1 >/dev/null
wait_until 3 told 1

step "balance-slb: a switch that knows nothing of the bond"
vsctl a set Port bond0 bond_mode=balance-slb other_config:bond-rebalance-interval=0
assert_contains "$(appctl a bond/show bond0)" "bond_mode: balance-slb" "lacp_status: off"
hash=$(appctl a bond/hash 02:00:00:00:00:01)
appctl a bond/migrate bond0 "$hash" w2 >/dev/null
wait_until 5 inside va ping -q -n -c 1 -W 1 10.0.0.2
assert_eq "$(copies)" "5 0" "copies of a broadcast"
outage 2

step "LACP with a bond of Open vSwitch's: both agree, and flows are spread"
vsctl a remove Port bond0 other_config bond-rebalance-interval -- set Port bond0 bond_mode=balance-tcp lacp=active other_config:lacp-time=fast
vsctl b del-port w1 -- del-port w2 -- add-bond br0 bond0 w1 w2 bond_mode=balance-tcp lacp=passive other_config:lacp-time=fast
negotiated() { appctl "$1" lacp/show bond0 | grep -q "status: .* negotiated" && [ "$(appctl "$1" lacp/show bond0 | grep -c 'may_enable: true')" = 2 ]; }
wait_until 10 negotiated a
wait_until 10 negotiated b
# What each says of itself is what the other one knows of it, but for the state, which is on its way.
said() { appctl "$1" lacp/show bond0 | sed -n "s/^  $2 //p" | grep -v '^state' | sort; }
assert_eq "$(said a actor)" "$(said b partner)" "what the ends know of a"
assert_eq "$(said b actor)" "$(said a partner)" "what the ends know of b"
form() { appctl "$1" lacp/show bond0 | sed 's/[0-9a-f:]\{17\}/MAC/; s/[0-9][0-9]*/N/g; s/status: [a-z]*/status: MODE/; s/state:.*/state/'; }
assert_eq "$(form a)" "$(form b)" "the form of lacp/show"
assert_eq "$(appctl a lacp/show-stats bond0 | sed 's/[0-9][0-9]*/N/g')" "$(appctl b lacp/show-stats bond0 | sed 's/[0-9][0-9]*/N/g')" "of lacp/show-stats"
form() { appctl "$1" bond/show bond0 | sed 's/[0-9a-f:]\{17\}([^)]*)/MAC/; s/-*[0-9][0-9]*/N/g; s/: yes/: no/' | grep -v '^  hash\|active member$'; }
assert_eq "$(form a)" "$(form b)" "the form of bond/show"
wait_until 5 inside va ping -q -n -c 1 -W 1 10.0.0.2
current() { [ "$(vsctl a get Interface w1 lacp_current)" = "$1" ]; }
wait_until 3 current true
assert_eq "$(copies)" "5 0" "copies of a broadcast"
sent() { on a cat "/sys/class/net/w$1/statistics/tx_packets"; }
before1=$(sent 1) before2=$(sent 2)
inside va "$PYTHON" -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(10000, 10256): s.sendto(b"x", ("10.0.0.2", port))'
spread() { [ $(($(sent 1) - before1)) -gt 60 ] && [ $(($(sent 2) - before2)) -gt 60 ]; }
wait_until 3 spread
outage 1
wait_until 10 negotiated a

step "a neighbour that falls silent, with its links up"
vsctl b set Port bond0 lacp=off
wait_until 12 disabled 1
wait_until 12 current false
assert_eq "$(copies)" "0 0" "copies of a broadcast without a neighbour"
vsctl a set Port bond0 lacp=off bond_mode=active-backup
vsctl b del-port bond0 -- add-port br0 w1

step "a bond of one interface is none, and a bond goes"
vsctl a del-bond-iface br0 w2 2>/dev/null || vsctl a remove Port bond0 interfaces "$(vsctl a get Interface w2 _uuid)"
assert_lacks "$(appctl a bond/list)" bond0
wait_until 5 inside va ping -q -n -c 1 -W 1 10.0.0.2
vsctl a del-port bond0
