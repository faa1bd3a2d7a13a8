#!/bin/bash
# Tunnels to Open vSwitch's userspace datapath: VXLAN, Geneve, GRE, ERSPAN over IPv4 and IPv6, checksums on and off; pings and TCP.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "it is what OVS does"; exit 0; }
[ -x /usr/lib/openvswitch-switch/ovs-vswitchd ] || { echo "lacks Debian's openvswitch-switch"; exit 77; }
. "$TEST_LIB/tunnels.sh"

two_switches "$SLUICED" "$OVS_VSWITCHD" 1400

# both TYPE FAMILY [OPTION=VALUE...]
both() {
    local type=$1 family=$2
    shift 2
    case $family in
        4) tunnel b "$type" 192.0.2.1 "$@" && tunnel a "$type" 192.0.2.2 "$@" ;;
        6) tunnel b "$type" 2001:db8::1 "$@" && tunnel a "$type" 2001:db8::2 "$@" ;;
    esac
    reaches va 10.0.0.2
    reaches vb fd00::1
}

for type in vxlan geneve gre; do
    for family in 4 6; do
        step "$type over IPv$family"
        both $type $family key=5000
        tcp va vb 10.0.0.2
        tcp vb va 10.0.0.1
        both $type $family key=5000 csum=true
        tcp va vb fd00::2
    done
done
step "GRE without a key, and numbered"
both gre 4
both gre 4 key=7 seq=true
for family in 4 6; do
    step "ERSPAN over IPv$family, types II and III"
    type=erspan
    [ $family = 4 ] || type=ip6erspan
    both $type $family key=100 erspan_ver=1 erspan_idx=3f
    tcp va vb 10.0.0.2
    both $type $family key=100 erspan_ver=2 erspan_dir=1 erspan_hwid=2a
done
step "counters, and what packets were not for"
counted() { [ "$(vsctl a get Interface t statistics:rx_packets)" -gt 5 ] && [ "$(vsctl a get Interface t statistics:tx_packets)" -gt 5 ]; }
both vxlan 4 key=8
wait_until 8 counted
tunnel b vxlan 192.0.2.1 key=9
silent vb 10.0.0.1
assert_matches "$(appctl a drops)" '^tunnel_unknown +[1-9]'
