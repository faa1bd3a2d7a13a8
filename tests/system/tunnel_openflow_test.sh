#!/bin/bash
# Flow-based tunnels: rules say where packets go and with which key and options, and match on what comes; through connection tracking,
# groups and patch ports, to controllers and back.
# timeout: 150
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "tunnel_ovs has it at the other end"; exit 0; }
. "$TEST_LIB/tunnels.sh"

two_switches "$SLUICED" "$SLUICED"
for node in a b; do inside v$node ip link set eth0 mtu 1400; done
for node in a b; do
    vsctl $node set-fail-mode br-int secure
    tunnel $node geneve flow key=flow
    ofctl_on $node add-tlv-map br-int "{class=0x102,type=0x80,len=4}->tun_metadata0"
done
rules() { ofctl_on "$1" del-flows "${2:-br-int}" && ofctl_on "$1" add-flows "${2:-br-int}" -; }
# send NODE [ACTIONS]: what the inner host sends goes to the other node
send() {
    local to=$((3 - NUMBER[$1]))
    echo "table=0,in_port=v$1,actions=set_field:192.0.2.$to->tun_dst,set_field:5->tun_id,set_field:0x10002->tun_metadata0,${2:-}output:t"
}
megaflows() { appctl "$1" dpctl/dump-flows; }

step "key, address and option of rules"
for node in a b; do
    rules $node <<FLOWS
$(send $node)
table=0,in_port=t,tun_id=5,tun_src=192.0.2.$((3 - NUMBER[$node])),tun_metadata0=0x10002,actions=output:v$node
FLOWS
done
reaches va 10.0.0.2
tcp va vb 10.0.0.2
assert_matches "$(megaflows a)" 'tnl_push\(.*geneve\(crit,vni=0x5,options\(\{class=0x102,type=0x80,len=4,0x10002\}\)\)'
assert_matches "$(appctl a dpctl/dump-flows --names)" 'tnl_push\(tnl_port\(t\),header\(size=58,type=5,'
assert_matches "$(appctl b dpctl/dump-flows)" 'actions:tnl_pop\(6081\)'
assert_matches "$(megaflows b)" 'tunnel\(tun_id=0x5,src=192.0.2.1,geneve\(\{class=0x102,type=0x80,len=4,0x10002\}\)\),recirc_id\(0\)'

step "packets that do not fit are dropped by name, and who sends them is told if the port says so"
for node in a b; do inside v$node ip link set eth0 mtu 1500; done
inside va ip route flush cache
! fits va 10.0.0.2 1450 || fail "1450 bytes fitted"
assert_matches "$(appctl a drops)" '^tunnel_mtu +[1-9]'
for node in a b; do
    vsctl $node set Interface t options:icmp_too_big=true
    # The messages come from the other end, by the key that the packet went out with, without options.
    ofctl_on $node add-flow br-int "in_port=t,tun_id=5,tun_src=192.0.2.$((3 - NUMBER[$node])),tun_metadata0=0,actions=output:v$node"
done
heard() {
    inside va ping -q -n -c 1 -W 1 -M do -s 1450 10.0.0.2 >/dev/null 2>&1 || true
    inside va ip route get 10.0.0.2 | grep -q 'mtu 1442'
}
wait_until 3 heard
tcp va vb 10.0.0.2
tcp vb va fd00::1
for node in a b; do inside v$node ip link set eth0 mtu 1400; done

step "that an option is there, whatever its value, cannot be asked, and means no other flows"
assert_fails ofctl_on a del-flows br-int tun_metadata0
assert_contains "$OUTPUT" OFPBMC_BAD_MASK
reaches va 10.0.0.2

step "another option is another flow"
rules a <<<"$(send a set_field:3-\>tun_metadata0,)"
silent va 10.0.0.2
rules a <<FLOWS
$(send a)
in_port=t,actions=output:va
FLOWS
reaches va 10.0.0.2

step "what outer headers said is there behind connection tracking"
rules b <<FLOWS
$(send b)
in_port=t,ip,actions=ct(table=1,zone=tun_id[0..15])
in_port=t,arp,actions=output:vb
table=1,ip,ct_state=+trk,ct_zone=5,tun_id=5,tun_metadata0=0x10002,actions=ct(commit,zone=5),move:NXM_NX_TUN_METADATA0[0..15]->NXM_NX_REG0[0..15],resubmit(,2)
table=2,reg0=2,tun_dst=192.0.2.2,actions=output:vb
FLOWS
reaches va 10.0.0.2

step "and behind a patch port it is not"
vsctl b add-br br-ext -- set Bridge br-ext datapath_type=netdev -- add-port br-int pi -- set Interface pi type=patch options:peer=pe \
    -- add-port br-ext pe -- set Interface pe type=patch options:peer=pi
rules b br-ext <<<"in_port=pe,tun_id=0,tun_src=0.0.0.0,actions=in_port"
rules b <<FLOWS
$(send b)
in_port=t,tun_id=5,actions=output:pi
in_port=pi,tun_id=0,actions=output:vb
FLOWS
reaches va 10.0.0.2

step "a select group of two ways"
ofctl_on a -O OpenFlow13 add-group br-int "group_id=1,type=select,bucket=set_field:192.0.2.2->tun_dst,output:t,bucket=set_field:192.0.2.2->tun_dst,output:t"
rules a <<FLOWS
in_port=va,actions=set_field:5->tun_id,set_field:0x10002->tun_metadata0,group:1
in_port=t,actions=output:va
FLOWS
reaches va 10.0.0.2

step "controllers are told, and say it"
rules a <<FLOWS
$(send a)
in_port=t,actions=output:va
FLOWS
rules b <<FLOWS
$(send b)
priority=40000,in_port=t,icmp,actions=set_field:9->tun_gbp_id,controller,output:vb
in_port=t,actions=output:vb
FLOWS
for version in OpenFlow10 OpenFlow13 OpenFlow15; do
    background "monitor-$version" nsenter -t "${OVN_NODE_PID[b]}" -m -n -- ovs-ofctl -O $version monitor br-int 65534
    sleep 0.3
    inside va ping -q -n -c 2 -i 0.1 -W 2 10.0.0.2 >/dev/null
    told() { grep -q 'tun_id=0x5.*tun_src=192.0.2.1.*tun_dst=192.0.2.2.*tun_gbp_id=9' "$TEST_DIR/monitor-$version.log"; }
    wait_until 3 told
    grep -q 'tun_metadata0=0x10002' "$TEST_DIR/monitor-$version.log" || fail "no option: $(cat "$TEST_DIR/monitor-$version.log")"
done
rules b <<FLOWS
in_port=t,arp,tun_id=7,actions=output:vb
FLOWS
inside vb sh -c 'ip neigh flush all'
capture() { ofctl_on b dump-flows br-int arp | sed -n 's/.*n_packets=\([0-9]*\).*/\1/p'; }
ofctl_on a packet-out br-int "in_port=controller,packet=ffffffffffff020000000009080600010800060400010200000000090a00000900000000000000000a000002,actions=set_field:192.0.2.2->tun_dst,set_field:7->tun_id,output:t"
came() { [ "$(capture)" = 1 ]; }
wait_until 3 came

step "trace shows the whole way"
trace=$(appctl a ofproto/trace br-int in_port=va,icmp)
for line in "output to native tunnel" "tunneling to 192.0.2.2 via br-phy" \
    "tunneling from 02:00:00:00:01:01 192.0.2.1 to 02:00:00:00:01:02 192.0.2.2" 'bridge("br-phy")'; do
    assert_contains "$trace" "$line"
done
trace=$(appctl b ofproto/trace br-int "in_port=t,tun_id=7,tun_src=192.0.2.1,arp")
assert_contains "$trace" "Datapath actions: " "tun_id=0x7"
index=$(appctl b dpif/show | sed -n 's,^ *t 100/\([0-9]*\):.*,\1,p')
trace=$(appctl b ofproto/trace "tunnel(tun_id=0x7,src=192.0.2.1,dst=192.0.2.2,ttl=64,geneve({class=0x102,type=0x80,len=4,0x5}),flags(-df-csum+key)),in_port($index),eth_type(0x0806)")
assert_contains "$trace" "tun_metadata0=0x5" "arp,tun_id=0x7,in_port=100, priority 32768"
