#!/bin/bash
# Interfaces of the kernel's through AF_XDP, by type=afxdp in the database: packets, queues, and an interface that comes later.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "BOX_VSWITCHD names the other switch here"; exit 77; }
"$PYTHON" -c 'import socket; socket.socket(44, socket.SOCK_RAW)' 2>/dev/null || { echo "the kernel has no AF_XDP"; exit 77; }
. "$TEST_LIB/box.sh"

box_make
box_switch
box_host h1 10.0.0.1/24 02:00:00:00:00:01
box_host h2 10.0.0.2/24 02:00:00:00:00:02
p1=$(host_if h1) p2=$(host_if h2)
box ovs-vsctl add-br br0
[[ $(box_get Open_vSwitch . iface_types) == *afxdp* ]] || fail "not among the types"

step "an interface that is not there yet"
said=$(box ovs-vsctl add-port br0 later -- set Interface later type=afxdp 2>&1)
assert_contains "$said" "could not open network device later (No such device)"
assert_eq "$(box_get Interface later ofport)" -1
box ip link add later type veth peer name later2
wait_until 5 eval '[ "$(box_get Interface later ofport)" -gt 0 ]'
box ovs-vsctl del-port later

step "packets between AF_XDP and a system port, both ways"
box ovs-vsctl add-port br0 "$p1" -- set Interface "$p1" type=afxdp options:xdp-mode=generic options:n_rxq=1 -- add-port br0 "$p2"
assert_eq "$(box_get Interface "$p1" error)" "[]"
assert_eq "$(box_get Interface "$p1" status:driver_name)" net_af_xdp
wait_until 5 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2
packets h1 'Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=1,dport=2)/("x"*1400)' 20 h2=same

step "and without it again"
box ovs-vsctl set Interface "$p1" type=system
wait_until 5 ping_once h1 10.0.0.2
wait_until 3 eval '[ "$(box_get Interface "$p1" status:driver_name)" = veth ]'
box ovs-vsctl del-br br0
