#!/bin/bash
# Debian's OVN on one host: routes by several next hops with BFD and with replies that take the way back, proxies for addresses, MLD, samples of drops.
# timeout: 200
# by name only
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovn.sh"

ovn_one_host
# m is behind the router gw, r1 and r2 are its next hops; both have the addresses behind them.
ls_with inner 1 m n
ls_with outer 2 r1 r2
nb lr-add gw -- set Logical_Router gw options:chassis=host
router_port gw inner 1
router_port gw outer 2
for i in 1:m 2:n; do ovn_vm host "${i#*:}" "${i#*:}" "02:00:00:00:01:0${i%:*}" "10.0.1.${i%:*}/24" 10.0.1.254; done
for i in 1 2; do
    ovn_vm host "r$i" "r$i" "02:00:00:00:02:0$i" "10.0.2.$i/24" 10.0.2.254
    inside "r$i" ip addr add 10.66.0.1/32 dev lo
done
sync
reaches r1 10.0.1.1
reaches r2 10.0.1.1

# asks VM N SECONDS: how many of N connections from 10.66.0.1 behind that next hop were answered within so long, each of another port
asks() {
    local i n=0
    for i in $(seq "$2"); do ! inside "$1" curl -sS -o /dev/null --max-time "$3" --interface 10.66.0.1 http://10.0.1.1:80/ 2>/dev/null || n=$((n + 1)); done
    echo $n
}

step "ECMP: without more, replies take the next hop that their hash says"
web_server m 80
wait_until 5 get r1 10.0.1.1:80
for i in 1 2; do nb --ecmp lr-route-add gw 10.66.0.0/16 "10.0.2.$i"; done
sync
answered=$(($(asks r1 6 0.7) + $(asks r2 6 0.7)))
[ "$answered" -lt 12 ] || fail "all came back the way they came, which a hash does not do"

step "ECMP with symmetric reply: each takes the way back that it came"
nb lr-route-del gw 10.66.0.0/16
for i in 1 2; do nb --ecmp-symmetric-reply lr-route-add gw 10.66.0.0/16 "10.0.2.$i"; done
sync
for i in 1 2; do assert_eq "$(asks r$i 12 4)" 12 "connections by the next hop r$i"; done
# The MAC address of the next hop is in the label of each connection.
on host ovs-appctl dpctl/dump-conntrack | grep 'dst=10.0.1.1,.*dport=80)' | grep -oE 'labels=0x[0-9a-f]+' | sort -u | tr '\n' ' ' >"$TEST_DIR/labels"
assert_eq "$(cat "$TEST_DIR/labels")" "labels=0x2000000020100000000 labels=0x2000000020200000000 " "labels"
nb lr-route-del gw 10.66.0.0/16

step "BFD of static routes: the next hop that falls silent is not used any more"
bfd_peer() {
    background "bfd-$1" ip netns exec "$(ovn_ns "$1")" "$PYTHON" "$TEST_LIB/bfd_peer.py" "10.0.2.${1#r}" 10.0.2.254
    bfd_pid[${1#r}]=$PID
}
bfd_is() { [ "$(nb --bare --columns=status find BFD "dst_ip=10.0.2.${2#r}")" = "$1" ]; }
declare -a bfd_pid=()
for i in 1 2; do
    web_server "r$i" 86
    id=$(nb create BFD logical_port=gw-outer "dst_ip=10.0.2.$i" min_tx=100 min_rx=100 detect_mult=3)
    nb --ecmp lr-route-add gw 10.66.0.0/16 "10.0.2.$i"
    nb set Logical_Router_Static_Route "$(nb --bare --columns=_uuid find Logical_Router_Static_Route "nexthop=10.0.2.$i")" "bfd=$id"
    bfd_peer "r$i"
done
sync
for i in 1 2; do
    wait_until 10 bfd_is up "r$i"
    wait_until 5 grep -q up "$TEST_DIR/bfd-r$i.log"
done
sync
names m 10.66.0.1:86 24 | sort -u >"$TEST_DIR/names"
assert_eq "$(wc -l <"$TEST_DIR/names")" 2 "next hops that are used"
ovn_end "${bfd_pid[1]}"
before=$(date +%s%N)
wait_until 10 bfd_is down r1
echo "  noticed after $((($(date +%s%N) - before) / 1000000)) ms"
sync
names m 10.66.0.1:86 12 | sort -u >"$TEST_DIR/names"
assert_eq "$(cat "$TEST_DIR/names")" r2 "next hops that are used"
bfd_peer r1
wait_until 10 bfd_is up r1
sync
names m 10.66.0.1:86 24 | sort -u >"$TEST_DIR/names"
assert_eq "$(wc -l <"$TEST_DIR/names")" 2 "next hops that are used again"

step "a policy route sends packets of one machine by another next hop"
nb lr-route-add gw 10.77.0.0/16 10.0.2.1
nb lr-policy-add gw 200 'ip4.src == 10.0.1.2 && ip4.dst == 10.77.0.0/16' reroute 10.0.2.2
for i in 1 2; do inside "r$i" ip addr add 10.77.0.1/32 dev lo; done
sync
wait_until 5 get m 10.77.0.1:86
assert_eq "$(names m 10.77.0.1:86 3 | sort -u)" r1 "next hop of the route"
assert_eq "$(names n 10.77.0.1:86 3 | sort -u)" r2 "next hop of the policy"
nb lr-policy-del gw
sync
assert_eq "$(names n 10.77.0.1:86 3 | sort -u)" r1 "next hop without the policy"

step "a proxy for addresses that nobody has: the router's port answers ARP for them"
inside m ip route add 169.254.239.0/24 dev eth0
! inside m ping -q -n -c 1 -W 1 169.254.239.5 >/dev/null
assert_lacks "$(inside m ip neigh show 169.254.239.5)" lladdr
nb lsp-set-options inner-gw router-port=gw-inner 'arp_proxy=169.254.239.5 169.254.239.200'
sync
for address in 169.254.239.5 169.254.239.200; do
    inside m ip neigh flush dev eth0
    inside m ping -q -n -c 1 -W 1 $address >/dev/null || true
    assert_contains "$(inside m ip neigh show $address)" "lladdr 02:00:00:00:01:fe"
done
inside m ping -q -n -c 1 -W 1 169.254.239.6 >/dev/null || true
assert_lacks "$(inside m ip neigh show 169.254.239.6)" lladdr

step "MLD: an IPv6 group reaches those that joined, nobody else"
ls_with mld 3 a b c
for i in 1:a 2:b 3:c; do
    ovn_vm host "${i#*:}" "${i#*:}" "02:00:00:00:03:0${i%:*}" "10.0.3.${i%:*}/24"
    inside "${i#*:}" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set eth0 down; ip link set eth0 up'
done
nb set Logical_Switch mld other_config:mcast_snoop=true other_config:mcast_querier=false other_config:mcast_flood_unregistered=false
sync
in_ns_capture b 'ip6 host ff0e::123 and udp'
in_ns_capture c 'ip6 host ff0e::123 and udp'
background joined ip netns exec "$(ovn_ns b)" "$PYTHON" "$TEST_LIB/multicast.py" join ff0e::123 eth0
wait_until 10 eval "sb list IGMP_Group | grep -q ff0e::123"
sync
inside a "$PYTHON" "$TEST_LIB/multicast.py" send ff0e::123 eth0
wait_until 5 grep -q UDP "$TEST_DIR/tcpdump-b.log"
inside a "$PYTHON" "$TEST_LIB/multicast.py" send ff02::1 eth0 # all nodes: to everybody, behind what c does not get
! grep -q 'ff0e::123' "$TEST_DIR/tcpdump-c.log" || fail "a host that did not join got it"

step "samples of what the network drops"
on host ovs-vsctl --id=@br get Bridge br-int -- --id=@ipfix create IPFIX 'targets="127.0.0.1:4739"' -- create Flow_Sample_Collector_Set bridge=@br id=42 ipfix=@ipfix >/dev/null
nb set NB_Global . options:debug_drop_collector_set=42 options:debug_drop_domain_id=1
sync
nb acl-add inner to-lport 1000 'outport == "n" && icmp4' drop
sync
silent m 10.0.1.2
# It is the rule that says what was dropped: its counter, and its cookie, which is the start of the UUID of OVN's logical flow.
on host ovs-ofctl -O OpenFlow15 dump-flows br-int >"$TEST_DIR/rules"
grep 'icmp,.*sample(probability=65535,collector_set_id=42' "$TEST_DIR/rules" >"$TEST_DIR/sampled" || fail "no rule of an ACL with sample"
assert_matches "$(cat "$TEST_DIR/sampled")" 'n_packets=[1-9]'
cookie=$(sed -n 's/.*cookie=0x\([0-9a-f]*\),.*n_packets=[1-9].*/\1/p' "$TEST_DIR/sampled" | head -1)
assert_matches "$(sb lflow-list "$(printf %08x "0x$cookie")")" 'icmp4.*drop'
nb clear NB_Global . options
sync

step "nobody has anything to complain of"
no_complaints host
