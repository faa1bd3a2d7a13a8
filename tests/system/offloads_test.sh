#!/bin/bash
# TCP and UDP between hosts on veth, TAP and other ports as their kernels make them: checksums left out, segments of 64 kB.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS needs ethtool -K for this"; exit 0; }

# wire HOST N: a veth pair with all the offloads that it has; host_make takes them off
wire() {
    local peer
    ns_make "$1"
    peer=$(host_if "$1")
    on_exit link "$peer"
    in_ns "$1" sh -c 'for f in all default; do echo 0 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
    ip link add "$peer" type veth peer name eth0 netns "$(ns_name "$1")"
    echo 1 >"/proc/sys/net/ipv6/conf/$peer/disable_ipv6"
    ip link set "$peer" up
    address "$1" "$2"
}
# address HOST N
address() {
    in_ns "$1" ip link set eth0 address "02:00:00:00:00:0$2" up
    in_ns "$1" ip addr add "10.0.0.$2/24" dev eth0
    in_ns "$1" ip addr add "fd00::$2/64" dev eth0 nodad
}
stream() { "$PYTHON" "$TEST_LIB/tcp_stream.py" "$@"; }
# tcp FROM TO ADDRESS [MEGABYTES]: what arrives is what was sent
tcp() {
    local log=receive-$1-$2 sent
    background "$log" ip netns exec "$(ns_name "$2")" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive "${5:-$3}"
    wait_until 5 grep -q ready "$TEST_DIR/$log.log"
    sent=$(in_ns "$1" "$PYTHON" "$TEST_LIB/tcp_stream.py" send "$3" "${4:-${MEGABYTES:-20}}") || fail "tcp $1 -> $3"
    wait_until 5 grep -q "$sent" "$TEST_DIR/$log.log"
    echo "  $1 -> $3: $(sed -n 's/.* \([0-9]* MB\)/\1/p' "$TEST_DIR/$log.log")"
}
# udp FROM TO ADDRESS: datagrams that the sender's kernel leaves to be cut
udp() {
    local log=collect-$1-$2
    background "$log" ip netns exec "$(ns_name "$2")" "$PYTHON" "$TEST_LIB/tcp_stream.py" collect "$3" 21
    wait_until 5 grep -q ready "$TEST_DIR/$log.log"
    in_ns "$1" "$PYTHON" "$TEST_LIB/tcp_stream.py" datagrams "$3"
    wait_until 5 grep -qE '^(500 ){20}123$' "$TEST_DIR/$log.log"
}
dropped() { ctl --json drops | "$PYTHON" -c 'import json, sys; print(sum(n for why, n in json.load(sys.stdin).items() if why in sys.argv[1:]))' "$@"; }

tap=${TEST_ID}t
wire h1 1
wire h2 2
ns_make h3
in_ns h3 sh -c 'for f in all default; do echo 0 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
host_make h4 10.0.0.4/24 02:00:00:00:00:04
ip link add "${TEST_ID}x" type veth peer name "${TEST_ID}y"
on_exit link "${TEST_ID}x"
for end in x y; do
    echo 1 >"/proc/sys/net/ipv6/conf/$TEST_ID$end/disable_ipv6"
    ip link set "$TEST_ID$end" up
done
sluice_config '"fail_mode": "standalone"' "$(system_json p1 1 h1)" "$(system_json p2 2 h2)" \
    "{ \"name\": \"p3\", \"ofport\": 3, \"type\": \"tap\", \"ifname\": \"$tap\" }" "$(port_json p4 4 h4)" \
    "{ \"name\": \"x\", \"ofport\": 5, \"type\": \"system\", \"ifname\": \"${TEST_ID}x\", \"flood\": false }" \
    "{ \"name\": \"y\", \"ofport\": 6, \"type\": \"system\", \"ifname\": \"${TEST_ID}y\", \"flood\": false }" \
    "{ \"name\": \"pcap\", \"ofport\": 7, \"type\": \"dpdk\", \"devargs\": \"net_pcap_out,tx_pcap=$TEST_DIR/out.pcap,rx_iface=lo\", \"flood\": false }"
sed -i 's/,rx_iface=lo//' "$TEST_DIR/sluice.json"
start_sluice
ip link set "$tap" netns "$(ns_name h3)" name eth0
address h3 3
wait_until 5 ping_once h1 10.0.0.2
wait_until 5 ping_once h3 10.0.0.4
wait_until 5 ping_once h1 fd00::3

step "between veths, a TAP and a port that takes none of it, in both directions"
for pair in "h1 h2 2" "h2 h1 1" "h1 h3 3" "h3 h1 1" "h1 h4 4" "h4 h1 1" "h3 h4 4" "h4 h3 3"; do
    read -r from to n <<<"$pair"
    tcp "$from" "$to" "10.0.0.$n"
done
tcp h1 h2 fd00::2
tcp h1 h3 fd00::3
tcp h3 h2 fd00::2
udp h1 h2 10.0.0.2
udp h1 h4 10.0.0.4
udp h3 h2 10.0.0.2
udp h1 h3 fd00::3
assert_eq "$(dropped rx_offload tx_oversize no_mbuf action_malformed)" 0 "packets dropped"

step "segments pass the switch whole where they can"
before=$(in_ns h2 cat /sys/class/net/eth0/statistics/rx_packets)
tcp h1 h2 10.0.0.2 50
after=$(in_ns h2 cat /sys/class/net/eth0/statistics/rx_packets)
[ $((after - before)) -lt 15000 ] || fail "50 MB arrive in $((after - before)) packets: more than 3.5 kB would be too long for one segment"

# through ENCAP MATCH DECAP: what h1 and h2 say to each other goes over the pair x-y, as ENCAP makes it,
# which MATCH matches, and back by DECAP
through() {
    ofctl del-flows
    for flow in "in_port=1,arp,actions=2" "in_port=2,arp,actions=1" "in_port=1,ip,actions=$1,output:5" "in_port=6,$2,actions=$3,output:2" \
        "in_port=2,ip,actions=$1,output:6" "in_port=5,$2,actions=$3,output:1"; do
        case $flow in # ovs-ofctl has the second pop_vlan in OpenFlow 1.0 alone
            *push*) OF=OpenFlow13 ofctl add-flow "$flow" ;;
            *) ofctl add-flow "$flow" ;;
        esac
    done
}

step "with VLAN tags of either type on the way, two, and labels, which the kernel cannot cut"
through "push_vlan:0x8100,set_field:0x1005->vlan_vid" dl_vlan=5 pop_vlan
tcp h1 h2 10.0.0.2
tcp h2 h1 10.0.0.1
# A tag of the other type, and a second one, count for the kernel as part of the packet.
for interface in "${TEST_ID}x" "${TEST_ID}y"; do ip link set "$interface" mtu 1520; done
through "push_vlan:0x88a8,set_field:0x1007->vlan_vid" dl_vlan=7 pop_vlan
tcp h1 h2 10.0.0.2
through "push_vlan:0x8100,set_field:0x1005->vlan_vid,push_vlan:0x88a8,set_field:0x1007->vlan_vid" dl_vlan=7 "pop_vlan,pop_vlan"
tcp h1 h2 10.0.0.2
through "push_mpls:0x8847,set_field:9->mpls_label" mpls "pop_mpls:0x800"
tcp h1 h2 10.0.0.2
assert_eq "$(dropped rx_offload tx_oversize no_mbuf action_malformed)" 0 "packets dropped"

step "addresses, ports and TTL are rewritten"
ofctl del-flows
for flow in "priority=2,in_port=1,tcp,nw_dst=10.0.0.9,tp_dst=80,actions=dec_ttl,mod_nw_dst:10.0.0.2,mod_tp_dst:5001,mod_dl_dst:02:00:00:00:00:02,output:2" \
    "priority=2,in_port=2,tcp,nw_src=10.0.0.2,tp_src=5001,actions=dec_ttl,mod_nw_src:10.0.0.9,mod_tp_src:80,output:1" "priority=0,actions=normal"; do
    ofctl add-flow "$flow"
done
in_ns h1 ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0
background receive-nat ip netns exec "$(ns_name h2)" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive 10.0.0.2
wait_until 5 grep -q ready "$TEST_DIR/receive-nat.log"
sent=$(in_ns h1 "$PYTHON" "$TEST_LIB/tcp_stream.py" send 10.0.0.9 20 80) || fail "tcp h1 -> 10.0.0.9"
wait_until 5 grep -q "$sent" "$TEST_DIR/receive-nat.log"

step "a port that shows what is sent, and a controller, get finished packets no longer than the MTU"
ofctl del-flows
ofctl add-flow "priority=2,in_port=1,tcp,actions=output:2,output:7,controller(max_len=128)"
ofctl add-flow "priority=0,actions=normal"
background monitor ovs-ofctl --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT" 65534
tcp h1 h2 10.0.0.2 1
ctl drops >/dev/null
sleep 1
stop_sluice
"$PYTHON" - "$TEST_DIR/out.pcap" <<'PY' || fail "packets in the file are not as they should be"
import sys
from scapy.all import IP, TCP, PcapReader
n = bad = 0
for p in PcapReader(sys.argv[1]):
    if TCP not in p:
        continue
    n += 1
    again = p.__class__(bytes(p))
    del again[IP].chksum, again[TCP].chksum
    if bytes(p.__class__(bytes(again))) != bytes(p) or len(p) > 1514:
        bad += 1
print("  %d packets, %d wrong" % (n, bad))
sys.exit(n < 700 or bad > 0)
PY
grep -q 'NXT_PACKET_IN\|PACKET_IN' "$TEST_DIR/monitor.log" || fail "no packet-in"
! grep -q 'bad.*csum\|csum:0x[0-9a-f]* .*bad' "$TEST_DIR/monitor.log" || fail "a controller got a packet without its checksum"
