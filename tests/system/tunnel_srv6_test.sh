#!/bin/bash
# SRv6 to the kernel's own segment routing: IPv4 and IPv6 inside, lists of segments and none, nodes on the way, TCP, MTUs; what is not for this host.
# timeout: 150
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS of Debian has no SRv6"; exit 0; }
. "$TEST_LIB/tunnels.sh"

switch_and_host "$SLUICED"

# --- b: the inner host, and the kernel's end of the tunnel
b6() { on b ip -6 "$@"; }
for f in all wire; do on b sh -c "echo 1 >/proc/sys/net/ipv6/conf/$f/seg6_enabled; echo 1 >/proc/sys/net/ipv6/conf/$f/forwarding"; done
allow_ipv6 on b lo
on b ip link set lo up
on b ip addr add 10.0.0.2/32 dev lo
on b ip addr add fd00::2/128 dev lo
on b ip sr tunsrc set 2001:db8::2 2>/dev/null || { echo "lacks the kernel's seg6"; exit 77; }
# back MODE: how b's packets go to a
back() {
    b6 route replace fd00::1/128 encap seg6 mode "$1" segs 2001:db8::1 dev wire src fd00::2
    on b ip route replace 10.0.0.1/32 encap seg6 mode "$1" segs 2001:db8::1 dev wire src 10.0.0.2
}
# Behind them is no Ethernet: va knows b's address.
for n in 10.0.0.2 fd00::2; do inside va ip neigh replace "$n" lladdr 02:00:00:00:00:02 dev eth0; done
outward() { # ACTIONS for IPv4, for IPv6
    ofctl_on a del-flows br-int
    ofctl_on a add-flows br-int - <<FLOWS
in_port=va,ip,actions=$1
in_port=va,ipv6,actions=$2
in_port=t,actions=set_field:02:00:00:00:00:01->eth_dst,output:va
FLOWS
}
tcp_both_ways() { # ADDRESS of b, of a
    background receive-b ip netns exec "$(ovn_ns b)" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive "$1"
    background receive-a ip netns exec "$(ovn_ns va)" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive "$2"
    wait_until 5 grep -q ready "$TEST_DIR/receive-b.log"
    wait_until 5 grep -q ready "$TEST_DIR/receive-a.log"
    local sent
    sent=$(inside va "$PYTHON" "$TEST_LIB/tcp_stream.py" send "$1" 2) || fail "tcp to $1"
    wait_until 5 grep -q "$sent" "$TEST_DIR/receive-b.log"
    sent=$(on b "$PYTHON" "$TEST_LIB/tcp_stream.py" send "$2" 2) || fail "tcp to $2"
    wait_until 5 grep -q "$sent" "$TEST_DIR/receive-a.log"
}
on b ethtool -K wire tx on tso on gso on >/dev/null 2>&1 || true

step "one segment, which is an address of the other end"
back encap
tunnel a srv6 2001:db8::2
outward output:t output:t
reaches va 10.0.0.2
reaches va fd00::2
tcp_both_ways 10.0.0.2 10.0.0.1
tcp_both_ways fd00::2 fd00::1
trace=$(appctl a ofproto/trace br-int in_port=va,ip,nw_dst=10.0.0.2)
assert_matches "$trace" 'Datapath actions: tnl_push\(tnl_port\([0-9]+\),header\(size=78,type=112,.*ipv6\(src=2001:db8::1,dst=2001:db8::2,label=0,proto=43,.*srv6\(segments_left=0,segs\(2001:db8::2\)\)\)'
assert_matches "$(appctl a dpctl/dump-flows)" 'tnl_pop\(43\)'
assert_matches "$(appctl a tnl/ports/show -v)" '^srv6_sys \([0-9]+\) : .*ipv6\(dst=2001:db8::1,proto=41,frag=no\)$'

step "no list of segments: IP in IPv6"
back encap.red
reaches va 10.0.0.2
reaches va fd00::2
tcp_both_ways 10.0.0.2 10.0.0.1
back encap

step "the MTU"
inside va ip link set eth0 mtu 1500
fits va 10.0.0.2 $((1500 - 64)) || fail "$((1500 - 64)) bytes do not fit"
! fits va 10.0.0.2 $((1500 - 63)) || fail "$((1500 - 63)) bytes fit"
assert_matches "$(appctl a drops)" '^tunnel_mtu +[1-9]'

step "segments that are functions of the other end, by way of a node"
inside va ip link set eth0 mtu $((1500 - 80))
b6 route add fc00:b::e/128 encap seg6local action End dev wire
b6 route add fc00:b::4/128 encap seg6local action End.DX4 nh4 10.0.0.2 dev wire
b6 route add fc00:b::6/128 encap seg6local action End.DT6 table local dev wire
on a ip -6 route add fc00:b::/64 via 2001:db8::2 dev br-phy
tunnel a srv6 flow srv6_flowlabel=compute
outward "set_field:fc00:b::4->tun_ipv6_dst,output:t" "set_field:fc00:b::6->tun_ipv6_dst,output:t"
reaches va 10.0.0.2
reaches va fd00::2
tcp_both_ways fd00::2 fd00::1
vsctl a add-port br-int t4 -- set Interface t4 type=srv6 options:remote_ip=fc00:b::e options:srv6_segs=fc00:b::e,fc00:b::4 \
    -- add-port br-int t6 -- set Interface t6 type=srv6 options:remote_ip=fc00:b::e options:key=6 options:srv6_segs=fc00:b::e,fc00:b::6
outward output:t4 output:t6
reaches va 10.0.0.2
reaches va fd00::2
tcp_both_ways 10.0.0.2 10.0.0.1
vsctl a del-port t4 -- del-port t6

step "a node on the way is not what this host is, and another end is unknown"
tunnel a srv6 2001:db8::2
outward output:t output:t
b6 route replace fd00::1/128 encap seg6 mode encap segs 2001:db8::1,fc00:c::9 dev wire
silent va fd00::2
assert_matches "$(appctl a drops)" '^tunnel_segments +[1-9]'
back encap
reaches va fd00::2
on b ip sr tunsrc set 2001:db8::7
silent va fd00::2
assert_matches "$(appctl a drops)" '^tunnel_unknown +[1-9]'
