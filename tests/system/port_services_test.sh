#!/bin/bash
# Services of ports by ovs-vsctl: policing, mirrors, queues; the kernel's scheduler and the switch's own limits.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "these are steps 9 to 11 of what it does"; exit 77; }
command -v iperf3 >/dev/null || exit 77
. "$TEST_LIB/box.sh"

box_make
box_host h1 10.0.0.1/24 02:00:00:00:00:01
box_host h2 10.0.0.2/24 02:00:00:00:00:02
box_host mon '' 02:00:00:00:00:03
p1=$(host_if h1) p2=$(host_if h2) pm=$(host_if mon)
# What these hosts send is not cut into segments.
for host in h1 h2; do in_ns "$host" ethtool -K eth0 tx on gso on tso on >/dev/null 2>&1; done
box_switch
vsctl() { box ovs-vsctl --timeout=20 "$@"; }
vsctl add-br br0 -- add-port br0 "$p1" -- add-port br0 "$p2" -- add-port br0 "$pm"
wait_until 5 ping_once h1 10.0.0.2
# Two servers of iperf3, as each has one client at a time.
for n in 1 2; do background "iperf$n" ip netns exec "$(ns_name h2)" iperf3 -s -p "520$n" --forceflush; done
for n in 1 2; do wait_until 5 grep -q 'listening' "$TEST_DIR/iperf$n.log"; done

# kbit/s that arrive at h2: throughput PORT OPTION...
throughput() {
    in_ns h1 iperf3 -c 10.0.0.2 -J -p "$@" >"$TEST_DIR/iperf-$1.json" || fail "$(cat "$TEST_DIR/iperf-$1.json")"
    "$PYTHON" - "$TEST_DIR/iperf-$1.json" <<'PYTHON'
import json, sys
end = json.load(open(sys.argv[1]))["end"]
print(int(end["sum_received"]["bits_per_second"] / 1000))
PYTHON
}
within() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || fail "$4: $1 kbit/s, not $2 to $3"; }
drops() { box ovs-appctl drops | awk -v reason="$1" '$1 == reason { print $2 }'; }
statistic() { vsctl get "$1" "$2" "statistics:$3" 2>/dev/null | tr -d '"'; }
more() { [ "$(statistic "$1" "$2" "$3" || echo 0)" -gt "$4" ]; } # TABLE RECORD KEY THAN

step "ingress policing: a rate is kept, live"
vsctl set Interface "$p1" ingress_policing_rate=1000 ingress_policing_burst=100
within "$(throughput 5201 -t 1 -u -b 8M -l 1000)" 700 1200 "UDP at 1 Mbit/s, and a burst of 0.1"
within "$(throughput 5201 -t 1)" 150 1200 "TCP at 1 Mbit/s"
[ "$(drops rx_policed)" -gt 100 ] || fail "drops: $(drops rx_policed)"
vsctl set Interface "$p1" ingress_policing_rate=0 ingress_policing_kpkts_rate=1 ingress_policing_kpkts_burst=1
within "$(throughput 5201 -t 1 -u -b 30M -l 1000)" 7000 18000 "1000 packets a second of 8 kbit, and a burst of as many"
vsctl set Interface "$p1" ingress_policing_kpkts_rate=0
[ "$(throughput 5201 -n 3M)" -gt 20000 ] || fail "without policing"

step "a mirror of all ports shows both directions"
capture mon
vsctl -- --id=@p get Port "$pm" -- --id=@m create Mirror name=m0 select-all=true output-port=@p -- set Bridge br0 mirrors=@m
ping_ok h1 10.0.0.2 3
wait_until 5 captured mon '10.0.0.1 > 10.0.0.2: ICMP echo request'
wait_until 5 captured mon '10.0.0.2 > 10.0.0.1: ICMP echo reply'
assert_eq "$(grep -c 'echo request.* seq 1,' "$TEST_DIR/capture-mon.log")" 1 "copies of one packet"
assert_contains "$(box ovs-appctl bridges)" "mirror m0: to $pm"
assert_contains "$(box ovs-appctl ofproto/trace br0 "in_port=$p1,icmp")" "mirror m0 sends it to $pm"

step "its port is there for it alone"
in_ns mon ip address add 10.0.0.3/24 dev eth0
ping_none mon 10.0.0.1
[ "$(drops mirror_port)" -gt 0 ] || fail "no drop mirror_port"

step "large segments, and a part of each packet"
vsctl set Mirror m0 snaplen=60
[ "$(throughput 5201 -n 3M)" -gt 20000 ] || fail "TCP beside a mirror"
ping_ok h1 10.0.0.2 1
# Statistics are written every five seconds.
wait_until 8 more Mirror m0 tx_packets 5
wait_until 8 more Interface "$p1" sluice_drop_rx_policed 100
vsctl clear Bridge br0 mirrors
assert_lacks "$(box ovs-appctl bridges)" "mirror m0"
wait_until 5 ping_once mon 10.0.0.1

step "queues: the kernel's classes"
vsctl set Port "$p2" qos=@q -- --id=@q create QoS type=linux-htb other-config:max-rate=3000000 queues:0=@q0 queues:1=@q1 -- \
    --id=@q0 create Queue other-config:max-rate=2000000 -- --id=@q1 create Queue other-config:min-rate=500000 other-config:max-rate=1000000 dscp=46
if box tc class show dev "$p2" | grep -q '^class htb'; then
    assert_matches "$(box tc class show dev "$p2")" '^class htb 1:1 parent 1:fffe .*ceil 2Mbit'
    assert_matches "$(box tc class show dev "$p2")" '^class htb 1:2 parent 1:fffe .*rate 500Kbit ceil 1Mbit'
    assert_matches "$(box tc class show dev "$p2")" '^class htb 1:fffe root rate 3Mbit'
else
    echo "  the kernel has no HTB (CONFIG_NET_SCH_HTB): the switch limits instead, and says so"
    wait_until 5 grep -q 'does not have the scheduler of linux-htb' "$TEST_DIR/ovs-vswitchd.log"
fi
box ovs-ofctl add-flow br0 "tcp,in_port=$p1,tp_dst=5202,actions=set_queue:1,NORMAL"
throughput 5202 -t 1 >"$TEST_DIR/second" &
second=$!
within "$(throughput 5201 -t 1)" 600 2600 "queue 0 of 2 Mbit/s"
wait $second
within "$(cat "$TEST_DIR/second")" 200 1300 "queue 1 of 1 Mbit/s"
assert_matches "$(box ovs-ofctl queue-stats br0 "$p2")" ' queue 0: bytes=[0-9]+, pkts=[1-9]'
assert_matches "$(box ovs-ofctl -O OpenFlow13 queue-stats br0 "$p2" 1)" ' queue 1: bytes=[0-9]+, pkts=[1-9].* duration='
assert_matches "$(box ovs-ofctl -O OpenFlow13 queue-get-config br0 "$p2" 1)" 'Queue 1|min_rate: *16.6%'
assert_contains "$(box ovs-appctl qos/show "$p2")" "QoS: $p2 linux-htb" "max-rate: 3000000" "Default:" "Queue 1:"
assert_contains "$(box ovs-appctl qos/show-types "$p2")" "QoS type: linux-htb" "QoS type: egress-policer"
frame='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2",tos=%s)/TCP(sport=7,dport=5202)'
# shellcheck disable=SC2059
packets h1 "$(printf "$frame" 8)" 3 h2='p[IP].tos == 0xb8 and checksums_ok(p)'
box ovs-ofctl del-flows br0 tcp
# shellcheck disable=SC2059
packets h1 "$(printf "$frame" 8)" 3 h2=same # queue 0 marks nothing
vsctl clear Port "$p2" qos
assert_lacks "$(box tc qdisc show dev "$p2")" "htb"
assert_contains "$(box ovs-appctl qos/show "$p2")" "QoS not configured on $p2"

step "queues: classes that somebody else has made, with linux-noop"
if box tc qdisc add dev "$p2" root handle 1: htb default 1; then
    box tc class add dev "$p2" parent 1: classid 1:1 htb rate 200mbit
    box tc class add dev "$p2" parent 1: classid 1:2 htb rate 1mbit
    box ovs-ofctl add-flow br0 "tcp,in_port=$p1,tp_dst=5202,actions=set_queue:1,NORMAL"
    [ "$(throughput 5202 -n 3M)" -gt 5000 ] || fail "without a row of QoS the queue counts"
    vsctl set Port "$p2" qos=@q -- --id=@q create QoS type=linux-noop
    within "$(throughput 5202 -t 1)" 200 1300 "queue 1 of 1 Mbit/s"
    vsctl clear Port "$p2" qos
    assert_contains "$(box tc qdisc show dev "$p2")" "htb"
    [ "$(throughput 5202 -n 3M)" -gt 5000 ] || fail "the queue counts still"
    box tc qdisc del dev "$p2" root
fi

step "an egress policer, on any port"
vsctl set Port "$p2" qos=@q -- --id=@q create QoS type=egress-policer other-config:cir=250000 other-config:cbs=25000
within "$(throughput 5201 -t 1 -u -b 10M -l 1000)" 1600 2400 "2 Mbit/s of IP packets"
[ "$(drops tx_policed)" -gt 100 ] || fail "drops: $(drops tx_policed)"
vsctl clear Port "$p2" qos

step "a scheduler that the kernel lacks is told, and limits are kept"
vsctl set Port "$p2" qos=@q -- --id=@q create QoS type=linux-hfsc other-config:max-rate=3000000
if box tc qdisc show dev "$p2" | grep -q hfsc; then
    echo "  the kernel has HFSC"
else
    wait_until 5 grep -q 'does not have the scheduler of linux-hfsc' "$TEST_DIR/ovs-vswitchd.log"
fi
within "$(throughput 5201 -t 1)" 700 3900 "3 Mbit/s"
vsctl clear Port "$p2" qos
wait_until 5 ping_once h1 10.0.0.2
