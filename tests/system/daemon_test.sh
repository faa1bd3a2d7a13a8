#!/bin/bash
# In the background: --detach returns when the switch is ready, or with its status; pidfile, log, monitor, user, control socket.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

if is_ovs; then exit 77; fi
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
pidfile=$TEST_DIR/my.pid
log=$TEST_DIR/switch.log

# daemon OPTION...: in the background; what it prints is in $TEST_DIR/out and must be nothing after a start that worked
daemon() { "$SLUICED" --detach --pidfile="$pidfile" --log-file="$log" -vconsole:emer "$@" "$TEST_DIR/sluice.json" >"$TEST_DIR/out" 2>&1; }
# The daemon by its number, ended with the test whatever happens.
note_daemon() {
    SLUICE_PID=$(cat "$pidfile")
    on_exit pid "$SLUICE_PID"
}
starttime() { cut -d' ' -f22 "/proc/$1/stat"; }
# What fcntl() says of the lock on the pidfile: the number of its owner, 0 for none.
lock_owner() {
    "$PYTHON" - "$pidfile" <<'PYTHON'
import fcntl, struct, sys
with open(sys.argv[1], "r+") as f:
    lock = fcntl.fcntl(f, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
kind, _, _, _, pid = struct.unpack("hhqqi4x", lock)
print(0 if kind == fcntl.F_UNLCK else pid)
PYTHON
}

step "it returns when everything is there, silent, and leaves its standard descriptors"
daemon
note_daemon
assert_eq "$(cat "$TEST_DIR/out")" "" output
assert_matches "$(ctl version)" '^sluiced \(Sluice\) [0-9.]+$' # at once
ping_ok h1 10.0.0.2
assert_eq "$(cat "/proc/$SLUICE_PID/comm")" sluiced
assert_eq "$(readlink "/proc/$SLUICE_PID/fd/0") $(readlink "/proc/$SLUICE_PID/fd/1") $(readlink "/proc/$SLUICE_PID/fd/2")" "/dev/null /dev/null /dev/null"
assert_eq "$(readlink "/proc/$SLUICE_PID/cwd")" /
assert_eq "$(ps -o sid= -p "$SLUICE_PID" | tr -d ' ')" "$SLUICE_PID" "its session"
assert_matches "$(cat "$log")" '\|main\|INFO\|sluiced [0-9.]+ is ready'

step "the pidfile is locked, and excludes a second one before that touches anything"
assert_eq "$(lock_owner)" "$SLUICE_PID" "owner of the lock"
assert_fails daemon
assert_matches "$(cat "$TEST_DIR/out")" "already running as pid $SLUICE_PID, aborting"
assert_eq "$(cat "$pidfile")" "$SLUICE_PID"
ping_ok h1 10.0.0.2

step "a rotated log is opened again"
mv "$log" "$log.1"
ctl vlog/reopen
ctl vlog/set config:file:dbg
assert_matches "$(ctl vlog/list)" '^config +EMER +INFO +DBG$'
cp "$TEST_DIR/sluice.json" "$TEST_DIR/good.json"
echo '{' >"$TEST_DIR/sluice.json"
assert_fails ctl reload
cp "$TEST_DIR/good.json" "$TEST_DIR/sluice.json"
assert_matches "$(cat "$log")" '\|ERR\|.*sluice.json'

step "SIGTERM ends it and takes the pidfile along"
kill "$SLUICE_PID"
wait_until 3 eval '! sluice_runs'
[ ! -e "$pidfile" ] || fail "the pidfile is left behind"

step "a start that fails has its exit status, says why on standard error, and leaves nothing"
sed 's/"cores": \[[0-9]*\]/"cores": [1023]/' "$TEST_DIR/sluice.json" >"$TEST_DIR/wrong.json"
assert_fails "$SLUICED" --detach --pidfile="$pidfile" --log-file="$log" -vconsole:emer "$TEST_DIR/wrong.json"
assert_contains "$OUTPUT" 'core 1023 does not exist'
[ ! -e "$pidfile" ] || fail "the pidfile is left behind"
# What is given back has to be what there is by then: with less and less memory the start ends earlier and earlier.
sed 's/"hugepages": [a-z]*/"hugepages": false/; s/"pmd": {/& "megaflow_limit": 16777216,/' "$TEST_DIR/sluice.json" >"$TEST_DIR/large.json"
for kb in 900000 400000 120000; do
    status=0
    (ulimit -v "$kb" -c 0 && exec "$SLUICED" "$TEST_DIR/large.json") >"$TEST_DIR/out" 2>&1 || status=$?
    assert_eq "$status" 1 "exit status with $kb kB: $(tail -n 3 "$TEST_DIR/out")"
    assert_matches "$(tail -n 1 "$TEST_DIR/out")" 'EMER\|(out of memory for 16777216 megaflows: lower|DPDK did not start: Cannot allocate memory)'
done
assert_fails "$SLUICED" --detach --log-file=/nonexistent/log "$TEST_DIR/sluice.json"
assert_contains "$OUTPUT" '/nonexistent/log: cannot open the log: No such file or directory'
assert_fails "$SLUICED" --detach --pidfile=/nonexistent/pid "$TEST_DIR/sluice.json"
assert_contains "$OUTPUT" 'cannot make the pidfile: No such file or directory'
assert_fails "$SLUICED" --detach --user=nosuchuser "$TEST_DIR/sluice.json"
assert_contains "$OUTPUT" 'there is no user "nosuchuser"'
assert_fails "$SLUICED" -vnonsense "$TEST_DIR/sluice.json"
assert_contains "$OUTPUT" 'no destination, level, or module "nonsense"'
assert_fails "$SLUICED" --no-such-option "$TEST_DIR/sluice.json"

step "a stale pidfile is replaced; the control socket is where --unixctl says"
echo 1 >"$pidfile"
daemon --unixctl="$TEST_DIR/my.ctl"
note_daemon
assert_contains "$(ovs-appctl -t "$TEST_DIR/my.ctl" version)" sluiced
[ ! -e "$RUN_DIR/sluiced.ctl" ] || fail "there is a socket at the usual place as well"
"$SLUICECTL" -t "$TEST_DIR/my.ctl" exit
wait_until 3 eval '! sluice_runs'

step "--monitor: one that is killed comes again"
daemon --monitor --mlockall
note_daemon
assert_eq "$(cat "$TEST_DIR/out")" "" output
first=$SLUICE_PID monitor=$(ps -o ppid= -p "$SLUICE_PID" | tr -d ' ')
on_exit pid "$monitor"
assert_eq "$(cat "/proc/$monitor/comm")" sluiced
[ "$(awk '/VmLck/ {print $2}' "/proc/$first/status")" -gt 1000 ] || fail "no memory is locked"
ping_ok h1 10.0.0.2
kill -KILL "$first"
wait_until 10 eval '[ -s "$pidfile" ] && [ "$(cat "$pidfile")" != "$first" ]'
wait_until 10 sluice_answers
note_daemon
assert_eq "$(ps -o ppid= -p "$SLUICE_PID" | tr -d ' ')" "$monitor" "who started it"
assert_matches "$(cat "$log")" "\|main\|ERR\|1 crashes: pid $first died, killed \(Killed\): restarting"
wait_until 5 ping_once h1 10.0.0.2

step "and one that was told to end does not"
ctl exit
wait_until 3 eval '! sluice_runs'
wait_until 3 eval '! kill -0 "$monitor"'
[ ! -e "$pidfile" ] || fail "the pidfile is left behind"

step "as another user, with what it needs of root's rights"
rm -f "$log" "$log.1"
chmod 777 "$TEST_DIR"
HUGEPAGES=false sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
rm -rf "$RUN_DIR"
daemon --user=nobody:nogroup || fail "$(cat "$TEST_DIR/out" "$log")"
note_daemon
assert_eq "$(ps -o user= -p "$SLUICE_PID" | tr -d ' ')" nobody
ping_ok h1 10.0.0.2
kill "$SLUICE_PID"
wait_until 3 eval '! sluice_runs'
