#!/bin/bash
# Debian's units ovsdb-server, ovs-vswitchd and openvswitch-switch as they are: the very lines that systemd runs to start, reload and stop them.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/ovs_ctl.sh"

if is_ovs; then exit 77; fi
UNITS=/lib/systemd/system
[ -e "$UNITS/ovs-vswitchd.service" ] || { echo "needs Debian's openvswitch-switch"; exit 77; }
ovs_ctl_setup
br=${TEST_ID}b
on_exit link "$br"
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02

# setting UNIT KEY: its values, a line each, with continued lines joined
setting() { sed -e ':join; /\\$/{N; s/\\\n */ /; b join}' "$UNITS/$1.service" | sed -n "s/^$2=//p"; }
# unit_run UNIT KEY: the line, with the unit's environment, as systemd takes it apart: by blanks; what it waits for are the processes that
# it started and not those that they left behind.
unit_run() {
    local line word
    local -a words=() environment=() options
    line=$(setting "$1" "$2")
    [ -n "$line" ] || fail "$1 has no $2"
    while read -r word; do environment+=("$word"); done < <(setting "$1" Environment)
    for word in $line; do
        case $word in
            \$OVS_CTL_OPTS) read -ra options <<<"$OVS_CTL_OPTS"; words+=("${options[@]}") ;;
            *) words+=("$word") ;;
        esac
    done
    env "${environment[@]}" "${words[@]}" >>"$TEST_DIR/units.log" 2>&1 || fail "$1: $2: ${words[*]}: $(tail -5 "$TEST_DIR/units.log")"
}
# Not part of the units: what this machine may lack is left out by the file that they read, /etc/default/openvswitch-switch.
OVS_CTL_OPTS="--no-mlockall --no-force-corefiles"
# One process each: systemd starts it again itself (Restart=on-failure).
alone() { [ "$(ps -o ppid= -p "$(pid_of "$1")" | tr -d ' ')" = 1 ] || [ "$(cat "/proc/$(ps -o ppid= -p "$(pid_of "$1")" | tr -d ' ')/comm")" != "$1" ]; }

step "systemd has nothing to say against the units"
if command -v systemd-analyze >/dev/null; then
    for unit in ovsdb-server ovs-vswitchd openvswitch-switch; do
        assert_eq "$(systemd-analyze verify "$UNITS/$unit.service" 2>&1 | grep -i "ovs\|openvswitch" || true)" "" "$unit"
    done
fi

step "start, in their order"
unit_run ovsdb-server ExecStart
[ -w "$OVS_RUNDIR/db.sock" ] || fail "AssertPathIsReadWrite of ovs-vswitchd.service does not hold"
unit_run ovs-vswitchd ExecStart
unit_run openvswitch-switch ExecStart
note_daemons
alone ovs-vswitchd || fail "a monitor runs beside systemd"
assert_eq "$(cat "/proc/$(pid_of ovs-vswitchd)/comm")" ovs-vswitchd
vsctl add-br "$br" -- set-fail-mode "$br" secure -- add-port "$br" "$(host_if h1)" -- add-port "$br" "$(host_if h2)"
ovs-ofctl -t 20 add-flow "$br" cookie=7,actions=NORMAL
ping_ok h1 10.0.0.2

step "reload ovs-vswitchd: rules stay"
first=$(pid_of ovs-vswitchd)
unit_run ovs-vswitchd ExecReload
note_daemons
[ "$(pid_of ovs-vswitchd)" != "$first" ] || fail "it is the same process"
assert_contains "$(ovs-ofctl -t 20 dump-flows "$br")" cookie=0x7
ping_ok h1 10.0.0.2

step "reload ovsdb-server: packets pass all the time"
background pinging ip netns exec "$(ns_name h1)" ping -q -n -i 0.05 10.0.0.2
ping=$PID
unit_run ovsdb-server ExecReload
note_daemons
kill -INT "$ping"
wait "$ping" || true
assert_contains "$(cat "$TEST_DIR/pinging.log")" ' 0% packet loss'
vsctl set Open_vSwitch . external_ids:reloaded=true

step "an end that is none is a failure, after which systemd starts it again"
number=$(vsctl get Interface "$(host_if h2)" ofport)
killed=$(pid_of ovs-vswitchd)
kill -KILL "$killed"
wait_until 5 eval '! [ -d "/proc/$killed" ]'
unit_run ovs-vswitchd ExecStart
note_daemons
vsctl set Open_vSwitch . external_ids:restarted=true
assert_eq "$(vsctl get Interface "$(host_if h2)" ofport)" "$number" ofport

step "stop, in their order"
db=$(pid_of ovsdb-server) switch=$(pid_of ovs-vswitchd)
unit_run openvswitch-switch ExecStop
unit_run ovs-vswitchd ExecStop
unit_run ovsdb-server ExecStop
for pid in "$db" "$switch"; do ! kill -0 "$pid" 2>/dev/null || fail "process $pid is left"; done
