#!/bin/bash
# Two Sluices: every type, also those for packets without Ethernet header; MTUs that nobody set; VLANs inside and outside; loops.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such MTUs"; exit 0; }
. "$TEST_LIB/tunnels.sh"

two_switches "$SLUICED" "$SLUICED"

# both TYPE FAMILY [OPTION=VALUE...]
both() {
    local type=$1 family=$2
    shift 2
    case $family in
        4) tunnel b "$type" 192.0.2.1 "$@" && tunnel a "$type" 192.0.2.2 "$@" ;;
        6) tunnel b "$type" 2001:db8::1 "$@" && tunnel a "$type" 2001:db8::2 "$@" ;;
    esac
}
# rules NODE: those read from the standard input, and no others
rules() { ofctl_on "$1" del-flows br-int && ofctl_on "$1" add-flows br-int -; }
# the MTU of the inner host, which the switch cannot set in another namespace
inner_mtu() {
    inside va ip link set eth0 mtu "$1"
    inside vb ip link set eth0 mtu "$1"
}

step "large packets, with an MTU that fits"
inner_mtu 1430
for type in vxlan geneve gre ip6gre erspan ip6erspan; do
    family=4
    case $type in ip6*) family=6 ;; esac
    echo "  $type"
    both $type $family key=5
    reaches va 10.0.0.2
    tcp va vb 10.0.0.2 4
    tcp vb va fd00::1 4
done
for type in vxlan geneve gre; do
    both $type 6 key=5 csum=true
    reaches va 10.0.0.2
    tcp va vb fd00::2 4
done

step "the host by way of its internal port, whose MTU nobody set"
both geneve 6 key=5
for node in a b; do
    allow_ipv6 on $node br-int
    on $node ip link set br-int up
    on $node ip addr add "10.1.0.${NUMBER[$node]}/24" dev br-int
done
mtu_is() { [ "$(on a cat /sys/class/net/br-int/mtu)" = "$1" ]; }
wait_until 3 mtu_is 1430
wait_until 5 on a ping -q -n -c 1 -W 1 10.1.0.2
on a ping -q -n -c 3 -i 0.05 -W 2 10.1.0.2 >/dev/null
on a ping -q -n -c 1 -W 2 -M do -s $((1430 - 28)) 10.1.0.2 >/dev/null

step "packets without Ethernet header: GTP-U, SRv6, GRE, VXLAN-GPE"
inside va ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0
inside vb ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0
for node in a b; do
    rules $node <<FLOWS
in_port=v$node,ip,actions=output:t
in_port=t,ip,actions=set_field:02:00:00:00:00:0${NUMBER[$node]}->eth_dst,output:v$node
FLOWS
done
both gtpu 4 key=5
reaches va 10.0.0.2
tcp va vb 10.0.0.2
both gtpu 6 key=5
reaches va 10.0.0.2
both srv6 6 srv6_flowlabel=compute
reaches va 10.0.0.2
tcp va vb 10.0.0.2
both gre 4 packet_type=legacy_l3
reaches va 10.0.0.2
tcp vb va 10.0.0.1
both vxlan 4 exts=gpe packet_type=legacy_l3
reaches va 10.0.0.2
# One sends packets and frames, the other tells them apart.
for node in a b; do
    ofctl_on "$node" -O OpenFlow15 del-flows br-int
    ofctl_on "$node" -O OpenFlow15 add-flows br-int - <<FLOWS
in_port=v$node,ip,actions=decap,output:t
in_port=v$node,arp,actions=output:t
priority=9,in_port=t,packet_type=(1,0x800),actions=encap(ethernet),set_field:02:00:00:00:00:0${NUMBER[$node]}->eth_dst,output:v$node
priority=8,in_port=t,arp,packet_type=(0,0),actions=output:v$node
FLOWS
done
both gre 4 packet_type=ptap
inside va ip neigh del 10.0.0.2 dev eth0
reaches va 10.0.0.2
[ "$(ofctl_on b -O OpenFlow15 dump-flows br-int packet_type=0x10800 | grep -o 'n_packets=[0-9]*')" != n_packets=0 ] || fail "no packet came without a header"
for node in a b; do echo actions=NORMAL | rules $node; done

step "VLANs inside"
both vxlan 4 exts=gbp
for node in a b; do vsctl $node set Port v$node tag=10; done
reaches va 10.0.0.2
vsctl b set Port vb tag=20
silent va 10.0.0.2
for node in a b; do vsctl $node clear Port v$node tag; done
reaches va 10.0.0.2

step "a VLAN outside"
for node in a b; do vsctl $node set Port br-phy tag=100; done
reaches va 10.0.0.2
vsctl b set Port br-phy tag=101
silent va 10.0.0.2
for node in a b; do vsctl $node clear Port br-phy tag; done
reaches va 10.0.0.2

step "one bridge for both"
for node in a b; do
    vsctl $node del-port t -- add-port br-phy t -- set Interface t type=vxlan "options:remote_ip=192.0.2.$((3 - NUMBER[$node]))" \
        -- del-port br-int v$node
    vsctl $node add-port br-phy patch-int -- set Interface patch-int type=patch options:peer=patch-phy \
        -- add-port br-int patch-phy -- set Interface patch-phy type=patch options:peer=patch-int
    echo "in_port=patch-int,actions=output:t" | ofctl_on $node add-flows br-phy -
    echo "in_port=t,actions=output:patch-int" | ofctl_on $node add-flows br-phy -
done
on_a_reaches() { on a ping -q -n -c 1 -W 1 10.1.0.2; }
wait_until 5 on_a_reaches
