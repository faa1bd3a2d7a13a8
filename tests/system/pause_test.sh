#!/bin/bash
# controller(pause): packets wait for a real controller, ovs-ofctl, and go on where they were; those that nobody resumes are dropped.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
host_make h3 10.0.0.3/24 02:00:00:00:00:03
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)" "$(port_json p3 3 h3)"
start_sluice
export OVS_RUNDIR=$TEST_DIR

# monitor: starts to resume what waits
monitor() {
    background monitor ovs-ofctl -O "$OF" -P nxt_packet_in2 --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT" 65534 resume
    monitor=$PID
    wait_until 10 ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/barrier
}
saw() { grep -qE -- "$1" "$TEST_DIR/monitor.log"; }
frame='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2",ttl=9)/UDP(sport=1000,dport=9)/Raw(b"a-packet-that-waits")'
is_changed='p[IP].ttl == 8 and p[IP].dst == "10.0.0.99" and p[Ether].dst == "02:00:00:00:00:77" and checksums_ok(p)'

for OF in OpenFlow10 OpenFlow13 OpenFlow15; do
    export OF
    step "$OF: behind a resubmit, with registers and stack, between changes, in a clone"
    ofctl del-flows
    ofctl add-flow 'in_port=1,udp,actions=load:0x5->NXM_NX_REG1[],push:NXM_NX_REG1[],mod_nw_dst:10.0.0.99,resubmit(,1),output:3'
    ofctl add-flow 'table=1,cookie=0x77,udp,actions=clone(controller(pause),output:3),controller(pause,userdata=01.02),dec_ttl,pop:NXM_NX_REG2[],resubmit(,2)'
    ofctl add-flow 'table=2,udp,reg1=5,reg2=5,in_port=1,actions=mod_dl_dst:02:00:00:00:00:77,output:2'
    packets h1 "$frame" 2 h2=none h3=none
    monitor
    packets h1 "$frame" 3 "h2=$is_changed" "h3=$is_changed" 'h3=p[IP].ttl == 9 and p[IP].dst == "10.0.0.99"'
    # Rules behind a pause do not see those that waited for nobody.
    wait_until 10 rule_packets_are 5 'table=0'
    wait_until 10 rule_packets_are 3 'table=2'
    wait_until 10 eval '[ "$(grep -c "NXT_RESUME" "$TEST_DIR/monitor.log")" = 6 ]'
    saw 'NXT_PACKET_IN2 .*table_id=1 cookie=0x77 total_len=[0-9]+ reg1=0x5,in_port=1 \(via action\)'
    saw 'userdata=01.02'
    saw 'continuation.bridge='
    ! saw OFPT_ERROR || fail "refused: $(grep OFPT_ERROR "$TEST_DIR/monitor.log")"
    end_pid "$monitor"
done

step "with an action set and in a bucket, behind goto_table"
export OF=OpenFlow13
ofctl del-flows
ofctl add-group 'group_id=1,type=all,bucket=actions=set_field:02:00:00:00:00:77->eth_dst,resubmit(,3),bucket=actions=output:3'
ofctl add-flow 'in_port=1,udp,actions=write_actions(set_field:10.0.0.99->ip_dst,group:1),goto_table:1'
ofctl add-flow 'table=1,udp,actions=controller(pause),dec_ttl,goto_table:2'
ofctl add-flow 'table=2,ip,nw_ttl=8,actions=controller(pause),write_metadata:7'
ofctl add-flow 'table=3,metadata=7,actions=controller(pause),output:2'
monitor
packets h1 "$frame" 3 "h2=$is_changed" 'h3=p[IP].ttl == 8 and p[IP].dst == "10.0.0.99" and p[Ether].dst == "02:00:00:00:00:02"'

step "what is no continuation is refused"
ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/send 0404002800000002000023200000001c00000012000102030405060708090a0b0c0d000000000000
wait_until 5 saw 'OFPT_ERROR .*: NXR_STALE'
end_pid "$monitor"
if ! is_ovs; then
    assert_matches "$(ctl drops)" '^no_controller +1?[0-9]'

    step "trace goes on behind a pause"
    assert_contains "$(appctl ofproto/trace br0 in_port=1,udp,nw_ttl=9)" 'waits for the controller' 'group:1'
fi
ofctl del-groups
stop_sluice
