#!/bin/bash
# The commands of Open vSwitch's daemon, by its own ovs-appctl: what they print, what they do, what they refuse.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
ping_ok h1 10.0.0.2
index() { appctl dpif/show | sed -n "s|^    $1 [0-9]*/\([0-9]*\):.*|\1|p"; }
i1=$(index p1) i2=$(index p2)

step "dpif/, dpctl/: the datapath and its ports"
assert_matches "$(appctl dpif/show)" '^netdev@ovs-netdev: hit:[0-9]+ missed:[0-9]+$'
assert_matches "$(appctl dpif/show)" '^  br0:$'
assert_matches "$(appctl dpif/show)" '^    p1 1/[0-9]+: \(dpdk'
assert_eq "$(appctl dpctl/dump-dps) $(appctl dpif/dump-dps)" "netdev@ovs-netdev netdev@ovs-netdev"
for where in '' netdev@ovs-netdev; do
    # shellcheck disable=SC2086
    show=$(appctl dpctl/show $where)
    assert_matches "$show" '^  lookups: hit:[0-9]+ missed:[0-9]+ lost:[0-9]+$'
    assert_matches "$show" '^  flows: [0-9]+$'
    assert_matches "$show" "^  port $i2: p2 "
done
assert_matches "$(appctl dpctl/show -s)" '^    RX packets:[1-9][0-9]* errors:0 dropped:0 overruns:0 frame:0$'
assert_matches "$(appctl dpif/show-dp-features br0)" '^Recirc: Yes$'
assert_matches "$(appctl dpif/show-dp-features br0)" '^Tunnel push pop: Yes$'
assert_fails appctl dpctl/show netdev@nosuch
assert_contains "$OUTPUT" 'datapath not found'
assert_fails appctl dpif/dump-flows nosuch
assert_contains "$OUTPUT" 'no such bridge'
assert_fails appctl dpif/dump-flows

step "dpif/set-dp-features: what the datapath is told to be without is translated packet by packet"
ofctl add-flow "priority=9,in_port=1,dl_dst=02:00:00:00:00:02,actions=output(port=2,max_len=60)"
packets h1 "Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02',type=0x88b5)/Raw(b'to-be-cut'*10)" 3 'h2=len(p)==60'
assert_contains "$(appctl dpctl/dump-flows)" 'trunc(60)'
assert_matches "$(appctl dpif/set-dp-features br0 trunc)" '^trunc \(Truncate action\) : \[run time\]:true, \[boot time\]:true$'
assert_eq "$(appctl dpif/set-dp-features br0 trunc false)" ""
assert_matches "$(appctl dpif/show-dp-features br0)" '^Truncate action: No$'
packets h1 "Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02',type=0x88b5)/Raw(b'to-be-cut'*10)" 3 'h2=len(p)==60'
assert_lacks "$(appctl dpctl/dump-flows)" 'trunc(60)'
trace=$(appctl ofproto/trace br0 in_port=1,dl_dst=02:00:00:00:00:02)
assert_eq "$(tail -3 <<<"$trace")" "Datapath actions: trunc(60),2
This flow is handled by the userspace slow path because it:
  - Uses action(s) not supported by datapath."
appctl dpif/set-dp-features br0 trunc true
packets h1 "Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02',type=0x88b5)/Raw(b'to-be-cut'*10)" 3 'h2=len(p)==60'
assert_contains "$(appctl dpctl/dump-flows)" 'trunc(60)'
for words in 'br0 ufid false' 'br0 max_vlan_headers 3' 'br0 nosuch' 'nosuch trunc' 'br0 trunc maybe'; do
    # shellcheck disable=SC2086
    assert_fails appctl dpif/set-dp-features $words
done
ofctl del-flows "dl_dst=02:00:00:00:00:02"

step "dpctl/dump-flows: ports by number and by name, filters, ids"
ping_ok h1 10.0.0.2
assert_matches "$(appctl dpctl/dump-flows)" "^recirc_id\(0\),in_port\($i1\),eth\(.*, packets:[0-9]+, bytes:[0-9]+, used:[0-9.]+s, actions:$i2$"
assert_matches "$(appctl dpctl/dump-flows --names netdev@ovs-netdev)" '^recirc_id\(0\),in_port\(p1\),eth\(.*actions:p2$'
assert_matches "$(appctl dpctl/dump-flows -m)" '^ufid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}, .*in_port\(p1\).*, dp:ovs, actions:p2$'
assert_matches "$(appctl dpif/dump-flows br0)" "^recirc_id\(0\),in_port\($i2\)"
assert_lacks "$(appctl dpctl/dump-flows --names filter=in_port=p2)" 'in_port(p1)'
assert_contains "$(appctl dpctl/dump-flows --names filter=in_port=p2)" 'in_port(p2)'
assert_eq "$(appctl dpctl/dump-flows filter=dl_src=02:00:00:00:00:99)" ""
assert_eq "$(appctl dpctl/dump-flows type=offloaded)" ""
assert_contains "$(appctl dpctl/dump-flows type=ovs pmd=$PMD_CORE)" recirc_id
assert_fails appctl dpctl/dump-flows filter=nonsense=1
assert_fails appctl dpctl/dump-flows nosuch

step "ofproto/trace takes what dpctl/dump-flows prints"
flow=$(appctl dpctl/dump-flows filter=in_port=p1,dl_dst=02:00:00:00:00:02 | head -1)
trace=$(appctl ofproto/trace "${flow%%, packets*}")
assert_contains "$trace" 'bridge("br0")' 'NORMAL' 'Final flow: unchanged'
assert_matches "$trace" "^Datapath actions: 2$"
assert_contains "$(appctl ofproto/trace netdev@ovs-netdev "in_port(p1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x8100),vlan(vid=5,pcp=0),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2))" -generate)" 'dl_vlan=5' 'tcp'
assert_fails appctl ofproto/trace nosuch "in_port(p1),eth()"
assert_fails appctl ofproto/trace "in_port(p9)"
assert_fails appctl ofproto/trace "in_port(p1),nonsense(1)"
assert_fails appctl ofproto/trace -generate

step "revalidator/, upcall/: megaflows go and come"
appctl revalidator/wait
appctl revalidator/purge
assert_eq "$(appctl dpctl/dump-flows)" ""
assert_matches "$(appctl upcall/show)" '^  flows         : \(current 0\) \(avg [0-9]+\) \(max [1-9][0-9]*\) \(limit [0-9]+\)$'
ping_ok h1 10.0.0.2
assert_contains "$(appctl dpctl/dump-flows)" recirc_id

step "fdb/: static entries, statistics"
appctl fdb/add br0 p1 0 02:00:00:00:00:77
appctl fdb/add br0 2 5 02:00:00:00:00:78
assert_matches "$(appctl fdb/show br0)" '^    1     0  02:00:00:00:00:77  static$'
assert_matches "$(appctl fdb/show br0)" '^    2     5  02:00:00:00:00:78  static$'
assert_matches "$(appctl fdb/stats-show br0)" '^  Current static MAC entries in the table : 2$'
assert_matches "$(appctl fdb/stats-show br0)" '^  Total number of learned MAC entries     : [2-9]$'
assert_contains "$(appctl fdb/flush br0)" 'table successfully flushed'
assert_lacks "$(appctl fdb/show br0)" 02:00:00:00:00:01
assert_contains "$(appctl fdb/show br0)" 02:00:00:00:00:77
packets h2 "Ether(src='02:00:00:00:00:02',dst='02:00:00:00:00:77',type=0x88b5)/Raw(b'to-a-static-address')" 3 h1=True
appctl fdb/del br0 0 02:00:00:00:00:77
assert_fails appctl fdb/del br0 0 02:00:00:00:00:77
assert_contains "$OUTPUT" 'could not find static mac entry'
assert_contains "$(appctl fdb/stats-clear)" 'statistics successfully cleared'
assert_matches "$(appctl fdb/stats-show br0)" '^  Total number of learned MAC entries     : 0$'
for words in 'br0 p9 0 02:00:00:00:00:77' 'br0 p1 4096 02:00:00:00:00:77' 'br0 p1 0 01:00:00:00:00:77' 'br0 p1 0 zz' 'nosuch p1 0 02:00:00:00:00:77'; do
    # shellcheck disable=SC2086
    assert_fails appctl fdb/add $words
done

step "dpif-netdev/: poll-mode threads"
stats=$(appctl dpif-netdev/pmd-stats-show)
assert_matches "$stats" "^pmd thread numa_id [0-9]+ core_id $PMD_CORE:$"
assert_matches "$stats" '^  packets received: [1-9][0-9]*$'
assert_matches "$stats" '^  avg processing cycles per packet: [0-9.]+ \([0-9]+/[0-9]+\)$'
assert_contains "$stats" 'simple match hits: ' 'emc hits: ' 'megaflow hits: ' 'miss with failed upcall: 0' 'main thread:'
assert_matches "$(appctl dpif-netdev/pmd-rxq-show)" '^  port: p1 +queue-id:  0 \(enabled\)   pmd usage: '
assert_eq "$(appctl dpif-netdev/pmd-rxq-rebalance)" 'pmd rxq rebalance requested.'
assert_matches "$(appctl dpif-netdev/pmd-perf-show -nh -pmd "$PMD_CORE" netdev@ovs-netdev)" '^  Rx packets: +[1-9][0-9]*  \('
assert_eq "$(appctl dpif-netdev/pmd-stats-show -pmd 77)" ""
assert_fails appctl dpif-netdev/pmd-stats-show -pmd x
appctl dpif-netdev/pmd-stats-clear
assert_matches "$(appctl dpif-netdev/pmd-stats-show)" '^  packets received: [0-9]$'

step "bridge/, ofproto/: rules with the hidden one, controllers"
assert_matches "$(appctl bridge/dump-flows br0)" '^duration=[0-9]+s, n_packets=[1-9][0-9]*, n_bytes=[0-9]+, priority=0,actions=NORMAL$'
ofctl add-flow table=3,priority=7,ip,actions=drop
assert_matches "$(appctl bridge/dump-flows --offload-stats br0)" '^table_id=3, .*n_offload_packets=0, n_offload_bytes=0, priority=7,ip,actions=drop$'
assert_fails appctl bridge/dump-flows nosuch
assert_eq "$(appctl ofproto/list)" br0
appctl bridge/reconnect
appctl bridge/reconnect br0
assert_fails appctl bridge/reconnect nosuch

step "ovs/route/: routes of the kernel's, as they come and go, and of operators"
lan=${TEST_ID}r
ip link add "$lan" type veth peer name "${lan}p"
on_exit link "$lan"
ip link set "$lan" up && ip link set "${lan}p" up
ip addr add 198.51.100.7/25 dev "$lan"
routes() { appctl ovs/route/show | grep -w "$lan" | grep -v :: | sort; }
two="Cached: 198.51.100.0/25 dev $lan SRC 198.51.100.7
Cached: 198.51.100.7/32 dev $lan SRC 198.51.100.7 local"
wait_until 3 eval '[ "$(routes)" = "$two" ]'
ip route add 203.0.113.0/24 via 198.51.100.1 dev "$lan"
wait_until 3 eval 'routes | grep -qx "Cached: 203.0.113.0/24 dev $lan GW 198.51.100.1 SRC 198.51.100.7"'
assert_eq "$(appctl ovs/route/lookup 203.0.113.9)" "src 198.51.100.7
gateway 198.51.100.1
dev $lan"
assert_eq "$(appctl ovs/route/add 203.0.0.0/16 "$lan" 198.51.100.2 pkt_mark=5)" OK
assert_contains "$(routes)" "User: 203.0.0.0/16 MARK 5 dev $lan GW 198.51.100.2 SRC 198.51.100.7"
assert_contains "$(appctl ovs/route/lookup 203.0.113.9 pkt_mark=5)" 'gateway 198.51.100.2'
assert_eq "$(appctl ovs/route/del 203.0.0.0/16 pkt_mark=5)" OK
ip addr add 198.51.100.8/25 dev "$lan"
wait_until 3 eval 'routes | grep -q 198.51.100.8'
assert_eq "$(appctl ovs/route/add 203.0.0.0/16 "$lan" src=198.51.100.8 198.51.100.2)" OK
assert_contains "$(routes)" "User: 203.0.0.0/16 dev $lan GW 198.51.100.2 SRC 198.51.100.8"
assert_eq "$(appctl ovs/route/del 203.0.0.0/16)" OK
ip addr del 198.51.100.8/25 dev "$lan"
wait_until 3 eval '! routes | grep -q 198.51.100.8'
for words in "add 203.0.113.0/33 $lan" "add 203.0.113.0/24 nosuch" "add 203.0.113.0/24 $lan" "add 203.0.113.0/24 $lan ::1" "add 203.0.113.0/24 $lan 198.51.100.1 src=198.51.100.9" \
    "add 203.0.113.0/24 $lan 198.51.100.1 src=x" "del 203.0.0.0/16" "lookup 203.0.113.9 pkt_mark=5" \
    "lookup 203.0.113"; do
    # shellcheck disable=SC2086
    assert_fails appctl ovs/route/$words
done
ip addr del 198.51.100.7/25 dev "$lan"
wait_until 3 eval '[ -z "$(routes)" ]'

step "memory/, coverage/, dpdk/"
assert_matches "$(appctl memory/show)" '(^| )ports:2( |$)'
assert_matches "$(appctl coverage/show)" '^flow_install +[0-9.]+/sec +total: [1-9][0-9]*$'
[ "$(appctl coverage/read-counter flow_install)" -gt 0 ] || fail "no megaflow was counted"
assert_fails appctl coverage/read-counter nosuch
assert_contains "$OUTPUT" 'No such counter'
assert_contains "$(appctl dpdk/get-malloc-stats)" Alloc_size
appctl dpdk/log-set lib.eal:debug
assert_matches "$(appctl dpdk/log-list)" 'lib.eal, level is debug$'
assert_fails appctl dpdk/log-set lib.eal:loud
assert_contains "$(appctl netdev-dpdk/get-mempool-info p1)" packets_
assert_fails appctl netdev-dpdk/get-mempool-info nosuch

if ! is_ovs; then
    step "JSON of each"
    while read -r command; do
        # shellcheck disable=SC2086
        ctl --json $command >"$TEST_DIR/json"
        "$PYTHON" -m json.tool "$TEST_DIR/json" >/dev/null || fail "$command: $(head -c 300 "$TEST_DIR/json")"
    done <<'COMMANDS'
dpif/show
dpif/dump-flows br0
dpif/show-dp-features br0
dpctl/show
dpctl/dump-dps
dpctl/dump-flows -m
revalidator/wait
upcall/show
fdb/show br0
fdb/stats-show br0
dpif-netdev/pmd-stats-show
dpif-netdev/pmd-rxq-show
dpif-netdev/pmd-perf-show
bridge/dump-flows br0
ofproto/list
memory/show
coverage/show
coverage/read-counter flow_install
dpdk/get-malloc-stats
netdev-dpdk/get-mempool-info
ovs/route/show
ovs/route/lookup 127.0.0.1
tnl/ports/show -v
ofproto/list-tunnels
vlog/list
COMMANDS
fi

step "docs/commands.md has every command"
commands=$(appctl list-commands | awk 'NR > 1 {print $1}') missing=
assert_contains "$commands" dpctl/dump-conntrack capture/start
for command in $commands; do
    grep -qF -- "$command" "$TOP/docs/commands.md" || missing="$missing $command"
done
[ -z "$missing" ] || fail "docs/commands.md does not have$missing"

step "exit takes --cleanup, and nothing else"
assert_fails appctl exit now
appctl exit --cleanup
wait_until 3 eval '! sluice_runs'
