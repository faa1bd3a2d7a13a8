#!/bin/bash
# Debian's OVN on two hosts with Sluice as the switch: what scripts/ovn-demo does not show of networks that go across hosts.
# timeout: 400
# by name only
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovn.sh"

ovn_hosts h1 h2
# The network outside: a machine, and both hosts' bridges br-ex.
ovn_namespace outside
ip -n "$(ovn_ns outside)" link add eth0 address 02:00:00:00:ff:01 type bridge
ip -n "$(ovn_ns outside)" addr add 172.16.0.254/24 dev eth0
ip -n "$(ovn_ns outside)" link set eth0 promisc on up
for host in h1 h2; do
    ip -n "$(ovn_ns outside)" link add "to-$host" type veth peer name ext netns "$(ovn_ns $host)"
    ip -n "$(ovn_ns outside)" link set "to-$host" master eth0 up
    ip -n "$(ovn_ns $host)" link set ext up
    on $host ovs-vsctl --timeout=20 add-br br-ex -- set Bridge br-ex other_config:hwaddr=02:00:00:00:51:0${host#h} -- add-port br-ex ext \
        -- set Open_vSwitch . external_ids:ovn-bridge-mappings=physnet:br-ex
done
ls_with web 1 web1 web2
nb lr-add lr
router_port lr web 1
for i in 1 2; do ovn_vm "h$i" "web$i" "web$i" "02:00:00:00:01:0$i" "10.0.1.$i/24" 10.0.1.254; done
nb ls-add public -- lsp-add public public-net -- lsp-set-type public-net localnet -- lsp-set-addresses public-net unknown -- lsp-set-options public-net network_name=physnet
nb lrp-add lr lr-public 02:00:00:00:03:fe 172.16.0.1/24 -- lrp-set-gateway-chassis lr-public h1
nb lsp-add public public-lr -- lsp-set-type public-lr router -- lsp-set-addresses public-lr router -- lsp-set-options public-lr router-port=lr-public
sync
reaches web1 10.0.1.2

step "DNAT: an address of the gateway is a machine of another host, which is asked alone"
nb lr-nat-add lr dnat 172.16.0.23 10.0.1.2
sync
reaches outside 172.16.0.23
nb lr-nat-del lr dnat 172.16.0.23

step "NAT on the host of the machine: packets do not go by the gateway"
nb lr-nat-add lr snat 172.16.0.1 10.0.0.0/16
nb lr-nat-add lr dnat_and_snat 172.16.0.22 10.0.1.2 web2 02:00:00:00:03:22
sync
reaches outside 172.16.0.22
reaches web2 172.16.0.254
assert_contains "$(ip -n "$(ovn_ns outside)" neigh show 172.16.0.22)" 02:00:00:00:03:22
inside outside bridge fdb show | grep 02:00:00:00:03:22 >"$TEST_DIR/fdb"
assert_contains "$(cat "$TEST_DIR/fdb")" "dev to-h2"
reaches web1 172.16.0.254

step "a gateway router on the second host: SNAT, and a load balancer for the outside"
nb ls-add join -- lrp-add lr lr-join 02:00:00:00:04:01 100.64.0.1/24 -- lsp-add join join-lr -- lsp-set-type join-lr router -- lsp-set-addresses join-lr router \
    -- lsp-set-options join-lr router-port=lr-join
nb lr-add gw -- set Logical_Router gw options:chassis=h2 options:lb_force_snat_ip=100.64.0.2 -- lrp-add gw gw-join 02:00:00:00:04:02 100.64.0.2/24 -- lsp-add join join-gw \
    -- lsp-set-type join-gw router -- lsp-set-addresses join-gw router -- lsp-set-options join-gw router-port=gw-join
nb lrp-add gw gw-public 02:00:00:00:03:fd 172.16.0.2/24 -- lsp-add public public-gw -- lsp-set-type public-gw router -- lsp-set-addresses public-gw router \
    -- lsp-set-options public-gw router-port=gw-public
nb lr-route-add gw 10.0.0.0/16 100.64.0.1 -- lb-add out 172.16.0.2:80 10.0.1.1:8080,10.0.1.2:8080 -- lr-lb-add gw out
sync
for i in 1 2; do web_server "web$i" 8080; done
wait_until 10 get outside 172.16.0.2
names outside 172.16.0.2 24 | sort -u >"$TEST_DIR/names"
assert_eq "$(wc -l <"$TEST_DIR/names")" 2 "members that answered"
nb lr-route-add lr 192.0.2.0/24 100.64.0.2 -- lr-nat-add gw snat 172.16.0.2 10.0.0.0/16
inside outside ip addr add 192.0.2.1/32 dev lo
nb lr-route-add gw 192.0.2.0/24 172.16.0.254
sync
reaches web1 192.0.2.1

step "a network with a VLAN outside"
nb ls-add vlan -- lsp-add vlan vlan-net "" 77 -- lsp-set-type vlan-net localnet -- lsp-set-addresses vlan-net unknown -- lsp-set-options vlan-net network_name=physnet
nb lsp-add vlan v1 -- lsp-set-addresses v1 "02:00:00:00:07:01 10.0.7.1"
ovn_vm h1 v1 v1 02:00:00:00:07:01 10.0.7.1/24
sync
vlan_interface outside 77 02:00:00:00:07:fe 10.0.7.254/24
reaches v1 10.0.7.254

step "a machine moves to the other host"
inside web2 ping -q -n -c 150 -i 0.05 -W 1 10.0.1.1 >"$TEST_DIR/moves" 2>&1 &
pinging=$!
on h1 ovs-vsctl --timeout=20 del-port br-int v1
ip netns delete "$(ovn_ns v1)"
ovn_vm h2 v1 v1 02:00:00:00:07:01 10.0.7.1/24
sync
reaches v1 10.0.7.254
wait $pinging || true
assert_contains "$(cat "$TEST_DIR/moves")" " 0% packet loss"

step "packets that are too long for the gateway are answered"
nb set Logical_Router_Port gw-public options:gateway_mtu=1300
sync
inside web1 ip route flush cache
wait_until 5 eval "! inside web1 ping -n -c 1 -W 1 -M do -s 1350 192.0.2.1"
inside web1 ping -n -c 2 -W 1 -M do -s 1350 192.0.2.1 >"$TEST_DIR/long" 2>&1 || true
assert_matches "$(cat "$TEST_DIR/long")" 'mtu ?= ?1300|message too long'
nb remove Logical_Router_Port gw-public options gateway_mtu

step "egress queues: what goes out by a localnet port is kept to its rate, by classes that ovn-controller makes"
background iperf ip netns exec "$(ovn_ns outside)" iperf3 -s --forceflush
wait_until 5 grep -q 'listening' "$TEST_DIR/iperf.log"
kbit() { # of TCP that arrive outside
    inside web1 iperf3 -c 172.16.0.254 -J -t 2 >"$TEST_DIR/iperf.json" || fail "$(cat "$TEST_DIR/iperf.json")"
    "$PYTHON" -c 'import json, sys; print(int(json.load(open(sys.argv[1]))["end"]["sum_received"]["bits_per_second"] / 1000))' "$TEST_DIR/iperf.json"
}
before=$(kbit)
on h1 ovs-vsctl set Interface ext external_ids:ovn-egress-iface=true
nb set Logical_Switch_Port public-net options:qos_min_rate=1000000 options:qos_max_rate=2000000 options:qos_burst=100000
sync
wait_until 10 eval 'on h1 tc class show dev ext | grep -q "ceil 2Mbit"'
assert_eq "$(on h1 ovs-vsctl --bare --columns=type list QoS)" linux-noop "type of QoS"
limited=$(kbit)
echo "  $before kbit/s before, $limited after"
[ "$before" -gt 10000 ] && [ "$limited" -gt 800 ] && [ "$limited" -lt 2400 ] || fail "2 Mbit/s were asked for"
for option in qos_min_rate qos_max_rate qos_burst; do nb remove Logical_Switch_Port public-net options $option; done
sync
wait_until 10 eval 'on h1 tc class show dev ext | { ! grep -q "ceil 2Mbit"; }'
[ "$(kbit)" -gt 10000 ] || fail "the limit stays"

step "a mirror: what a machine sends and what it gets is copied to an analyser, by GRE"
background analyser ip netns exec "$(ovn_ns central)" tcpdump -l -nn -i eth0 'proto 47 and src 192.168.50.11'
wait_until 5 grep -q 'listening on' "$TEST_DIR/analyser.log"
copied() { grep -q "GREv0, key=$1,.* IP $2: ICMP echo $3" "$TEST_DIR/analyser.log"; }
nb mirror-add sent gre 7 from-lport 192.168.50.1 -- mirror-add got gre 8 to-lport 192.168.50.1 -- lsp-attach-mirror web1 sent -- lsp-attach-mirror web1 got
sync
mirror_works() { reaches web1 10.0.1.2 && copied 0x7 '10.0.1.1 > 10.0.1.2' request && copied 0x8 '10.0.1.2 > 10.0.1.1' reply; }
wait_until 15 mirror_works
nb lsp-detach-mirror web1 sent -- lsp-detach-mirror web1 got -- mirror-del
sync
wait_until 10 eval '[ -z "$(on h1 ovs-vsctl --bare --columns=name list Mirror)" ]'

step "VXLAN between hosts instead of Geneve"
for host in h1 h2; do on $host ovs-vsctl set Open_vSwitch . external_ids:ovn-encap-type=vxlan; done
for host in h1 h2; do wait_until 10 eval "on $host ovs-vsctl --bare --columns=name find Interface type=vxlan | grep -q ovn-"; done
sync
reaches web1 10.0.1.2
reaches web1 172.16.0.254

step "nobody has anything to complain of"
no_complaints h1 h2
