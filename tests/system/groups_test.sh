#!/bin/bash
# Groups of every type by ovs-ofctl over OpenFlow 1.3: packets at the far end, counters, descriptions, errors.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
ns_make h2 # on a TAP: its link can go down
host_make h3 10.0.0.3/24 02:00:00:00:00:03
host_make h4 10.0.0.4/24 02:00:00:00:00:04
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "{ \"name\": \"p2\", \"ofport\": 2, \"type\": \"tap\", \"ifname\": \"$TEST_ID-t2\" }" "$(port_json p3 3 h3)" "$(port_json p4 4 h4)"
start_sluice
ip link set "$TEST_ID-t2" netns "$(ns_name h2)" name eth0
in_ns h2 ip link set eth0 up
export OF=OpenFlow13

udp='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:dd")/IP(src="10.0.0.1",dst="10.0.0.2",ttl=9)/UDP(sport=1000,dport=2000)/Raw(b"0123456789abcdef0123")'
to() { echo "checksums_ok(p) and p.dst==\"02:00:00:00:00:$1\" and p[IP].ttl==$2 and p[UDP].dport==2000"; }
groups() { ofctl dump-groups | sed 1d | sed 's/^ //'; }
group_stats() { ofctl dump-group-stats | grep "group_id=$1,"; }
group_packets_are() { [[ $(group_stats "$1") == *",packet_count=$2,"* ]]; }
spread() { TEST_ID=$TEST_ID "$PYTHON" "$TEST_LIB/spread.py" "$@"; }

step "all: every bucket has the packet as it came"
ofctl add-group 'group_id=1,type=all,bucket=set_field:02:00:00:00:00:22->eth_dst,output:2,bucket=output:3,bucket=dec_ttl,output:4'
ofctl add-flow in_port=1,actions=group:1
packets h1 "$udp" 5 "h2=$(to 22 9)" h3=same "h4=$(to dd 8)"
wait_until 3 group_packets_are 1 5
assert_contains "$(group_stats 1)" ref_count=1 byte_count=310 bucket0:packet_count=5 bucket2:packet_count=5,byte_count=310
assert_eq "$(groups)" 'group_id=1,type=all,bucket=actions=set_field:02:00:00:00:00:22->eth_dst,output:2,bucket=actions=output:3,bucket=actions=dec_ttl,output:4'

step "actions behind a group have the packet as it came, too"
ofctl mod-group 'group_id=1,type=all,bucket=set_field:02:00:00:00:00:22->eth_dst,dec_ttl,output:2'
ofctl mod-flows in_port=1,actions=group:1,output:3
packets h1 "$udp" 3 "h2=$(to 22 8)" h3=same h4=none

step "MPLS and VLAN tags in buckets"
ofctl mod-group 'group_id=1,type=all,bucket=push_vlan:0x8100,set_field:4196->vlan_vid,output:2,bucket=push_mpls:0x8847,output:4'
packets h1 "$udp" 2 'h2=p[Dot1Q].vlan==100 and p[UDP].dport==2000' h3=same 'h4=p.type==0x8847 and p[MPLS].ttl==9'

step "indirect, in a write_actions; a group of a group"
ofctl add-group 'group_id=2,type=indirect,bucket=set_field:02:00:00:00:00:33->eth_dst,output:3'
ofctl add-group 'group_id=3,type=indirect,bucket=group:2'
ofctl mod-flows 'in_port=1,actions=write_actions(group:3)'
packets h1 "$udp" 4 "h3=$(to 33 9)" h2=none h4=none
wait_until 3 group_packets_are 2 4
assert_contains "$(appctl ofproto/trace br0 in_port=1,udp)" '    group:3' '    bucket 0' '            group:2'

step "a modified group changes what its flows do at once"
ofctl mod-group 'group_id=2,type=indirect,bucket=output:4'
ofctl add-flow in_port=4,actions=drop
packets h1 "$udp" 3 h4=same h3=none

step "fast failover: the first bucket whose port is live"
ofctl add-group 'group_id=4,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3'
ofctl mod-flows in_port=1,actions=group:4
packets h1 "$udp" 2 h2=same h3=none
assert_contains "$(appctl ofproto/trace br0 in_port=1,udp)" '    group:4' '     -> using bucket 0'
ofctl mod-port p2 down
packets h1 "$udp" 2 h3=same
assert_contains "$(appctl ofproto/trace br0 in_port=1,udp)" 'bucket 0: not live due to port 2' ' -> using bucket 1'
ofctl mod-port p2 up
packets h1 "$udp" 2 h2=same h3=none
in_ns h2 ip link set eth0 down
PACKETS_PATIENCE=1 wait_until 5 packets h1 "$udp" 2 h3=same
in_ns h2 ip link set eth0 up
PACKETS_PATIENCE=1 wait_until 5 packets h1 "$udp" 2 h2=same

step "fast failover: a bucket that watches a group lives as long as that one does"
ofctl add-group 'group_id=6,type=ff,bucket=watch_port:2,output:2'
ofctl add-group 'group_id=7,type=ff,bucket=watch_group:6,group:6,bucket=watch_port:3,output:3'
ofctl mod-flows in_port=1,actions=group:7
packets h1 "$udp" 2 h2=same h3=none
ofctl mod-port p2 down
packets h1 "$udp" 2 h3=same
ofctl mod-port p2 up
packets h1 "$udp" 2 h2=same h3=none

step "select: flows are spread as the weights say, whatever they differ in"
ofctl add-group 'group_id=5,type=select,bucket=weight:10,output:2,bucket=weight:20,output:3,bucket=weight:10,output:4'
ofctl mod-flows in_port=1,actions=group:5
for vary in ip port; do
    read -r n2 n3 n4 <<<"$(spread h1 800 $vary h2 h3 h4)"
    [ $((n2 + n3 + n4)) = 800 ] || fail "$vary: $n2 + $n3 + $n4 of 800 flows arrived"
    for got in "$n2" "$((n3 / 2))" "$n4"; do
        [ "$got" -gt 150 ] && [ "$got" -lt 250 ] || fail "$vary: $n2, $n3, $n4 instead of 200, 400, 200"
    done
done
wait_until 3 group_packets_are 5 1600
[ "$(appctl dpctl/dump-flows | wc -l)" -lt 40 ] || fail "a megaflow for every flow: $(appctl dpctl/dump-flows | head -5)"
assert_contains "$(appctl ofproto/trace br0 in_port=1,udp)" ' -> using bucket'

step "select by chosen fields, and by a hash of the datapath"
# expect_spread VARY: 400 flows arrive at both hosts; expect_one VARY: they all arrive at one
spread_two() { read -r n2 n3 <<<"$(spread h1 400 "$1" h2 h3)" && [ $((n2 + n3)) = 400 ] || fail "$1: $n2 + $n3 of 400 flows arrived"; }
expect_spread() { spread_two "$1" && [ "$n2" -gt 120 ] && [ "$n3" -gt 120 ] || fail "$1: $n2, $n3 instead of 200, 200"; }
expect_one() { spread_two "$1" && [ $((n2 * n3)) = 0 ] || fail "$1: $n2, $n3 instead of all at one"; }
OF=OpenFlow15 ofctl add-group 'group_id=8,type=select,selection_method=hash,fields(ip_src),bucket=bucket_id:1,weight:1,output:2,bucket=bucket_id:2,weight:1,output:3'
ofctl mod-flows in_port=1,actions=group:8
expect_spread ip
expect_one port
OF=OpenFlow15 ofctl mod-group 'group_id=8,type=select,selection_method=dp_hash,selection_method_param=7,bucket=bucket_id:1,weight:1,output:2,bucket=bucket_id:2,weight:1,output:3'
expect_spread port
expect_one mac # IP packets go by their addresses, protocol and ports
OF=OpenFlow15 assert_fails ofctl add-group 'group_id=99,type=select,selection_method=dp_hash,selection_method_param=0x200000000,bucket=bucket_id:1,output:2'
assert_contains "$OUTPUT" OFPBPC_BAD_VALUE
[ "$(appctl dpctl/dump-flows --names | grep -c 'actions:.*p[23]')" -lt 40 ] || fail "a megaflow for every flow: $(appctl dpctl/dump-flows | head -5)"

step "errors: codes of OFPET_GROUP_MOD_FAILED, and nothing changed"
before=$(groups)
assert_fails ofctl add-group 'group_id=1,type=all,bucket=output:2'
assert_contains "$OUTPUT" OFPGMFC_GROUP_EXISTS
assert_fails ofctl mod-group 'group_id=99,type=all,bucket=output:2'
assert_contains "$OUTPUT" OFPGMFC_UNKNOWN_GROUP
assert_fails ofctl add-group 'group_id=98,type=all,bucket=group:97'
assert_contains "$OUTPUT" OFPBAC_BAD_OUT_GROUP
assert_fails ofctl mod-group 'group_id=2,type=indirect,bucket=group:3'
assert_contains "$OUTPUT" OFPGMFC_LOOP
assert_fails ofctl del-groups group_id=2
assert_contains "$OUTPUT" OFPGMFC_CHAINED_GROUP
assert_fails ofctl add-flow priority=1,actions=group:97
assert_contains "$OUTPUT" OFPBAC_BAD_OUT_GROUP
assert_eq "$(groups)" "$before"
assert_contains "$(ofctl dump-group-features)" 'Types:  0xf' 'Capabilities:  0xf'

step "a deleted group takes its rules along"
ofctl add-flow in_port=2,actions=output:1
ofctl del-groups group_id=8
assert_lacks "$(ofctl dump-flows --no-names)" group:
packets h1 "$udp" 2 h2=none h3=none h4=none
ofctl del-groups
assert_eq "$(groups)" ""
assert_matches "$(ofctl dump-aggregate)" flow_count=2

stop_sluice
