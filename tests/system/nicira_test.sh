#!/bin/bash
# Nicira's actions with real packets: clone, truncated output, check_pkt_larger, multipath, bundle, stack, exit, dec_ttl(ids),
# fin_timeout, sample, and what is refused.
# timeout: 360
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
ns_make h2 # on a TAP: its link can go down
host_make h3 10.0.0.3/24 02:00:00:00:00:03
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "{ \"name\": \"p2\", \"ofport\": 2, \"type\": \"tap\", \"ifname\": \"$TEST_ID-t2\" }" "$(port_json p3 3 h3)"
start_sluice
ip link set "$TEST_ID-t2" netns "$(ns_name h2)" name eth0
in_ns h2 ip link set eth0 up
export OF=OpenFlow13

# udp TTL PADDING
udp() { echo "Ether(src=\"02:00:00:00:00:01\",dst=\"02:00:00:00:00:dd\")/IP(src=\"10.0.0.1\",dst=\"10.0.0.2\",ttl=$1)/UDP(sport=1000,dport=2000)/Raw(b\"nicira-actions-0123456789\"+b\"x\"*$2)"; }
acts() { ofctl del-flows in_port=1 && ofctl add-flow "in_port=1,$1"; }
spread() { TEST_ID=$TEST_ID "$PYTHON" "$TEST_LIB/spread.py" "$@"; }

step "clone: what it does to the packet stays in it"
acts 'ip,actions=clone(set_field:02:00:00:00:00:22->eth_dst,dec_ttl,output:2),output:3'
packets h1 "$(udp 9 0)" 3 'h2=p.dst=="02:00:00:00:00:22" and p[IP].ttl==8 and checksums_ok(p)' h3=same

step "output cut to 80 bytes for one port, whole for the other"
acts 'actions=output(port=2,max_len=80),output:3'
packets h1 "$(udp 9 100)" 3 'h2=len(bytes(p))==80 and bytes(p)==bytes(sent)[:80]' h3=same
assert_contains "$(flows_without_stats)" 'output(port=2,max_len=80),output:3'

step "check_pkt_larger"
acts 'actions=check_pkt_larger(150)->NXM_NX_REG0[0],resubmit(,7)'
ofctl add-flow table=7,reg0=1,actions=output:2
ofctl add-flow table=7,reg0=0,actions=output:3
packets h1 "$(udp 9 0)" 2 h3=same h2=none
packets h1 "$(udp 9 200)" 2 h2=same h3=none
packets h1 "$(udp 9 0)" 2 h3=same h2=none

step "multipath, bundle and bundle_load spread flows"
acts 'udp,actions=multipath(symmetric_l3l4+udp,50,hrw,2,0,NXM_NX_REG1[0..3]),resubmit(,8)'
ofctl add-flow table=8,reg1=0,actions=output:2
ofctl add-flow table=8,reg1=1,actions=output:3
expect_spread() {
    local n2 n3
    read -r n2 n3 <<<"$(spread h1 300 ip h2 h3)"
    [ $((n2 + n3)) = 300 ] && [ "$n2" -gt 90 ] && [ "$n3" -gt 90 ] || fail "$n2 and $n3 of 300 flows arrived"
}
expect_spread
acts 'udp,actions=bundle(symmetric_l3l4,0,hrw,ofport,members:2,3)'
expect_spread

acts 'udp,actions=bundle_load(symmetric_l3l4,0,hrw,ofport,NXM_NX_REG0[],members:2,3),output:NXM_NX_REG0[]'
expect_spread

step "bundle active_backup follows the link"
acts 'actions=bundle(eth_src,0,active_backup,ofport,members:2,3)'
packets h1 "$(udp 9 0)" 2 h2=same h3=none
in_ns h2 ip link set eth0 down
PACKETS_PATIENCE=1 wait_until 5 packets h1 "$(udp 9 0)" 2 h3=same
in_ns h2 ip link set eth0 up
PACKETS_PATIENCE=1 wait_until 5 packets h1 "$(udp 9 0)" 2 h2=same

step "stack, exit, write_metadata, note, queues, sample, ct_clear"
acts 'actions=set_queue:5,note:01.02.03.04.05.06,sample(probability=65535,collector_set_id=1,obs_domain_id=0,obs_point_id=0),ct_clear,push:NXM_OF_ETH_SRC[],push:NXM_OF_ETH_DST[],pop:NXM_OF_ETH_SRC[],pop:NXM_OF_ETH_DST[],output:3,pop_queue,resubmit(,9),output:2'
ofctl add-flow 'table=9,actions=exit'
packets h1 "$(udp 9 0)" 2 'h3=p.src=="02:00:00:00:00:dd" and p.dst=="02:00:00:00:00:01"' h2=none
assert_contains "$(flows_without_stats)" 'sample(probability=65535,collector_set_id=1,obs_domain_id=0,obs_point_id=0)' ct_clear
acts 'actions=write_metadata:0x5/0xff,goto_table:10'
ofctl add-flow 'table=10,metadata=5,actions=output:3'
packets h1 "$(udp 9 0)" 1 h3=same

step "dec_ttl(ids): a packet that may not live on goes to those controllers"
ovs-ofctl -O OpenFlow10 --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT" 65534 invalid_ttl >"$TEST_DIR/monitor.log" 2>&1 &
on_exit pid $!
wait_until 5 ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/barrier
acts 'ip,actions=dec_ttl(0,7),output:3'
packets h1 "$(udp 2 0)" 1 'h3=p[IP].ttl==1'
packets h1 "$(udp 1 0)" 1 h3=none
wait_until 3 grep -q 'PACKET_IN.*via invalid_ttl' "$TEST_DIR/monitor.log"
assert_contains "$(flows_without_stats)" 'dec_ttl(0,7)'

step "fin_timeout: the rule of a connection goes soon after its end"
acts 'tcp,idle_timeout=600,actions=fin_timeout(idle_timeout=1),output:3'
tcp() { echo "Ether(src=\"02:00:00:00:00:01\",dst=\"02:00:00:00:00:dd\")/IP(src=\"10.0.0.1\",dst=\"10.0.0.2\")/TCP(sport=1,dport=2,flags=\"$1\")/Raw(b\"nicira-fin-timeout\")"; }
packets h1 "$(tcp A)" 1 h3=same
assert_contains "$(ofctl dump-flows tcp)" idle_timeout=600
packets h1 "$(tcp FA)" 1 h3=same
no_rule() { [ "$(ofctl dump-aggregate tcp | grep -c flow_count=0)" = 1 ]; }
wait_until 20 no_rule

step "refused: no cut for many, links that do not fit"
assert_fails ofctl add-flow 'actions=output(port=NORMAL,max_len=100)'
assert_fails ofctl add-flow 'actions=check_pkt_larger(100)->NXM_OF_ETH_SRC[0]'
assert_contains "$OUTPUT" OFPBAC_BAD_SET_ARGUMENT

stop_sluice
