#!/bin/bash
# The configuration file is read again: what differs changes, the rest goes on forwarding; what takes a restart is refused whole.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such file"; exit 0; }

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
host_make h3 10.0.0.3/24 02:00:00:00:00:03
p1=$(port_json p1 1 h1) p2=$(port_json p2 2 h2) p3=$(port_json p3 3 h3)
secure='"fail_mode": "secure"' standalone='"fail_mode": "standalone"'
# with_keys PORT KEYS: more keys in the JSON of a port
with_keys() { echo "${1% \}}, $2 }"; }
listening() { ss -tln | grep -q "127.0.0.1:$1 "; }
# A port that was just added says within half a second that its link is up.
connected() { wait_until 5 ping_once "$1" "$2" >/dev/null && ping_ok "$1" "$2"; }
port=$((20000 + $$ % 10000))

sluice_config "$standalone" "$p1" "$p2"
start_sluice
ping_ok h1 10.0.0.2

step "the same file again changes nothing"
assert_contains "$(ctl reload)" "nothing differs"

step "a port more, while the others forward"
background flood ip netns exec "$(ns_name h1)" ping -q -i 0.01 -w 80 10.0.0.2
flood=$PID
sluice_config "$standalone" "$p1" "$p2" "$p3"
assert_contains "$(ctl reload)" "br0: added port p3"
connected h1 10.0.0.3

step "a port less, by SIGHUP"
sluice_config "$standalone" "$p1" "$p2"
kill -HUP "$SLUICE_PID"
wait_until 5 eval '! ctl ports | grep -q "p3(3)"'
ping_none h1 10.0.0.3
sluice_config "$standalone" "$p1" "$p2" "$p3"
ctl reload >/dev/null
connected h2 10.0.0.3

step "two ports change numbers"
sluice_config "$standalone" "$p1" "$(port_json p2 3 h2)" "$(port_json p3 2 h3)"
assert_contains "$(ctl reload)" "replaced port p2" "replaced port p3"
assert_matches "$(ofctl show)" '^ 3\(p2\)'
wait_until 5 ping_once h2 10.0.0.1
wait_until 5 ping_once h1 10.0.0.2
sluice_config "$standalone" "$p1" "$p2" "$p3"
ctl reload >/dev/null
wait_until 5 ping_once h2 10.0.0.1
wait_until 5 ping_once h1 10.0.0.2
kill -INT "$flood"
wait_until 5 grep -q '[1-9][0-9]* received' "$TEST_DIR/flood.log"

step "a port that comes hears nothing of other interfaces"
background storm ip netns exec "$(ns_name h1)" ping -q -f -w 30 10.0.0.3
storm=$PID
ctl fdb/stats-clear br0 >/dev/null
for number in 7 8 9 7 2; do
    sluice_config "$standalone" "$p1" "$(port_json p2 $number h2)" "$p3"
    ctl reload >/dev/null
done
assert_matches "$(ctl fdb/stats-show br0)" 'moved MAC entries *: 0$'
kill -INT "$storm"

step "VLANs and MTU of a port change in place"
sluice_config "$standalone" "$p1" "$p2" "$(with_keys "$p3" '"tag": 7, "mtu": 1400')"
assert_contains "$(ctl reload)" "changed port p3"
ping_none h1 10.0.0.3
assert_matches "$(ctl ports p3)" 'mtu 1400'
sluice_config "$standalone" "$p1" "$p2" "$p3"
ctl reload >/dev/null
connected h1 10.0.0.3

step "fail_mode, listeners and controllers; a connection by what goes is closed, rules are those of whom the bridge belongs to"
sluice_config "$secure, \"listen\": [\"ptcp:$port:127.0.0.1\"], \"controllers\": [\"unix:$TEST_DIR/none\"]" "$p1" "$p2" "$p3"
assert_contains "$(ctl reload)" "fail_mode secure, 1 controllers"
wait_until 3 listening "$port"
assert_contains "$(ctl bridges)" "fail_mode secure," "unix:$TEST_DIR/none"
ping_none h1 10.0.0.2
ovs-ofctl add-flow "tcp:127.0.0.1:$port" actions=NORMAL
connected h1 10.0.0.2
background monitor ovs-ofctl --unixctl="$TEST_DIR/monitor.ctl" monitor "tcp:127.0.0.1:$port"
wait_until 5 eval 'ctl bridges | grep -q "tcp:127.0.0.1:.*active"'
sluice_config "$secure" "$p1" "$p2" "$p3"
ctl reload >/dev/null
wait_until 3 eval '! listening $port'
wait_until 3 eval '! ctl bridges | grep -q "tcp:127.0.0.1:\|unix:"'
assert_lacks "$(ofctl dump-flows)" NORMAL
ofctl add-flow actions=NORMAL
connected h1 10.0.0.2

step "a second bridge comes and goes"
tap=${TEST_ID}t
on_exit link "$tap"
sluice_config "$secure" "$p1" "$p2"
sed -i "s|^  \"bridges\": \\[ {|  \"bridges\": [ { \"name\": \"br1\", \"ports\": [ { \"name\": \"$tap\", \"ofport\": 1, \"type\": \"tap\" }, $p3 ] }, {|" "$TEST_DIR/sluice.json"
assert_contains "$(ctl reload)" "br1: added with 2 ports"
[ -e "/sys/class/net/$tap" ] && [ -S "$RUN_DIR/br1.mgmt" ] || fail "br1 is not there"
assert_matches "$(ovs-ofctl show "unix:$RUN_DIR/br1.mgmt")" "\\(p3\\)"
sluice_config "$secure" "$p1" "$p2" "$p3"
assert_contains "$(ctl reload)" "br1: removed" "br0: added port p3"
[ ! -e "/sys/class/net/$tap" ] && [ ! -e "$RUN_DIR/br1.mgmt" ] || fail "br1 is still there"
connected h1 10.0.0.3

step "datapath ID, limits of tables, memory of bundles and sleeps change in place; rules stay"
sluice_config "$secure, \"bundle_memory\": 1, \"tables\": [{\"table\": 3, \"max_entries\": 1}]" "$p1" "$p2" "$p3"
sed -i 's|"0000000000000001"|"0000000000000002"|; s|"cores": \[[0-9]*\]|&, "max_sleep_us": 50|' "$TEST_DIR/sluice.json"
assert_contains "$(ctl reload)" "datapath_id 0000000000000002" "limits of tables" "sleep 50 us at most"
assert_contains "$(ctl bridges)" "datapath_id 0000000000000002"
assert_contains "$(ofctl show)" "dpid:0000000000000002"
ofctl add-flow table=3,ip,actions=drop
assert_fails ofctl add-flow table=3,arp,actions=drop
assert_contains "$OUTPUT" TABLE_FULL
for i in $(seq 20000); do echo "table=4,ip,nw_dst=10.$((i / 65536)).$((i / 256 % 256)).$((i % 256)),actions=drop"; done >"$TEST_DIR/rules"
assert_fails ovs-ofctl -O OpenFlow14 --bundle add-flows "$MGMT" "$TEST_DIR/rules"
sluice_config "$secure" "$p1" "$p2" "$p3"
ctl reload >/dev/null
ofctl add-flow table=3,arp,actions=drop
ovs-ofctl -O OpenFlow14 --bundle add-flows "$MGMT" "$TEST_DIR/rules"
ofctl del-flows table=4
connected h1 10.0.0.2

step "what takes a restart is refused by name, and nothing is changed"
sluice_config "$standalone" "$p1"
sed -i 's|"cores": \[[0-9]*\]|&, "max_masks": 32, "miss_ring": 64|' "$TEST_DIR/sluice.json"
assert_fails ctl reload
assert_contains "$OUTPUT" 'pmd.max_masks: cannot change' 'pmd.miss_ring: cannot change' 'nothing was changed'
connected h1 10.0.0.3
assert_contains "$(ctl bridges)" 'fail_mode secure' 'ports 3'

step "room for megaflows: less at once, more after a restart"
sluice_config "$secure" "$p1" "$p2" "$p3"
sed -i 's|"cores": \[[0-9]*\]|&, "megaflow_limit": 1024, "max_idle_ms": 500|' "$TEST_DIR/sluice.json"
assert_contains "$(ctl reload)" 'at most 1024 megaflows, which go after 500 ms'
assert_contains "$(appctl upcall/show)" '(limit 1024)'
sed -i 's|"megaflow_limit": 1024|"megaflow_limit": 1000001|' "$TEST_DIR/sluice.json"
assert_fails ctl reload
assert_contains "$OUTPUT" 'pmd.megaflow_limit: 1000001 are more than'
connected h1 10.0.0.3
sluice_config "$standalone" "$p1"

step "so is a faulty file"
sed -i 's|"fail_mode": "standalone"|"fail_mode": "sometimes"|' "$TEST_DIR/sluice.json"
assert_fails ctl reload
assert_contains "$OUTPUT" 'fail_mode: must be' 'nothing was changed'
rm "$TEST_DIR/sluice.json"
assert_fails ctl reload
assert_contains "$OUTPUT" 'no such file'

step "a device that is not there is told, the rest is done, and the next reload tries again"
sluice_config "$secure" "$p1" "$p2" "$p3" '{ "name": "p4", "ofport": 4, "type": "dpdk", "devargs": "net_af_packet_x,iface=none-such" }'
sed -i 's|"bridges"|"log": { "level": "dbg" }, "bridges"|' "$TEST_DIR/sluice.json"
assert_fails ctl reload
assert_contains "$OUTPUT" 'port p4' 'log level dbg'
assert_matches "$(ctl vlog/list)" '^flows +DBG +DBG +DBG$'
assert_fails ctl reload
assert_contains "$OUTPUT" 'port p4'
sluice_config "$secure" "$p1" "$p2" "$p3"
assert_contains "$(ctl reload)" 'log level info'

step "many times under traffic"
background flood ip netns exec "$(ns_name h1)" ping -q -f -w 20 10.0.0.2
for _ in $(seq 10); do
    sluice_config "$secure" "$p1" "$p2"
    ctl reload >/dev/null
    sluice_config "$secure" "$p1" "$p2" "$p3"
    ctl reload >/dev/null
done
wait_until 5 ping_once h3 10.0.0.1
wait_until 5 ping_once h2 10.0.0.1
connected h1 10.0.0.3
connected h1 10.0.0.2

stop_sluice
