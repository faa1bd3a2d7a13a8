#!/bin/bash
# Debian's OVN on one host with Sluice as the switch: the features of docs/ovn.md that scripts/ovn-demo does not show.
# timeout: 300
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovn.sh"

ovn_one_host
VM() { ovn_vm host "$@"; }
ls_with sw1 1 a b c
ls_with sw2 2 x y
nb lr-add lr
router_port lr sw1 1
router_port lr sw2 2
for i in 1:a 2:b 3:c; do VM "${i#*:}" "${i#*:}" "02:00:00:00:01:0${i%:*}" "10.0.1.${i%:*}/24" 10.0.1.254; done
for i in 1:x 2:y; do VM "${i#*:}" "${i#*:}" "02:00:00:00:02:0${i%:*}" "10.0.2.${i%:*}/24" 10.0.2.254; done
sync
reaches a 10.0.2.1

step "port security: addresses that are not the port's own do not get in"
nb lsp-set-port-security a "02:00:00:00:01:01 10.0.1.1"
sync
reaches a 10.0.1.2
inside a ip addr add 10.0.1.77/24 dev eth0
silent a 10.0.1.2 -I 10.0.1.77
inside a ip addr del 10.0.1.77/24 dev eth0
nb lsp-set-port-security a

step "ACLs: reject answers at once, drop logs with a limit, port groups and address sets"
web_server x 81
wait_until 5 get a 10.0.2.1:81
nb pg-add pg1 x y
nb create Address_Set name=set1 'addresses="10.0.1.2"' >/dev/null
nb meter-add logs drop 2 pktps
nb --type=port-group --log --severity=info --name=blocked --meter=logs acl-add pg1 to-lport 1000 'outport == @pg1 && ip4.src == $set1 && icmp4' drop
nb --type=port-group acl-add pg1 to-lport 1000 'outport == @pg1 && tcp.dst == 81' reject
sync
reaches a 10.0.2.1
silent b 10.0.2.1
before=$(date +%s%N)
! inside a curl -sS --max-time 5 http://10.0.2.1:81/ 2>"$TEST_DIR/curl" || fail "port 81 answers"
assert_contains "$(cat "$TEST_DIR/curl")" "Failed to connect"
[ $((($(date +%s%N) - before) / 1000000)) -lt 2000 ] || fail "reject took its time"
inside b ping -q -c 40 -i 0.01 -W 1 10.0.2.1 >/dev/null || true
wait_until 5 log_has 'acl_log.*name="blocked".*verdict=drop'
lines=$(grep -c 'acl_log.*name="blocked"' "$(controller_log)")
[ "$lines" -lt 20 ] || fail "the meter let $lines lines through"
nb --type=port-group acl-del pg1

step "a load balancer on the router: by connection, with affinity, and for the member itself (hairpin)"
for i in a b; do web_server $i 8080; done
nb lb-add lb 10.9.9.9:80 10.0.1.1:8080,10.0.1.2:8080 -- lr-lb-add lr lb -- ls-lb-add sw1 lb -- ls-lb-add sw2 lb
sync
wait_until 10 get x 10.9.9.9
names x 10.9.9.9 20 | sort -u >"$TEST_DIR/names"
assert_eq "$(wc -l <"$TEST_DIR/names")" 2 "members that answered"
wait_until 5 get a 10.9.9.9
names a 10.9.9.9 20 | sort -u >"$TEST_DIR/names"
assert_eq "$(wc -l <"$TEST_DIR/names")" 2 "members that answered, asked by one of them"
nb set Load_Balancer lb options:affinity_timeout=30
sync
wait_until 5 get x 10.9.9.9
sleep 0.3
names x 10.9.9.9 15 | sort -u >"$TEST_DIR/names"
assert_eq "$(wc -l <"$TEST_DIR/names")" 1 "members that answered with affinity"
nb remove Load_Balancer lb options affinity_timeout

step "health checks: a member that has gone is not asked any more"
nb set Load_Balancer lb ip_port_mappings:10.0.1.1=a:10.0.1.250 ip_port_mappings:10.0.1.2=b:10.0.1.250
nb --id=@check create Load_Balancer_Health_Check 'vip="10.9.9.9:80"' options:interval=1 options:timeout=1 options:success_count=1 options:failure_count=2 \
    -- add Load_Balancer lb health_check @check >/dev/null
sync
wait_until 15 service_is online 10.0.1.1
wait_until 15 service_is online 10.0.1.2
ovn_end "$(cat "$TEST_DIR/web-a.pid")"
wait_until 15 service_is offline 10.0.1.1
sync
names x 10.9.9.9 12 | sort -u >"$TEST_DIR/names"
assert_eq "$(cat "$TEST_DIR/names")" b "who answers"
nb lb-del lb

step "IPv6: router advertisements, neighbours, DHCPv6, pings across the router"
nb set Logical_Router_Port lr-sw1 'networks="10.0.1.254/24","fd00:1::fe/64"' ipv6_ra_configs:address_mode=slaac ipv6_ra_configs:send_periodic=true \
    ipv6_ra_configs:min_interval=3 ipv6_ra_configs:max_interval=4
nb set Logical_Router_Port lr-sw2 'networks="10.0.2.254/24","fd00:2::fe/64"'
options6=$(nb create DHCP_Options cidr='fd00\:2\:\:/64' options:server_id=02:00:00:00:02:fe)
nb lsp-set-addresses a "02:00:00:00:01:01 10.0.1.1 fd00:1::ff:fe00:101" -- lsp-set-addresses x "02:00:00:00:02:01 10.0.2.1 fd00:2::1"
nb lsp-set-dhcpv6-options x "$options6"
sync
for vm in a x; do inside $vm sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set eth0 down; ip link set eth0 up'; done
inside a ip route replace default via 10.0.1.254
inside x ip route replace default via 10.0.2.254
wait_until 15 eval "inside a ip -6 addr show dev eth0 | grep -q fd00:1::"
inside x timeout 10 "$PYTHON" "$TEST_LIB/dhcp6.py" eth0 fd00:2::1 || fail "no address by DHCPv6"
inside x ip addr replace fd00:2::1/64 dev eth0 nodad
inside x ip -6 route replace default via fd00:2::fe
wait_until 10 inside a ping -q -c 1 -W 1 fd00:2::1
inside a ping -q -c 5 -i 0.1 -W 1 fd00:2::1 >/dev/null || fail "IPv6 pings are lost"

step "policy routes, ECMP routes, and routes that drop"
nb lr-policy-add lr 100 'ip4.src == 10.0.1.3' drop
sync
silent c 10.0.2.1
nb lr-policy-del lr
nb --ecmp lr-route-add lr 10.55.0.0/16 10.0.2.1 -- --ecmp lr-route-add lr 10.55.0.0/16 10.0.2.2
for vm in x y; do inside $vm sh -c 'ip addr add 10.55.0.1/32 dev lo'; done
sync
wait_until 10 inside a ping -q -c 1 -W 1 10.55.0.1
web_server x 85
web_server y 85
wait_until 5 get a 10.55.0.1:85
for address in a b c; do names $address 10.55.0.1:85 10; done | sort -u >"$TEST_DIR/names"
assert_eq "$(wc -l <"$TEST_DIR/names")" 2 "next hops that were used"

step "QoS: DSCP is marked, and a rate limit holds"
nb qos-add sw1 from-lport 100 'inport == "b" && ip4 && udp.dst == 7000' dscp=46
nb qos-add sw1 from-lport 101 'inport == "c" && ip4' rate=2000 burst=200
sync
in_ns_capture a 'udp port 7000'
inside b "$PYTHON" -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(b"x", ("10.0.1.1", 7000)) for i in range(5)]'
wait_until 5 grep -q 'tos 0xb8' "$TEST_DIR/tcpdump-a.log"
inside a iperf3 -s -1 >"$TEST_DIR/iperf-server.log" 2>&1 &
wait_until 5 eval "inside a ss -tln | grep -q :5201"
inside c iperf3 -c 10.0.1.1 -t 3 -J >"$TEST_DIR/iperf.json"
rate=$("$PYTHON" -c 'import json, sys; print(int(json.load(open(sys.argv[1]))["end"]["sum_received"]["bits_per_second"] / 1000))' "$TEST_DIR/iperf.json")
[ "$rate" -lt 3000 ] && [ "$rate" -gt 300 ] || fail "$rate kbit/s with a limit of 2000"
nb qos-del sw1

step "container ports: a virtual machine's VLANs are logical ports of their own"
nb ls-add sw3 -- lsp-add sw3 b10 b 10 -- lsp-add sw3 c20 c 20 -- lsp-set-addresses b10 "02:00:00:00:03:01 10.0.3.1" -- lsp-set-addresses c20 "02:00:00:00:03:02 10.0.3.2"
sync
vlan_interface b 10 02:00:00:00:03:01 10.0.3.1/24
vlan_interface c 20 02:00:00:00:03:02 10.0.3.2/24
reaches b 10.0.3.2

step "multicast: groups that were joined, nobody else"
nb set Logical_Switch sw1 other_config:mcast_snoop=true other_config:mcast_querier=false other_config:mcast_flood_unregistered=false
sync
in_ns_capture b 'host 239.1.2.3 and udp'
in_ns_capture c 'host 239.1.2.3 and udp'
background joined ip netns exec "$(ovn_ns b)" "$PYTHON" "$TEST_LIB/multicast.py" join 239.1.2.3 10.0.1.2
wait_until 10 eval "sb list IGMP_Group | grep -q 239.1.2.3"
sync
inside a "$PYTHON" "$TEST_LIB/multicast.py" send 239.1.2.3 10.0.1.1
wait_until 5 grep -q '239.1.2.3' "$TEST_DIR/tcpdump-b.log"
sleep 0.3
! grep -q 'UDP' "$TEST_DIR/tcpdump-c.log" || fail "a host that did not join got it"

step "nobody has anything to complain of"
no_complaints host
