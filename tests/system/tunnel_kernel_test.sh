#!/bin/bash
# VXLAN to the kernel's own: over IPv4 and IPv6, checksums on and off, VLANs inside, TCP, MTUs; a host that is down, a route that goes.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has its own tests of this"; exit 0; }
. "$TEST_LIB/tunnels.sh"
ip link add "${TEST_ID}x" type vxlan id 1 dstport 4789 remote 192.0.2.1 2>/dev/null || { echo "lacks the kernel's vxlan"; exit 77; }
ip link del "${TEST_ID}x"

switch_and_host "$SLUICED"

# kernel FAMILY VNI [OPTION...]: the interface vx of b, with b's inner addresses
kernel() {
    local remote=192.0.2.1 local=192.0.2.2
    [ "$1" = 4 ] || { remote=2001:db8::1 local=2001:db8::2; }
    on b ip link del vx 2>/dev/null || true
    on b ip link add vx type vxlan id "$2" dstport 4789 remote $remote local $local dev wire "${@:3}"
    on b ip link set vx address 02:00:00:00:00:02
    inner_addresses "$(ovn_ns b)" vx 2
}
# The inner host vb is b itself.
tcp_with_b() {
    background receive-b ip netns exec "$(ovn_ns b)" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive "$1"
    wait_until 5 grep -q ready "$TEST_DIR/receive-b.log"
    local sent
    sent=$(inside va "$PYTHON" "$TEST_LIB/tcp_stream.py" send "$1" 2) || fail "tcp to $1"
    wait_until 5 grep -q "$sent" "$TEST_DIR/receive-b.log"
}

# b's segments of 64 KB come as they are, in the kernel's own outer headers.
tcp_from_b() {
    background receive-a ip netns exec "$(ovn_ns va)" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive "$1"
    wait_until 5 grep -q ready "$TEST_DIR/receive-a.log"
    local sent
    sent=$(on b "$PYTHON" "$TEST_LIB/tcp_stream.py" send "$1" 2) || fail "tcp from b to $1"
    wait_until 5 grep -q "$sent" "$TEST_DIR/receive-a.log"
}
on b ethtool -K wire tx on tso on gso on >/dev/null 2>&1 || true

for family in 4 6; do
    step "over IPv$family"
    remote=192.0.2.2 csum=udpcsum none=noudpcsum
    [ $family = 4 ] || remote=2001:db8::2 csum="noudp6zerocsumtx noudp6zerocsumrx" none="udp6zerocsumtx udp6zerocsumrx"
    # shellcheck disable=SC2086
    kernel $family 5000 $none
    tunnel a vxlan $remote key=5000
    reaches va 10.0.0.2
    reaches va fd00::2
    tcp_with_b 10.0.0.2
    tcp_from_b 10.0.0.1
    # shellcheck disable=SC2086
    kernel $family 5000 $csum
    tunnel a vxlan $remote key=5000 csum=true
    reaches va 10.0.0.2
    tcp_with_b fd00::2
    tcp_from_b fd00::1
done
! appctl a drops | grep -q '^rx_offload' || fail "packets of the kernel's were refused"

step "neighbour discovery over IPv6: the kernel is asked and answers, the first packet waits"
on a ip -6 neigh flush dev br-phy
on b ip -6 neigh flush dev wire
assert_eq "$(appctl a tnl/neigh/flush)" OK
inside va ping -q -n -c 1 -W 3 10.0.0.2 >/dev/null || fail "the first packet was lost: $(appctl a tnl/neigh/show)"
assert_matches "$(appctl a tnl/neigh/show)" "^2001:db8::2 +$(on b cat /sys/class/net/wire/address) +br-phy$"
assert_matches "$(appctl a tnl/next-hops)" '^2001:db8::2 dev br-phy src 2001:db8::1 via 2001:db8::2 bridge br-phy port br-phy mac .*: ready$'
# From an address that the kernel has taken elsewhere: it is asked again.
on b ip link set wire down
on b ip link set wire address 02:00:00:00:01:72 up
on b ip -6 addr replace 2001:db8::2/64 dev wire nodad
assert_eq "$(appctl a tnl/neigh/flush)" OK
wait_until 5 inside va ping -q -n -c 1 -W 1 10.0.0.2
assert_matches "$(appctl a tnl/neigh/show)" "^2001:db8::2 +02:00:00:00:01:72 +br-phy$"

step "with the extension for group-based policies"
kernel 4 5000 gbp
tunnel a vxlan 192.0.2.2 key=5000 exts=gbp
reaches va 10.0.0.2

step "an inner MTU that fits, made by nobody"
kernel 4 5000
tunnel a vxlan 192.0.2.2 key=5000
fits_mtu() { [ "$(on a cat /sys/class/net/br-int/mtu)" = 1450 ]; }
wait_until 3 fits_mtu
reaches va 10.0.0.2
inside va ip link set eth0 mtu 1450
fits va 10.0.0.2 1450 || fail "1450 bytes do not fit"
inside va ip link set eth0 mtu 1500
! fits va 10.0.0.2 1451 || fail "1451 bytes fit"
assert_matches "$(appctl a drops)" '^tunnel_mtu +[1-9]'

step "a key of the flow, both ways"
tunnel a vxlan 192.0.2.2 key=flow
ofctl_on a del-flows br-int
ofctl_on a add-flows br-int - <<'FLOWS'
in_port=va,actions=set_field:5000->tun_id,output:t
in_port=t,tun_id=5000,tun_src=192.0.2.2,actions=output:va
FLOWS
reaches va 10.0.0.2
ofctl_on a add-flow br-int in_port=va,actions=set_field:5001-\>tun_id,output:t
silent va 10.0.0.2
ofctl_on a del-flows br-int
ofctl_on a add-flow br-int actions=NORMAL
tunnel a vxlan 192.0.2.2 key=5000
reaches va 10.0.0.2

step "the other end changes while packets flow"
on b ip addr add 192.0.2.3/24 dev wire
vsctl a set Interface t options:remote_ip=192.0.2.3
on b ip link del vx
on b ip link add vx type vxlan id 5000 dstport 4789 remote 192.0.2.1 local 192.0.2.3 dev wire
on b ip link set vx address 02:00:00:00:00:02
inner_addresses "$(ovn_ns b)" vx 2
reaches va 10.0.0.2

step "a host that is down, and comes"
vsctl a set Interface t options:remote_ip=192.0.2.99
silent va 10.0.0.2
reachable() { appctl a drops | grep -qE '^tunnel_unreachable +[1-9]'; }
wait_until 5 reachable
on b ip addr add 192.0.2.99/24 dev wire
on b ip link set vx type vxlan local 192.0.2.99 remote 192.0.2.1
reaches va 10.0.0.2

step "no route, and one again"
on a ip addr del 192.0.2.1/24 dev br-phy
sleep 0.1
silent va 10.0.0.2
assert_matches "$(appctl a drops)" '^tunnel_no_route +[1-9]'
on a ip addr add 192.0.2.1/24 dev br-phy
reaches va 10.0.0.2
