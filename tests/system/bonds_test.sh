#!/bin/bash
# Bonds of two links to Open vSwitch, by ovs-vsctl, with and without LACP: no loop, one copy of a broadcast, less than 300 ms without packets when a
# link goes.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "it is what OVS does"; exit 0; }
. "$TEST_LIB/tunnels.sh"
[ -x "$OVS_VSWITCHD" ] || { echo "lacks Debian's openvswitch-switch"; exit 77; }

# Two bridges on either node, each pair with two wires of its own: br0 (w1, w2) has bonds that the other end knows nothing of, br1 (w3, w4) speaks LACP.
wires() {
    local i node
    for i in 1 2 3 4; do
        ip -n "$(ovn_ns a)" link add "w$i" type veth peer name "w$i" netns "$(ovn_ns b)"
        for node in a b; do
            on $node sh -c "echo 1 >/proc/sys/net/ipv6/conf/w$i/disable_ipv6"
            on $node ethtool -K "w$i" tx off >/dev/null 2>&1 || true
            ip -n "$(ovn_ns $node)" link set "w$i" up
        done
    done
    changed=$(ms)
}
start_switch() { # NODE DAEMON
    ln -sf "$2" "$OVN_WORK/$1/bin/ovs-vswitchd"
    ovn_database "$1"
    ovn_switch "$1"
}
# inner NODE BRIDGE HOST: the bridge, and a host 10.0.0.N behind it
inner() {
    local n=${NUMBER[$1]}
    vsctl "$1" add-br "$2" -- set Bridge "$2" datapath_type=netdev "other_config:hwaddr=02:00:00:00:1${2#br}:0$n" \
        -- add-port "$2" "$3" -- set Interface "$3" type=internal
    ovn_namespace "$3"
    ip -n "$(ovn_ns "$1")" link set dev "$3" netns "$(ovn_ns "$3")" name eth0 address "02:00:00:00:00:0$n"
    inside "$3" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
    inside "$3" ethtool -K eth0 tx off >/dev/null 2>&1 || true
    ip -n "$(ovn_ns "$3")" link set eth0 up
    ip -n "$(ovn_ns "$3")" addr add "10.0.0.$n/24" dev eth0
}
ms() { date +%s%3N; }
# link NUMBER up|down: at b's end, which a sees as a loss of carrier
link() {
    ip -n "$(ovn_ns b)" link set "w$1" "$2"
    changed=$(ms)
}
bond_of() { echo bond$((($1 - 1) / 2)); }
enabled() { appctl a bond/show "$(bond_of "$1")" | grep -q "^member w$1: enabled"; }
disabled() { appctl a bond/show "$(bond_of "$1")" | grep -q "^member w$1: disabled"; }
active_is() { appctl a bond/show bond0 | grep -A1 "^member w$1:" | grep -q "active member"; }
answered() { inside "$1" ping -q -n -c 1 -W 1 10.0.0.2; }
received() { inside "$1" cat /sys/class/net/eth0/statistics/rx_packets; }
# one_outage LINK FROM TO: pings every 5 ms while the link goes down; says for how many ms none came to TO, and brings the link back. Answers are a
# matter of the other switch, which has to learn the other way.
one_outage() {
    local ping before left=$((changed + 1000 - $(ms)))
    # The kernel tells of a link that goes down up to a second late if another one has just come up.
    [ "$left" -le 0 ] || sleep "$((left / 1000)).$(printf %03d $((left % 1000)))"
    before=$(received "$3")
    inside "$2" ping -q -n -i 0.005 -c 160 -W 0.5 10.0.0.2 >"$TEST_DIR/outage.out" &
    ping=$!
    sleep 0.2
    link "$1" down
    wait $ping || true
    lost=$((5 * ($(sed -n 's/\([0-9]*\) packets transmitted.*/\1/p' "$TEST_DIR/outage.out") - ($(received "$3") - before))))
    echo "  link $1 down: $lost ms without a packet; $(sed -n 's/.*received, \(.*\) packet loss.*/\1/p' "$TEST_DIR/outage.out") of the pings unanswered"
    wait_until 5 disabled "$1"
    link "$1" up
    wait_until 5 enabled "$1"
}
# outage LINK FROM TO [BEFORE]: the machine may have other things to do for as long; a fault shows each time. BEFORE is done before each try.
outage() {
    local lost
    for _ in 1 2 3; do
        # shellcheck disable=SC2086
        ${4:-true}
        one_outage "$1" "$2" "$3"
        [ "$lost" -ge 300 ] || return 0
    done
    fail "$(cat "$TEST_DIR/outage.out")"
}
# copies FROM TO N: copies of 5 broadcasts that come to TO, of which there should be N, and back to FROM
copies() {
    "$PYTHON" - "$(ovn_ns "$1")" "$(ovn_ns "$2")" "$3" <<'PYTHON'
import ctypes, socket, sys, time
def socket_in(name):
    with open("/run/netns/" + name) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno())
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
    s.bind(("eth0", 0x88b5))
    s.setblocking(False)
    return s
a, b = socket_in(sys.argv[1]), socket_in(sys.argv[2])
seen = {a: 0, b: 0}
def look():
    for s in seen:
        while True:
            try:
                _, address = s.recvfrom(200)
            except BlockingIOError:
                break
            seen[s] += address[2] != socket.PACKET_OUTGOING
for i in range(5):
    a.send(b"\xff" * 6 + bytes.fromhex("02000000000188b5") + bytes([i]) * 50)
    time.sleep(0.02)
end = time.monotonic() + 5
while seen[b] < int(sys.argv[3]) and time.monotonic() < end:
    time.sleep(0.01)
    look()
time.sleep(0.2) # for those that are too many
look()
print(seen[b], seen[a])
PYTHON
}

OVN_SWITCH=$SLUICED
ovn_node a
ovn_node b
wires
start_switch b "$OVS_VSWITCHD" &
other=$!
start_switch a "$SLUICED"
wait $other
for i in 0 1; do
    inner a br$i va$i
    inner b br$i vb$i
done
vsctl a add-bond br0 bond0 w1 w2 bond_mode=active-backup -- add-bond br1 bond1 w3 w4 bond_mode=active-backup
vsctl b add-port br0 w1 -- add-port br0 w2
# What both ends have to agree on, while others go on below.
vsctl a set Port bond1 bond_mode=balance-tcp lacp=active other_config:lacp-time=fast
vsctl b add-bond br1 bond1 w3 w4 bond_mode=balance-tcp lacp=passive other_config:lacp-time=fast

step "active-backup: one member, and another one when its link goes"
assert_contains "$(appctl a bond/list)" "bond0	active-backup	0	w1, w2"
wait_until 5 enabled 2
first_is_active() { appctl a bond/set-active-member bond0 w1 >/dev/null; }
first_is_active
wait_until 5 answered va0
assert_eq "$(copies va0 vb0 5)" "5 0" "copies of a broadcast, at the other end and back"
outage 1 va0 vb0 first_is_active
wait_until 3 active_is 2
mac_of() { ip -n "$(ovn_ns a)" -br link show "$1" | awk '{print $3}'; }
told() { [ "$(vsctl a get Port bond0 bond_active_slave | tr -d '"')" = "$(mac_of "w$1")" ]; }
wait_until 3 told 2
appctl a bond/set-active-slave bond0 w1 >/dev/null
wait_until 3 told 1

step "LACP with a bond of Open vSwitch's: both agree, and flows are spread"
negotiated() { appctl "$1" lacp/show bond1 | grep -q "status: .* negotiated" && [ "$(appctl "$1" lacp/show bond1 | grep -c 'may_enable: true')" = 2 ]; }
wait_until 10 negotiated a
wait_until 10 negotiated b
# What each says of itself is what the other one knows of it, but for the state, which is on its way.
said() { appctl "$1" lacp/show bond1 | sed -n "s/^  $2 //p" | grep -v '^state' | sort; }
assert_eq "$(said a actor)" "$(said b partner)" "what the ends know of a"
assert_eq "$(said b actor)" "$(said a partner)" "what the ends know of b"
form() { appctl "$1" lacp/show bond1 | sed 's/[0-9a-f:]\{17\}/MAC/; s/[0-9][0-9]*/N/g; s/status: [a-z]*/status: MODE/; s/state:.*/state/'; }
assert_eq "$(form a)" "$(form b)" "the form of lacp/show"
assert_eq "$(appctl a lacp/show-stats bond1 | sed 's/[0-9][0-9]*/N/g')" "$(appctl b lacp/show-stats bond1 | sed 's/[0-9][0-9]*/N/g')" "of lacp/show-stats"
form() { appctl "$1" bond/show bond1 | sed 's/[0-9a-f:]\{17\}([^)]*)/MAC/; s/-*[0-9][0-9]*/N/g; s/: yes/: no/' | grep -v '^  hash\|active member$'; }
assert_eq "$(form a)" "$(form b)" "the form of bond/show"
wait_until 5 answered va1
current() { [ "$(vsctl a get Interface w3 lacp_current)" = "$1" ]; }
wait_until 3 current true
assert_eq "$(copies va1 vb1 5)" "5 0" "copies of a broadcast"
sent() { on a cat "/sys/class/net/w$1/statistics/tx_packets"; }
before3=$(sent 3) before4=$(sent 4)
inside va1 "$PYTHON" -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(10000, 10256): s.sendto(b"x", ("10.0.0.2", port))'
spread() { [ $(($(sent 3) - before3)) -gt 60 ] && [ $(($(sent 4) - before4)) -gt 60 ]; }
wait_until 3 spread
outage 3 va1 vb1 'wait_until 10 negotiated a'
wait_until 10 negotiated a
# Its neighbour falls silent, with the links up, which takes three seconds to be noticed.
vsctl b set Port bond1 lacp=off

step "balance-slb: a switch that knows nothing of the bond"
vsctl a set Port bond0 bond_mode=balance-slb other_config:bond-rebalance-interval=0
assert_contains "$(appctl a bond/show bond0)" "bond_mode: balance-slb" "lacp_status: off"
hash=$(appctl a bond/hash 02:00:00:00:00:01)
by_second() { appctl a bond/migrate bond0 "$hash" w2 >/dev/null; }
by_second
wait_until 5 answered va0
assert_eq "$(copies va0 vb0 5)" "5 0" "copies of a broadcast"
outage 2 va0 vb0 by_second

step "a neighbour that falls silent, with its links up"
wait_until 12 disabled 3
wait_until 12 current false
assert_eq "$(copies va1 vb1 0)" "0 0" "copies of a broadcast without a neighbour"
vsctl a set Port bond1 lacp=off bond_mode=active-backup
vsctl b del-port bond1 -- add-port br1 w3

step "a bond of one interface is none, and a bond goes"
vsctl a del-bond-iface br1 w4 2>/dev/null || vsctl a remove Port bond1 interfaces "$(vsctl a get Interface w4 _uuid)"
assert_lacks "$(appctl a bond/list)" bond1
wait_until 5 answered va1
vsctl a del-port bond1
