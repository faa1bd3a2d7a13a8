#!/bin/bash
# Fake bridges of ovs-vsctl (add-br br0.10 br0 10): a VLAN of a bridge that looks like a bridge, with traffic in, out and between.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "BOX_VSWITCHD names the other switch here"; exit 77; }
. "$TEST_LIB/box.sh"

box_make
box_switch
box ovs-vsctl add-br br0 -- set Bridge br0 other_config:hwaddr=02:00:00:00:aa:01
box_host h1 10.0.0.1/24 02:00:00:00:00:01
box_host h2 10.0.0.2/24 02:00:00:00:00:02
box_host h3 10.0.0.3/24 02:00:00:00:00:03
box_host h4 10.0.0.4/24 02:00:00:00:00:04

step "ovs-vsctl knows it as a bridge"
box ovs-vsctl add-br br0.10 br0 10
box ovs-vsctl add-br br0.20 br0 20
assert_eq "$(box ovs-vsctl br-to-vlan br0.10) $(box ovs-vsctl br-to-parent br0.10)" "10 br0"
assert_eq "$(box ovs-vsctl list-br | tr '\n' ' ')" "br0 br0.10 br0.20 "
box ovs-vsctl add-port br0.10 "$(host_if h1)" -- add-port br0.10 "$(host_if h2)" -- add-port br0 "$(host_if h3)" -- add-port br0.20 "$(host_if h4)"
assert_eq "$(box_get Port "$(host_if h1)" tag) $(box_get Port "$(host_if h4)" tag) $(box_get Port "$(host_if h3)" tag)" "10 20 []"
assert_eq "$(box ovs-vsctl list-ports br0.10 | wc -l) $(box ovs-vsctl list-ports br0)" "2 $(host_if h3)"

step "its interface is in the VLAN, with the MAC address of the bridge"
box ip addr add 10.0.0.10/24 dev br0.10
box ip link set br0.10 up
assert_eq "$(box cat /sys/class/net/br0.10/address)" 02:00:00:00:aa:01
wait_until 5 ping_once h1 10.0.0.10
ping_ok h1 10.0.0.10
ping_ok h2 10.0.0.10
box ping -q -c 2 -i 0.2 -W 2 10.0.0.1 >/dev/null || fail "br0.10 does not reach h1"

step "packets stay in their VLAN; a port of the bridge itself is a trunk"
ping_ok h1 10.0.0.2
ping_none h1 10.0.0.3
ping_none h1 10.0.0.4
ping_none h4 10.0.0.10
capture h3
ping_none h2 10.0.0.99 # an ARP request to all
wait_until 3 captured h3 'vlan 10,.*who-has 10.0.0.99'
! captured h3 '> ff:ff:ff:ff:ff:ff, ethertype ARP' || fail "without its tag"
packets h3 'Ether(src="02:00:00:00:00:03",dst="02:00:00:00:00:02")/Dot1Q(vlan=10)/IP(src="10.0.0.3",dst="10.0.0.2")/UDP(sport=1,dport=2)/("x"*20)' \
    "h2=not p.haslayer(Dot1Q) and p.dst == '02:00:00:00:00:02'" h4=none
packets h1 'Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:03")/IP(src="10.0.0.1",dst="10.0.0.3")/UDP(sport=1,dport=2)/("x"*20)' \
    "h3=p.haslayer(Dot1Q) and p[Dot1Q].vlan == 10" h2=none h4=none
packets h3 'Ether(src="02:00:00:00:00:03",dst="02:00:00:00:00:04")/Dot1Q(vlan=20)/IP(src="10.0.0.3",dst="10.0.0.4")/UDP(sport=1,dport=2)/("x"*20)' \
    "h4=not p.haslayer(Dot1Q)" h1=none h2=none

step "it goes with its ports, and the rest stays"
box ovs-vsctl del-br br0.10
assert_eq "$(box ovs-vsctl list-ports br0.20) $(box ovs-vsctl list-ports br0)" "$(host_if h4) $(host_if h3)"
wait_until 5 eval '! box ip link show br0.10 >/dev/null 2>&1'
box ovs-vsctl add-port br0.20 "$(host_if h1)"
wait_until 5 ping_once h1 10.0.0.4
box ovs-vsctl del-br br0
wait_until 5 eval '! box ip link show br0.20 >/dev/null 2>&1'
