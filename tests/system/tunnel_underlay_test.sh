#!/bin/bash
# Where tunnels' outer packets go: neighbours are asked for while packets wait, routes and addresses that change are followed within 100 ms,
# and nothing is translated again that they do not concern.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS is configured otherwise"; exit 0; }

phy=n$(($$ % 100000)) net=198.18.$(($$ % 200 + 1)) far=198.19.$(($$ % 200 + 1)) cards=198.17.$(($$ % 200 + 1))
on_exit link "$phy"
vxlan() { # NAME OFPORT REMOTE KEY
    printf '{ "name": "%s", "ofport": %d, "type": "vxlan", "tunnel": { "remote_ip": "%s", "key": "%d" } }' "$@"
}
host_make vm 10.0.0.1/24 02:00:00:00:00:01
for i in 1 2; do
    host_make "v$i" "$net.1$i/24" "02:00:00:00:01:0$i"
    in_ns "v$i" ip link add x type vxlan id $i remote "$net.1" dstport 4789 dev eth0
    in_ns "v$i" ip link set x address "02:00:00:00:02:0$i" mtu 1400 up
    in_ns "v$i" ip addr add "10.0.0.1$i/24" dev x
done
# Two ways to one network, each by a card of this host that is a port, too.
for i in 3 4; do
    host_make "v$i" "$cards.$((i * 16 + 2))/28" "02:00:00:00:01:0$i"
    in_ns "v$i" ip addr add "$far.250/32" dev lo
    ip addr add "$cards.$((i * 16 + 1))/28" dev "$(host_if "v$i")"
done
cat >"$TEST_DIR/sluice.json" <<JSON
{
  "run_dir": "$RUN_DIR",
  "dpdk": { "eal_args": ["--no-pci", "--in-memory", "-m", "$TEST_MEMORY", "--file-prefix", "$TEST_ID"], "hugepages": $HUGEPAGES },
  "pmd": { "cores": [$PMD_CORE] },
  "control": { "core": 0 },
  "bridges": [
    { "name": "br0", "fail_mode": "secure", "ports": [ $(system_json vm 1 vm),
      $(vxlan t1 11 "$net.11" 1), $(vxlan t2 12 "$net.12" 2), $(vxlan t3 13 "$far.9" 3), $(vxlan t4 14 "$net.99" 4),
      $(vxlan t5 15 "$far.250" 5) ] },
    { "name": "$phy", "fail_mode": "standalone", "ports": [ { "name": "$phy", "ofport": "LOCAL", "type": "tap" },
      $(system_json p1 1 v1), $(system_json p2 2 v2) ] },
    { "name": "cards", "fail_mode": "secure", "ports": [ $(system_json p3 1 v3), $(system_json p4 2 v4) ] }
  ]
}
JSON
start_sluice
ip addr add "$net.1/24" dev "$phy"
ip link set "$phy" up
ofctl add-flow "in_port=11,actions=1"
ofctl add-flow "in_port=12,actions=1"
ofctl add-flow "priority=9,arp,actions=flood"
for i in 1 2; do ofctl add-flow "in_port=1,dl_dst=02:00:00:00:02:0$i,actions=1$i"; done
ofctl add-flow "in_port=1,dl_dst=02:00:00:00:02:03,actions=13"
ofctl add-flow "in_port=1,dl_dst=02:00:00:00:02:04,actions=14"
ofctl add-flow "in_port=1,dl_dst=02:00:00:00:02:05,actions=15"
ovs-ofctl add-flow "$RUN_DIR/cards.mgmt" actions=in_port
for i in 1 2 3 4; do in_ns vm ip neigh add "10.0.0.1$i" lladdr "02:00:00:00:02:0$i" dev eth0; done
wait_until 5 eval 'appctl ovs/route/show | grep -q "$net.0/24"'
hop() { appctl tnl/next-hops | grep "^$1 "; }
stat() { ctl --json flows | jq "$1"; }

step "the first packet waits for the neighbour's answer"
in_ns vm ping -q -n -c 1 -W 2 10.0.0.11 >/dev/null || fail "the first packet was lost"
assert_matches "$(appctl tnl/neigh/show)" "^$net.11 +02:00:00:00:01:01   $phy$"
assert_matches "$(hop "$net.11")" "dev $phy src $net.1 via $net.11 bridge $phy port $phy mac 02:00:00:00:01:01 mtu [0-9]+: ready$"
ping_ok vm 10.0.0.12
assert_eq "$(ctl --json tnl/arp/show | jq -r "map(select(.ip == \"$net.12\"))[0].source")" snooped

# follows WHAT COMMAND...: until the command succeeds, which has to be within 100 ms where nothing else runs
follows() {
    local what=$1 began took bound=$((100 * ${TEST_PATIENCE:-4}))
    began=$(date +%s%N)
    shift
    until "$@" >/dev/null 2>&1; do [ $(($(date +%s%N) - began)) -lt 5000000000 ] || fail "$what: not followed within 5 s"; done
    took=$((($(date +%s%N) - began) / 1000000))
    echo "  $what: followed within $took ms"
    [ "$took" -le $bound ] || [ "$took" -le $((bound * $(slower) / 100)) ] || fail "$what: followed within $took ms"
}
revalidated() { ctl --json flows | jq .revalidated; }
# Into OUTPUT, when it has not changed for a while.
revalidated_calmly() {
    local now
    OUTPUT=$(revalidated)
    for _ in $(seq 50); do
        sleep 0.3
        now=$(revalidated)
        [ "$now" != "$OUTPUT" ] || return 0
        OUTPUT=$now
    done
    fail "megaflows are translated again without end: $now"
}
frame() { echo "Ether(src='02:00:00:00:00:01',dst='02:00:00:00:02:0$1')/IP(src='10.0.0.1',dst='10.0.0.1$1')/UDP(dport=9)/Raw(b'to-be-carried')"; }
outer() { echo "UDP in p and p[UDP].dport==4789 and p[IP].dst=='$1'"; }

step "a route that comes, changes and goes; nothing but its own megaflow is translated again"
packets vm "$(frame 3)" 3 v1=none v2=none
assert_matches "$(hop "$far.9")" ": (no route|device is in no bridge)$"
ip route add "$far.0/24" via "$net.11" dev "$phy"
follows "a route" eval 'hop "$far.9" | grep -q "via $net.11 .*: ready"'
packets vm "$(frame 3)" 3 "v1=$(outer "$far.9")"
ping_ok vm 10.0.0.11
ping_ok vm 10.0.0.12
revalidated_calmly
before=$OUTPUT
ip route replace "$far.0/24" via "$net.12" dev "$phy"
follows "another gateway" eval 'hop "$far.9" | grep -q "via $net.12 .*: ready"'
wait_until 3 eval '[ "$(revalidated)" != "$before" ]'
revalidated_calmly
assert_eq $((OUTPUT - before)) 1 "megaflows translated again"
packets vm "$(frame 3)" 3 "v2=$(outer "$far.9")"
revalidated_calmly
before=$OUTPUT
ip addr add "$net.200/32" dev lo && ip addr del "$net.200/32" dev lo
revalidated_calmly
assert_eq $((OUTPUT - before)) 0 "megaflows translated again"
ip route del "$far.0/24"
follows "no route" eval '! hop "$far.9" | grep -q "via $net.12"'

step "several paths: flows are spread by what is inside"
for host in v1 v2; do capture $host; done
ip route add "$far.0/24" nexthop via "$net.11" dev "$phy" nexthop via "$net.12" dev "$phy"
follows "several paths" eval 'appctl tnl/next-hops | grep -q "^$far.9: several paths$"'
assert_eq "$(appctl ovs/route/lookup "$far.9")" "nexthop dev $phy gateway $net.11 src $net.1 weight 1
nexthop dev $phy gateway $net.12 src $net.1 weight 1"
in_ns vm bash -c 'for port in $(seq 9000 9063); do echo >/dev/udp/10.0.0.13/$port; done'
for host in v1 v2; do wait_until 3 captured $host "> $far.9.4789: VXLAN"; done
assert_matches "$(hop "$far.9 slot 1")" "via $net.1[12] .*: ready$"
ip route del "$far.0/24"
follows "no route" eval '! appctl tnl/next-hops | grep -q "^$far.9: several paths$"'

step "policy rules: another table for some destinations, and back"
table=$((1000000 + $$))
on_exit rule $table
ip route add "$far.0/24" via "$net.11" dev "$phy"
ip route add "$far.0/24" via "$net.12" dev "$phy" table $table
follows "a route" eval 'hop "$far.9" | grep -q "via $net.11 .*: ready"'
ip rule add to "$far.0/24" lookup $table prio 77
follows "a rule" eval 'hop "$far.9" | grep -q "via $net.12 .*: ready"'
assert_contains "$(appctl ovs/route/rule/show)" "Cached: 77: from all to $far.0/24 lookup $table"
assert_contains "$(appctl ovs/route/show "table=$table")" "Route Table #$table:" "Cached: $far.0/24 dev $phy GW $net.12 SRC $net.1"
assert_contains "$(appctl ovs/route/show table=all)" "Cached: $far.0/24 dev $phy GW $net.12 SRC $net.1 table $table"
packets vm "$(frame 3)" 3 "v2=$(outer "$far.9")"
ip rule del prio 77
follows "no rule" eval 'hop "$far.9" | grep -q "via $net.11 .*: ready"'
ip route flush table $table
ip route del "$far.0/24"

step "an IPv6 router for IPv4"
in_ns v2 sh -c "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"
in_ns v2 ip addr add fd77::2/64 dev eth0 nodad
echo 0 >"/proc/sys/net/ipv6/conf/$phy/disable_ipv6"
ip addr add fd77::1/64 dev "$phy" nodad
ip route add "$far.0/24" via inet6 fd77::2 dev "$phy"
follows "a route" eval 'hop "$far.9" | grep -q "via fd77::2 "'
wait_until 5 eval 'hop "$far.9" | grep -q "src $net.1 via fd77::2 .* mac 02:00:00:00:01:02 .*: ready"'
packets vm "$(frame 3)" 3 "v2=$(outer "$far.9")" v1=none
ip route del "$far.0/24"

step "operators' rules and tables, in Open vSwitch's words"
assert_eq "$(appctl ovs/route/add "$far.0/24" "$phy" "$net.12" table=5)" OK
assert_eq "$(appctl ovs/route/rule/add from=all prio=78 table=5)" OK
follows "an operator's rule" eval 'hop "$far.9" | grep -q "via $net.12 .*: ready"'
assert_contains "$(appctl ovs/route/rule/show)" "User: 78: from all lookup 5"
assert_matches "$(appctl ovs/route/lookup "$far.9" "src=$net.1")" "^gateway $net.12$"
for words in 'route/rule/add from=x table=5' 'route/rule/add from=all' 'route/rule/add table=5' 'route/rule/add from=all prio=1 table=x' \
    'route/rule/del from=all table=6' 'route/show table=x' "route/del $far.0/24" "route/lookup $far.9 src=1.2.3.4"; do
    # shellcheck disable=SC2086
    assert_fails appctl ovs/$words
done
assert_eq "$(appctl ovs/route/rule/del from=all table=5)" OK
assert_eq "$(appctl ovs/route/del "$far.0/24" table=5)" OK
follows "no rule of operators" eval '! hop "$far.9" | grep -q "via $net.12"'

step "a neighbour that has another address"
in_ns v1 ip link set eth0 address 02:00:00:00:01:77
in_ns v1 ip neigh flush all
packets v1 "Ether(src='02:00:00:00:01:77',dst='ff:ff:ff:ff:ff:ff')/ARP(op=2,hwsrc='02:00:00:00:01:77',psrc='$net.11',hwdst='ff:ff:ff:ff:ff:ff',pdst='$net.11')" 3 vm=none
follows "another address" eval 'hop "$net.11" | grep -q "mac 02:00:00:00:01:77"'
wait_until 3 ping_once vm 10.0.0.11

step "one that does not answer: packets are dropped by name, and it is asked again"
packets vm "$(frame 4)" 3 v1=none
wait_until 3 eval 'hop "$net.99" | grep -q ": unreachable$"'
packets vm "$(frame 4)" 3 v1=none
wait_until 3 eval 'ctl drops | grep -q ^tunnel_unreachable'
in_ns v1 ip addr add "$net.99/24" dev eth0
wait_until 10 eval 'hop "$net.99" | grep -q ": ready$"'

step "the kernel's word, and operators'"
assert_eq "$(appctl tnl/neigh/set "$phy" "$net.77" 02:00:00:00:00:77)" OK
assert_matches "$(appctl tnl/neigh/show)" "^$net.77 +02:00:00:00:00:77   $phy$"
assert_eq "$(appctl tnl/neigh/aging)" 900
assert_eq "$(appctl tnl/neigh/aging 3600)" OK
for words in 'neigh/aging 0' 'neigh/aging 3601' 'arp/aging x' "neigh/set $phy 1.2.3 02:00:00:00:00:01" "neigh/set $phy 1.2.3.4 x" \
    "neigh/set $phy 1.2.3.4 01:00:00:00:00:01" 'neigh/set nosuch 1.2.3.4 02:00:00:00:00:01' 'egress_port_range 0 5' 'egress_port_range 5 70000'; do
    # shellcheck disable=SC2086
    assert_fails appctl tnl/$words
done
assert_eq "$(appctl tnl/neigh/flush)" OK
assert_lacks "$(appctl tnl/neigh/show)" "$net.77"
wait_until 3 ping_once vm 10.0.0.12
assert_eq "$(appctl tnl/egress_port_range)" "Tunnel UDP source port range: 32768-61000"
assert_eq "$(appctl tnl/egress_port_range 50000 40000)" OK
assert_eq "$(appctl tnl/egress_port_range)" "Tunnel UDP source port range: 40000-50000"
assert_eq "$(appctl tnl/egress_port_range 40001 40001)" OK
packets vm "$(frame 2)" 3 "v2=$(outer "$net.12") and p[UDP].sport==40001"

step "the port of the device goes and comes"
ip link set "$phy" down
follows "the link down" eval '! hop "$net.12" | grep -q ": ready$"'
! ping_once vm 10.0.0.12 || fail "a ping was answered over a link that is down"
wait_until 3 eval 'ctl drops | grep -qE "^tunnel_no_(route|bridge)"'
ip link set "$phy" up
follows "the link up" eval 'hop "$net.12" | grep -q ": \(ready\|asking\)$"'
wait_until 5 ping_once vm 10.0.0.12

step "the link of a card is lost: packets take the other way, and come back"
for i in 3 4; do ip route add "$far.248/30" via "$cards.$((i * 16 + 2))" dev "$(host_if "v$i")" metric "$i"; done
packets vm "$(frame 5)" 3 v1=none v2=none
wait_until 5 eval 'hop "$far.250" | grep -q "via $cards.50 .*: ready"'
packets vm "$(frame 5)" 3 "v3=$(outer "$far.250")" v4=none
in_ns v3 ip link set eth0 down
follows "a link that is down" eval 'hop "$far.250" | grep -q "via $cards.66 .*: ready"'
packets vm "$(frame 5)" 3 "v4=$(outer "$far.250")"
in_ns v3 ip link set eth0 up
follows "a link that is up" eval 'hop "$far.250" | grep -q "via $cards.50 .*: \(ready\|asking\)"'
wait_until 5 eval 'packets vm "$(frame 5)" 3 "v3=$(outer "$far.250")" v4=none'
step "a bridge port down: traffic takes the other way, which is none, and comes back"
in_ns v2 ip link set eth0 down
! ping_once vm 10.0.0.12 || fail "a ping was answered by a host that is down"
ping_ok vm 10.0.0.11
in_ns v2 ip link set eth0 up
wait_until 5 ping_once vm 10.0.0.12
stop_sluice
