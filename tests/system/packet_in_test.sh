#!/bin/bash
# What controllers get to see of a packet: formats, reasons, userdata, controller ids.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

sluice_config '"fail_mode": "secure"'
start_sluice
export OVS_RUNDIR=$TEST_DIR
packet=020000000002020000000001080045000020000000004011$(printf '66cb')0a0000010a00000200050006000c000061626364

# monitor FORMAT VERSION: starts to print packet-ins
monitor() {
    background monitor ovs-ofctl -O "$2" -P "$1" --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT" 65534
    monitor=$PID
    wait_until 5 ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/barrier
}
saw() { grep -qE -- "$1" "$TEST_DIR/monitor.log"; }
send() { ofctl packet-out "in_port=1,packet=$packet,actions=resubmit(,0)"; }

step "nxt_packet_in2 carries userdata, of any length, cookie, table, registers"
long=$(printf '%02x.' $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255) $(seq 0 255) | sed 's/\.$//')
ofctl add-flow 'table=0,udp,actions=load:0x1234->NXM_NX_REG3[],resubmit(,5)'
ofctl add-flow 'table=5,cookie=0x55,udp,actions=controller(max_len=123,userdata=01.02.ff)'
monitor nxt_packet_in2 OpenFlow10
send
wait_until 5 saw 'NXT_PACKET_IN2 .*table_id=5 cookie=0x55 total_len=46 reg3=0x1234,in_port=1 \(via action\)'
wait_until 5 saw 'userdata=01.02.ff'
ofctl add-flow "table=5,cookie=0x66,udp,actions=controller(userdata=$long)"
send
wait_until 5 saw "userdata=$long"
end_pid "$monitor"

step "two rules that differ in userdata alone are told apart"
ofctl add-flow 'table=5,udp,actions=controller(userdata=aa),controller(userdata=bb),controller'
monitor nxt_packet_in2 OpenFlow13
send
wait_until 5 saw 'userdata=aa$'
wait_until 5 saw 'userdata=bb$'
wait_until 5 eval '[ "$(grep -c "NXT_PACKET_IN2" "$TEST_DIR/monitor.log")" = 3 ]'
end_pid "$monitor"

step "the other formats leave userdata out"
for format in standard nxt_packet_in; do
    monitor $format OpenFlow10
    send
    wait_until 5 saw 'PACKET_IN .*in_port=1 \(via action\)'
    assert_lacks "$(cat "$TEST_DIR/monitor.log")" userdata PACKET_IN2
    end_pid "$monitor"
done

step "a controller id: only who has it gets the packet"
ofctl add-flow 'table=5,udp,actions=controller(id=7)'
monitor standard OpenFlow10
send
ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/barrier
! saw 'PACKET_IN ' || fail "id 0 got a packet for id 7"
ovs-appctl -t "$TEST_DIR/monitor.ctl" ofctl/send 010400180000002100002320000000140000000000000007
send
wait_until 5 saw 'PACKET_IN .*in_port=1'
end_pid "$monitor"
stop_sluice
