#!/bin/bash
# A machine behind a switch with the database hardware_vtep, in a logical network of OVN: Open vSwitch's emulator of such a switch and ovn-controller-vtep.
# timeout: 200
# by name only
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovn.sh"

{ command -v ovn-controller-vtep && command -v vtep-ctl; } >/dev/null || { echo "lacks ovn-controller-vtep: scripts/setup-packages vtep"; exit 77; }

ovn_hosts h1
on h1 ovs-vsctl set Open_vSwitch . external_ids:ovn-encap-type=geneve,vxlan
ls_with web 1 web1 web2
for i in 1 2; do ovn_vm h1 "web$i" "web$i" "02:00:00:00:01:0$i" "10.0.1.$i/24"; done

step "the switch: a bridge with a port to a machine, its database, the emulator, and ovn-controller-vtep"
ovn_host rack 12
on rack ovsdb-tool create /etc/openvswitch/vtep.db /usr/share/openvswitch/vtep.ovsschema
on rack ovs-appctl -t ovsdb-server ovsdb-server/add-db /etc/openvswitch/vtep.db
ovn_namespace server
ip -n "$(ovn_ns server)" link add eth0 address 02:00:00:00:01:09 type veth peer name server netns "$(ovn_ns rack)"
ip -n "$(ovn_ns server)" addr add 10.0.1.9/24 dev eth0
ip -n "$(ovn_ns server)" link set eth0 mtu 1400 up
ip -n "$(ovn_ns rack)" link set server up
on rack ovs-vsctl --timeout=20 add-br tor -- set Bridge tor datapath_type=netdev -- add-port tor server
vtep() { on rack vtep-ctl --timeout=20 "$@"; }
vtep add-ps tor -- set Physical_Switch tor tunnel_ips=192.168.50.12 -- add-port tor server -- add-ls rack-web -- bind-ls tor server 0 rack-web
on rack /usr/share/openvswitch/scripts/ovs-vtep --log-file=/var/log/openvswitch/ovs-vtep.log --pidfile=/run/openvswitch/ovs-vtep.pid --detach tor
ovn_note rack openvswitch/ovs-vtep
on rack ovn-controller-vtep --vtep-db=unix:/run/openvswitch/db.sock --ovnsb-db=tcp:192.168.50.1:6642 -vconsole:off -vsyslog:off \
    --log-file=/var/log/ovn/ovn-controller-vtep.log --pidfile=/run/ovn/ovn-controller-vtep.pid --detach
ovn_note rack ovn/ovn-controller-vtep
wait_until 10 eval "sb list Chassis | grep -q tor"

step "the machine is in the logical switch"
nb lsp-add web web-rack -- lsp-set-type web-rack vtep -- lsp-set-options web-rack vtep-physical-switch=tor vtep-logical-switch=rack-web -- lsp-set-addresses web-rack unknown
sync
wait_until 20 eval "vtep list-remote-macs rack-web | grep -q 02:00:00:00:01:01"
for i in 1 2; do
    reaches server "10.0.1.$i"
    reaches "web$i" 10.0.1.9
done
wait_until 10 eval "vtep list-local-macs rack-web | grep -q 02:00:00:00:01:09" # the emulator looks from time to time
on rack ovs-appctl dpctl/dump-flows >"$TEST_DIR/flows"
assert_matches "$(cat "$TEST_DIR/flows")" 'vxlan|tunnel'

step "taken away from it"
nb lsp-del web-rack
sync
wait_until 20 eval "! inside web1 ping -q -n -c 1 -W 1 10.0.1.9"

step "nobody has anything to complain of"
no_complaints h1 rack
