#!/bin/bash
# Debian's OVN with two gateways and a host: by BFD they find out that one has gone, and packets to the outside take the other.
# timeout: 400
# by name only
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovn.sh"

ovn_hosts h1 g1 g2
# The network outside: a machine, and both gateways' bridges br-ex.
ovn_namespace outside
ip -n "$(ovn_ns outside)" link add eth0 type bridge
ip -n "$(ovn_ns outside)" addr add 172.16.0.254/24 dev eth0
ip -n "$(ovn_ns outside)" link set eth0 up
for gateway in g1 g2; do
    ip -n "$(ovn_ns outside)" link add "to-$gateway" type veth peer name ext netns "$(ovn_ns $gateway)"
    ip -n "$(ovn_ns outside)" link set "to-$gateway" master eth0 up
    ip -n "$(ovn_ns $gateway)" link set ext up
    on $gateway ovs-vsctl --timeout=20 add-br br-ex -- add-port br-ex ext -- set Open_vSwitch . external_ids:ovn-bridge-mappings=physnet:br-ex
done
nb set NB_Global . options:bfd-min-rx=100 options:bfd-min-tx=100
ls_with web 1 web1
nb lr-add lr
router_port lr web 1
nb ls-add public -- lsp-add public public-net -- lsp-set-type public-net localnet -- lsp-set-addresses public-net unknown -- lsp-set-options public-net network_name=physnet
nb lrp-add lr lr-public 02:00:00:00:03:fe 172.16.0.1/24 -- lrp-set-gateway-chassis lr-public g1 20 -- lrp-set-gateway-chassis lr-public g2 10
nb lsp-add public public-lr -- lsp-set-type public-lr router -- lsp-set-addresses public-lr router -- lsp-set-options public-lr router-port=lr-public
nb lr-nat-add lr snat 172.16.0.1 10.0.0.0/16 -- lr-nat-add lr dnat_and_snat 172.16.0.20 10.0.1.1
ovn_vm h1 web1 web1 02:00:00:00:01:01 10.0.1.1/24 10.0.1.254
sync

bfd_is() { # STATE HOST INTERFACE
    [ "$(on "$2" ovs-vsctl --timeout=10 get Interface "$3" bfd_status:state | tr -d '"')" = "$1" ]
}
chassis_is() { [ "$(sb --bare --columns=name list Chassis "$(sb --bare --columns=chassis find Port_Binding logical_port=cr-lr-public)")" = "$1" ]; }
# pinging: from inside and to the floating address from outside, 50 a second for some seconds; gap: the longest times without an answer
pinging() {
    inside web1 ping -D -n -c "$1" -i 0.02 -W 1 172.16.0.254 >"$TEST_DIR/pings.out" 2>&1 &
    out=$!
    inside outside ping -D -n -c "$1" -i 0.02 -W 1 172.16.0.20 >"$TEST_DIR/pings.in" 2>&1 &
    in=$!
    wait_until 5 grep -q 'bytes from' "$TEST_DIR/pings.out"
    wait_until 5 grep -q 'bytes from' "$TEST_DIR/pings.in"
}
gap() {
    wait $out $in || true
    for way in out in; do
        awk -v way=$way '/bytes from/ {t = substr($1, 2) + 0; if (last && t - last > gap) gap = t - last; last = t} END {printf "  %s: %d ms without an answer\n", way, gap * 1000; exit gap > 3}' \
            "$TEST_DIR/pings.$way" || fail "more than 3 s"
    done
}

step "the first gateway has the router's port, tunnels are up by BFD"
wait_until 20 bfd_is up h1 ovn-g1-0
wait_until 20 bfd_is up h1 ovn-g2-0
wait_until 20 bfd_is up g2 ovn-g1-0
wait_until 10 chassis_is g1
reaches web1 172.16.0.254
reaches outside 172.16.0.20

step "the first gateway's switch is killed: the second takes over"
pinging 200
ovn_kill g1 openvswitch/ovs-vswitchd
gap
wait_until 10 chassis_is g2
wait_until 5 bfd_is down h1 ovn-g1-0
reaches web1 172.16.0.254
reaches outside 172.16.0.20

step "it comes back, and has the port again"
pinging 200
ovn_switch g1
wait_until 20 bfd_is up h1 ovn-g1-0
wait_until 20 chassis_is g1
gap
reaches web1 172.16.0.254
reaches outside 172.16.0.20

step "a gateway that cannot be reached, though its switch runs"
pinging 200
ip -n "$(ovn_ns g1)" link set phys down
gap
wait_until 5 bfd_is down h1 ovn-g1-0
reaches web1 172.16.0.254

step "nobody has anything to complain of"
no_complaints h1 g1 g2
