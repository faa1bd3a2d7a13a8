#!/bin/bash
# Debian's ovs-ctl as it is: start, status, version, restart with flows and groups of a secure bridge, stop; second starts refused.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovs_ctl.sh"

if is_ovs; then exit 77; fi
ovs_ctl_setup
br=${TEST_ID}b
on_exit link "$br"
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
of() { ovs-ofctl -t 20 "$@"; }
# ovs-ofctl's replace-flows, which restores them, leaves reset_counts out.
rules() { of -O OpenFlow15 dump-flows --no-stats --no-names "$br" | sed -n "s/reset_counts //; s/^ *\(cookie\|table\|priority\)/\1/p" | sort; }
groups() { of -O OpenFlow15 dump-groups "$br" | sed -n 's/^ *\(group_id\)/\1/p' | sort; }

step "start"
ovs_ctl start
note_daemons
assert_eq "$(cat "/proc/$(pid_of ovs-vswitchd)/comm")" ovs-vswitchd
assert_eq "$(vsctl get Open_vSwitch . ovs_version)" '"3.1.0"' ovs_version
assert_eq "$(vsctl get Open_vSwitch . cur_cfg)" "$(vsctl get Open_vSwitch . next_cfg)" cur_cfg
[ "$(vsctl get Open_vSwitch . system_type)" != '""' ] || fail "no system_type"

step "status, version"
assert_contains "$(ovs_ctl status)" "ovsdb-server is running with pid $(pid_of ovsdb-server)" \
    "ovs-vswitchd is running with pid $(pid_of ovs-vswitchd)"
assert_matches "$(ovs_ctl version)" '^ovs-vswitchd \(Open vSwitch\) [0-9.]+$'

step "a second start leaves both alone"
first=$(pid_of ovs-vswitchd)
assert_contains "$(ovs_ctl start)" "ovsdb-server is already running" "ovs-vswitchd is already running"
assert_eq "$(pid_of ovs-vswitchd)" "$first" pid

# ovs-save speaks the last of the bridge's protocols, OpenFlow 1.4 where it has none; numbers and methods of groups are of 1.5.
step "a secure bridge with rules of several kinds, groups and a map of tunnel options"
vsctl add-br "$br" -- set-fail-mode "$br" secure -- add-port "$br" "$(host_if h1)" -- add-port "$br" "$(host_if h2)" -- \
    set Bridge "$br" other_config:datapath-id=00000000000000aa protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15
of add-tlv-map "$br" '{class=0x102,type=0x80,len=4}->tun_metadata0'
of -O OpenFlow15 add-group "$br" 'group_id=1,type=select,selection_method=dp_hash,bucket=bucket_id:3,weight:5,actions=output:2'
of -O OpenFlow15 add-group "$br" 'group_id=2,type=all,bucket=bucket_id:0,actions=output:1'
of add-flows "$br" - <<FLOWS
cookie=0x11,priority=9,in_port=1,actions=group:1
cookie=0x12,priority=9,in_port=2,actions=group:2
table=1,priority=100,ip,nw_src=10.1.0.0/16,tun_metadata0=0x1,actions=ct(commit,zone=3,table=2)
table=2,priority=7,tcp,tp_dst=80,actions=load:0x5->NXM_NX_REG3[0..3],resubmit(,3)
table=3,priority=1,conj_id=7,ip,actions=learn(table=4,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])
table=3,priority=2,arp,idle_timeout=600,actions=NORMAL
FLOWS
ping_ok h1 10.0.0.2
before=$(rules) before_groups=$(groups)
[ "$(wc -l <<<"$before")" = 6 ] || fail "rules: $before"

step "restart brings them back, the ports with their numbers"
numbers() { vsctl --columns=name,ofport,mac_in_use list Interface | sort; }
addresses=$(numbers)
ovs_ctl restart
note_daemons
[ "$(pid_of ovs-vswitchd)" != "$first" ] || fail "it is the same process"
assert_eq "$(rules)" "$before" rules
assert_eq "$(groups)" "$before_groups" groups
assert_eq "$(numbers)" "$addresses" ports
assert_contains "$(of dump-tlv-map "$br")" 0x102
ping_ok h1 10.0.0.2
assert_lacks "$(vsctl get Open_vSwitch . other_config)" flow-restore-wait

step "while rules are restored nothing is forwarded by others, and no controller connects"
vsctl set-controller "$br" tcp:127.0.0.1:1 -- set-fail-mode "$br" standalone
ovs_ctl --no-ovsdb-server stop
vsctl --no-wait set Open_vSwitch . other_config:flow-restore-wait=true
ovs_ctl --no-ovsdb-server start
note_daemons
wait_until 5 eval 'ovs-appctl drops >/dev/null'
ping_none h1 10.0.0.2
assert_lacks "$(ovs-appctl drops | grep flow_restore_wait)" '  0 '
assert_eq "$(ovs-appctl dpctl/dump-flows)" "" megaflows
assert_lacks "$(ovs-appctl controllers)" tcp:127.0.0.1:1
of add-flow "$br" actions=NORMAL
ping_none h1 10.0.0.2
vsctl remove Open_vSwitch . other_config flow-restore-wait
assert_contains "$(ovs-appctl controllers)" tcp:127.0.0.1:1
wait_until 5 ping_once h1 10.0.0.2 # the hosts have just given up to ask for each other's address

step "set while it runs it has no effect, as in Open vSwitch"
vsctl set Open_vSwitch . other_config:flow-restore-wait=true
ping_ok h1 10.0.0.2
vsctl remove Open_vSwitch . other_config flow-restore-wait

vsctl del-controller "$br"
step "status says that the daemon is gone; stop"
ovs-appctl exit
wait_until 5 eval '! [ -e "$OVS_RUNDIR/ovs-vswitchd.pid" ]'
assert_fails ovs_ctl status
assert_contains "$OUTPUT" "ovs-vswitchd is not running"
ovs_ctl start
note_daemons
ping_ok h1 10.0.0.2
db=$(pid_of ovsdb-server) switch=$(pid_of ovs-vswitchd)
ovs_ctl stop
for pid in "$db" "$switch"; do ! kill -0 "$pid" 2>/dev/null || fail "process $pid is left"; done
ip link show "$br" >/dev/null || fail "the bridge's interface went with the process"

step "exit --cleanup takes it along, and the database brings it back"
ovs_ctl start
note_daemons
ovs-appctl exit --cleanup
wait_until 5 eval '! [ -e "/sys/class/net/$br" ]'
wait_until 5 eval '! sluice_runs'
ovs_ctl start
note_daemons
wait_until 5 ping_once h1 10.0.0.2
ip link show "$br" >/dev/null || fail "no interface for the bridge"
ovs_ctl stop

step "nothing that log checkers look for"
log=$(grep -E '\|(WARN|ERR|EMER)\|' "$OVS_LOGDIR/ovs-vswitchd.log" | grep -vE 'db\.sock: |127\.0\.0\.1:1' || true)
assert_eq "$log" "" "warnings"
