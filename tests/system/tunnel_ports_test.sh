#!/bin/bash
# Tunnel ports as ovs-vsctl asks for them: options, changes while they run, conflicts, what the database and commands tell of them.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/box.sh"

box_make
box_switch
vsctl() { box ovs-vsctl --timeout=10 "$@"; }
appctl() { box ovs-appctl "$@"; }
# What ovs-vsctl prints, whether it fails or not.
says() { vsctl "$@" 2>&1 || true; }
error_is() { [ "$(vsctl get Interface "$1" error | tr -d '"')" = "$2" ]; }
number() { box_get Interface "$1" ofport; }

vsctl add-br br-int -- set Bridge br-int datapath_type=netdev

step "types of tunnels"
types=$(vsctl get Open_vSwitch . iface_types)
for type in vxlan geneve gre ip6gre erspan ip6erspan gtpu srv6; do
    case $type in ip6* | srv6) remote=2001:db8::2 ;; *) remote=192.0.2.2 ;; esac
    options=("options:remote_ip=$remote" options:key=7)
    [ "$type" != srv6 ] || options+=(options:srv6_segs=2001:db8::2,2001:db8:1::3 options:srv6_flowlabel=compute)
    [ "$type" != erspan ] || options+=(options:erspan_ver=1 options:erspan_idx=3f)
    vsctl add-port br-int "t-$type" -- set Interface "t-$type" "type=$type" "${options[@]}"
    [ "$(number "t-$type")" -gt 0 ] || fail "$type: $(vsctl get Interface "t-$type" error)"
    assert_eq "$(box_get Interface "t-$type" link_state)" up "link of $type"
    assert_contains "$types" "$type"
done
assert_contains "$(appctl dpif/show)" "(vxlan: key=7, remote_ip=192.0.2.2)" "(erspan: erspan_idx=0x3f, erspan_ver=1, key=7, remote_ip=192.0.2.2)" \
    "(ip6gre: key=7, remote_ip=2001:db8::2)" \
    "(srv6: key=7, remote_ip=2001:db8::2, srv6_flowlabel=compute, srv6_segs=2001:db8::2,2001:db8:1::3)"
assert_matches "$(appctl ofproto/list-tunnels)" '^port [0-9]+: t-geneve \(geneve: ::->192.0.2.2, key=0x7, legacy_l2, dp port=[0-9]+, ttl=64\)$'
assert_matches "$(appctl ofproto/list-tunnels)" '^port [0-9]+: t-gtpu \(gtpu: ::->192.0.2.2, key=0x7, legacy_l3, dp port=[0-9]+, ttl=64\)$'
assert_matches "$(appctl tnl/ports/show)" '^vxlan_sys_4789 \([0-9]+\) ref_cnt=1$'
assert_matches "$(appctl tnl/ports/show)" '^genev_sys_6081 \([0-9]+\) ref_cnt=1$'
for name in gre ip6gre erspan ip6erspan; do assert_matches "$(appctl tnl/ports/show)" "^${name}_sys \([0-9]+\) ref_cnt=1\$"; done
assert_matches "$(appctl tnl/ports/show)" '^srv6_sys \([0-9]+\) ref_cnt=1$'

step "a change while it runs keeps the number, and touches no other port"
was=$(number t-vxlan)
resets=$(vsctl get Interface t-geneve link_resets)
vsctl set Interface t-vxlan options:remote_ip=192.0.2.3 options:dst_port=8472 options:csum=true
assert_eq "$(number t-vxlan)" "$was" "number"
assert_eq "$(vsctl get Interface t-geneve link_resets)" "$resets" "link_resets"
assert_contains "$(appctl dpif/show)" "(vxlan: csum=true, dst_port=8472, key=7, remote_ip=192.0.2.3)"
assert_matches "$(appctl tnl/ports/show)" '^vxlan_sys_8472 '
assert_lacks "$(appctl tnl/ports/show)" vxlan_sys_4789
vsctl remove Interface t-vxlan options dst_port -- remove Interface t-vxlan options csum
assert_matches "$(appctl tnl/ports/show)" '^vxlan_sys_4789 '

step "the number that is asked for"
vsctl set Interface t-vxlan ofport_request=77
assert_eq "$(number t-vxlan)" 77 "number"

step "what cannot be is said in Open vSwitch's words"
assert_contains "$(says add-port br-int bad1 -- set Interface bad1 type=vxlan options:key=1)" \
    "bad1: vxlan type requires valid 'remote_ip' argument"
assert_eq "$(number bad1)" -1 "number"
assert_contains "$(says add-port br-int bad2 -- set Interface bad2 type=geneve options:remote_ip=224.0.0.1)" \
    "bad2: multicast remote_ip=224.0.0.1 not allowed"
assert_contains "$(says add-port br-int bad3 -- set Interface bad3 type=erspan options:remote_ip=192.0.2.2 options:erspan_ver=5)" \
    "bad3: invalid erspan version: 5"
assert_contains "$(says add-port br-int bad4 -- set Interface bad4 type=vxlan options:remote_ip=192.0.2.9 options:exts=gbp)" \
    "bad4: VXLAN-GBP, and non-VXLAN-GBP tunnels can't be configured on the same dst_port"
assert_contains "$(says add-port br-int bad5 -- set Interface bad5 type=geneve options:remote_ip=192.0.2.2 options:key=7)" \
    "could not add network device bad5 to ofproto (File exists)"
assert_eq "$(number bad5)" -1 "number"

step "a fault that goes away"
vsctl set Interface bad5 options:key=8
[ "$(number bad5)" -gt 0 ] || fail "$(vsctl get Interface bad5 error)"
error_is bad5 "[]"
says set Interface bad5 options:remote_ip=somewhere >/dev/null
assert_eq "$(number bad5)" -1 "number"
vsctl set Interface bad5 options:remote_ip=192.0.2.5
[ "$(number bad5)" -gt 0 ] || fail "$(vsctl get Interface bad5 error)"

step "options for ovs-monitor-ipsec"
vsctl add-port br-int ipsec -- set Interface ipsec type=gre options:remote_ip=192.0.2.9 options:psk=secret options:remote_name=peer
[ "$(number ipsec)" -gt 0 ] || fail "$(vsctl get Interface ipsec error)"

step "many, and gone"
for i in $(seq 100); do args+=(-- add-port br-int "m$i" -- set Interface "m$i" type=geneve "options:remote_ip=198.51.100.$i" options:key=flow); done
vsctl "${args[@]:1}"
assert_eq "$(appctl ofproto/list-tunnels | grep -c '^port .*: m[0-9]')" 100 "tunnels"
vsctl del-br br-int
assert_eq "$(appctl ofproto/list-tunnels)" "" "tunnels"
assert_eq "$(appctl tnl/ports/show)" "Listening ports:" "listeners"

step "packets to an address of this host end here"
vsctl add-br br-phy -- set Bridge br-phy datapath_type=netdev -- add-br br-int -- set Bridge br-int datapath_type=netdev
box ip addr add 192.0.2.1/24 dev br-phy
box ip link set br-phy up
vsctl add-port br-int t1 -- set Interface t1 type=gre options:remote_ip=192.0.2.2 -- add-port br-int t2 -- set Interface t2 type=vxlan \
    options:remote_ip=192.0.2.2
mac=$(box cat /sys/class/net/br-phy/address)
lists() { appctl tnl/ports/show -v | grep -qF -- "$1"; }
wait_until 3 lists "vxlan_sys_4789 (4789) : eth(dst=$mac),eth_type(0x0800),ipv4(dst=192.0.2.1,proto=17,frag=no),udp(dst=4789)"
lists "gre_sys (47) : eth(dst=$mac),eth_type(0x0800),ipv4(dst=192.0.2.1,proto=47,frag=no)"

step "internal ports leave room for outer headers"
mtu_is() { [ "$(box cat "/sys/class/net/$1/mtu")" = "$2" ]; }
vsctl add-port br-int i1 -- set Interface i1 type=internal -- add-port br-int i2 -- set Interface i2 type=internal mtu_request=1300
wait_until 3 mtu_is i1 1450
wait_until 3 mtu_is br-int 1450
mtu_is i2 1300
mtu_is br-phy 1500
vsctl set Interface br-phy mtu_request=2000
wait_until 3 mtu_is i1 1950
vsctl del-port t2 # that of GRE stays
wait_until 3 mtu_is i1 1962
vsctl remove Interface br-phy mtu_request 2000 -- clear Interface i2 mtu_request
wait_until 3 mtu_is br-phy 1500
wait_until 3 mtu_is i2 1462
wait_until 3 mtu_is i1 1462

step "where packets of a tunnel leave"
egress() { [ "$(box_get Interface t1 status:tunnel_egress_iface) $(box_get Interface t1 status:tunnel_egress_iface_carrier)" = "$*" ]; }
wait_until 3 egress br-phy up
box ip link set br-phy down
leaves_nowhere() { ! vsctl get Interface t1 status:tunnel_egress_iface >/dev/null 2>&1; }
wait_until 3 leaves_nowhere
box ip link set br-phy up
wait_until 3 egress br-phy up
box ip addr del 192.0.2.1/24 dev br-phy
wait_until 3 leaves_nowhere
gone() { ! lists 192.0.2.1; }
wait_until 3 gone
