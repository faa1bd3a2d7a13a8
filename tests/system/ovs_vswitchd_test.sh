#!/bin/bash
# In the place of Open vSwitch's daemon: started under its name by its command line, with Debian's ovsdb-server and tools.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

if is_ovs; then exit 77; fi
command -v ovsdb-server >/dev/null || exit 77
br=${TEST_ID}b
ovs=$TEST_DIR/ovs
export OVS_RUNDIR=$ovs OVS_LOGDIR=$ovs OVS_DBDIR=$ovs OVS_SYSCONFDIR=$ovs
mkdir -p "$ovs" "$TEST_DIR/bin"
ln -s "$SLUICED" "$TEST_DIR/bin/ovs-vswitchd"
vswitchd=$TEST_DIR/bin/ovs-vswitchd
on_exit link "$br"
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
ovsdb-tool create "$ovs/conf.db" /usr/share/openvswitch/vswitch.ovsschema

start_database() {
    ovsdb-server "$ovs/conf.db" "--remote=punix:$ovs/db.sock" --pidfile --detach --log-file -vconsole:off
    on_exit pid "$(cat "$ovs/ovsdb-server.pid")"
}
vsctl() { ovs-vsctl -t 20 "$@"; }
# As ovs-ctl starts it.
start_vswitchd() {
    "$vswitchd" "unix:$ovs/db.sock" -vconsole:emer -vsyslog:err -vfile:info --mlockall --no-chdir --log-file="$ovs/ovs-vswitchd.log" \
        --pidfile="$ovs/ovs-vswitchd.pid" --detach "$@"
}
note_daemon() {
    SLUICE_PID=$(cat "$ovs/ovs-vswitchd.pid")
    on_exit pid "$SLUICE_PID"
}

step "its version is one that ovs-ctl understands"
assert_eq "$("$vswitchd" --version | awk '/Open vSwitch/{print $NF}')" 3.1.0
assert_fails "$vswitchd" --no-such-option
assert_fails "$vswitchd" one two

step "it waits for the database, in the background, and returns when that was answered"
start_vswitchd --monitor >"$TEST_DIR/out" 2>&1 &
starter=$!
sleep 0.5
kill -0 "$starter" || fail "it did not wait: $(cat "$TEST_DIR/out")"
start_database
vsctl --no-wait init
vsctl --no-wait set Open_vSwitch . "other_config:pmd-cpu-mask=$(printf %x $((1 << PMD_CORE)))"
wait "$starter" || fail "$(cat "$TEST_DIR/out" "$ovs/ovs-vswitchd.log")"
note_daemon
assert_eq "$(cat "$TEST_DIR/out")" "" "what it printed"
assert_eq "$(cat "/proc/$SLUICE_PID/comm")" ovs-vswitchd
assert_contains "$(ovs-appctl version)" 'ovs-vswitchd (Open vSwitch) 3.1.0' 'Sluice '
[ -S "$ovs/ovs-vswitchd.$SLUICE_PID.ctl" ] || fail "no control socket: $(ls "$ovs")"

step "ovs-vsctl makes bridges and ports, and packets pass"
vsctl add-br "$br" -- add-port "$br" "$(host_if h1)" -- add-port "$br" "$(host_if h2)"
ping_ok h1 10.0.0.2
assert_eq "$(vsctl get Open_vSwitch . cur_cfg)" "$(vsctl get Open_vSwitch . next_cfg)" cur_cfg
assert_contains "$(ovs-ofctl show "$br")" "($(host_if h1))"
assert_matches "$(ovs-appctl dpif/show)" "^    $(host_if h1) [12]/[0-9]+: \(system\)$"
assert_matches "$(ovs-appctl dpif-netdev/pmd-rxq-show)" "^pmd thread numa_id [0-9]+ core_id $PMD_CORE:$"

step "its log says what the datapath can do in the words that Open vSwitch's tests look for"
assert_contains "$(cat "$ovs/ovs-vswitchd.log")" 'VLAN header stack length probed as 2' 'Datapath supports ct_clear action'

step "a second one does not start; reload says where the configuration is"
assert_fails start_vswitchd
assert_contains "$OUTPUT" "already running as pid $SLUICE_PID"
assert_fails ovs-appctl reload
assert_contains "$OUTPUT" "unix:$ovs/db.sock"

step "without the database it goes on forwarding"
kill "$(cat "$ovs/ovsdb-server.pid")"
wait_until 5 eval '! [ -e "$ovs/ovsdb-server.pid" ]'
ping_ok h1 10.0.0.2
start_database
vsctl set Port "$(host_if h2)" tag=10
ping_none h1 10.0.0.2
vsctl clear Port "$(host_if h2)" tag
ping_ok h1 10.0.0.2

step "killed, its monitor starts it again with what the database says"
first=$SLUICE_PID
kill -KILL "$SLUICE_PID"
wait_until 10 eval '[ "$(cat "$ovs/ovs-vswitchd.pid")" != "$first" ]'
note_daemon
wait_until 10 ping_once h1 10.0.0.2

step "nothing that log checkers look for, and exit leaves the directory to the others"
log=$(grep -E '\|(WARN|EMER)\|' "$ovs/ovs-vswitchd.log" | grep -vE 'db\.sock: |already running as' || true)
assert_eq "$log" "" "warnings"
ovs-appctl exit
wait_until 5 eval '! sluice_runs'
[ -e "$ovs/db.sock" ] && [ ! -e "$ovs/ovs-vswitchd.pid" ] || fail "left: $(ls "$ovs")"
