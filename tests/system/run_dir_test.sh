#!/bin/bash
# The directory of sockets: the control socket is its last, and what somebody deletes there, or all of it, comes back.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)"
# More bridges, so that making their sockets takes a while.
"$PYTHON" - "$TEST_DIR/sluice.json" "$TEST_ID" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
for i in range(1, 6):
    tap = "%st%d" % (sys.argv[2], i)
    config["bridges"].append({"name": "br%d" % i, "fail_mode": "standalone", "listen": ["punix:%s/extra%d" % (config["run_dir"], i)],
                              "ports": [{"name": tap, "ofport": 1, "type": "tap", "ifname": tap}]})
config["bridges"][0]["ports"].append({"name": "vm1", "ofport": 9, "type": "vhost-user", "mode": "server", "path": config["run_dir"] + "/vm1.sock"})
json.dump(config, open(sys.argv[1], "w"))
PYTHON

step "who waits for the control socket finds the others"
background watcher "$PYTHON" -c '
import os, sys
while not os.path.exists(sys.argv[1] + "/sluiced.ctl"):
    pass
print("\n".join(os.listdir(sys.argv[1])), flush=True)' "$RUN_DIR"
start_sluice
wait_until 5 grep -q sluiced.ctl "$TEST_DIR/watcher.log"
assert_contains "$(cat "$TEST_DIR/watcher.log")" br0.mgmt br0.snoop br1.mgmt br5.mgmt extra5

all_answer() {
    sluice_answers && ovs-ofctl -t 2 show "$MGMT" && ovs-ofctl -t 2 show "unix:$RUN_DIR/br5.mgmt" &&
        ovs-ofctl -t 2 show "unix:$RUN_DIR/extra3" && [ -S "$RUN_DIR/br2.snoop" ] && [ -S "$RUN_DIR/vm1.sock" ]
}
second_is_refused() {
    assert_fails timeout 10 "$SLUICED" "$TEST_DIR/sluice.json"
    assert_contains "$OUTPUT" "in use by another sluiced (process $SLUICE_PID)"
}
all_answer

step "one socket after the other is deleted"
for socket in sluiced.ctl br0.mgmt br2.snoop extra3 vm1.sock; do rm "$RUN_DIR/$socket"; done
wait_until 2 all_answer

step "the whole directory is deleted; a second switch is refused still"
background monitor ovs-ofctl --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT"
MONITOR=$PID
sleep 0.3
# Slowly, as on a busy machine: what was deleted must not be back before the end. Pauses may be longer than asked for.
delete_slowly() {
    "$PYTHON" -c '
import os, sys, time
for name in os.listdir(sys.argv[1]):
    os.unlink(os.path.join(sys.argv[1], name))
    time.sleep(0.008)
os.rmdir(sys.argv[1])' "$RUN_DIR"
}
for attempt in 1 2 3 4 5; do delete_slowly 2>/dev/null && deleted=yes && break; sleep 0.7; done
[ "${deleted:-}" = yes ] || fail "the directory cannot be deleted: its sockets come back meanwhile"
sleep 0.2
second_is_refused
wait_until 2 all_answer
kill -0 "$MONITOR" || fail "who was connected lost the connection"
assert_contains "$(cat "$TEST_DIR/sluiced.log")" "run_dir $RUN_DIR was removed: made again"

step "the same when it is moved away"
mv "$RUN_DIR" "$TEST_DIR/elsewhere"
wait_until 2 all_answer
second_is_refused

step "what another process has put in its place is left alone"
rm "$RUN_DIR/extra3"
background other "$PYTHON" -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print("listens", flush=True)
time.sleep(60)' "$RUN_DIR/extra3"
OTHER=$PID
wait_until 5 test -s "$TEST_DIR/other.log"
if grep -q listens "$TEST_DIR/other.log"; then # else the switch was faster
    sleep 1
    kill -0 "$OTHER"
    [ -S "$RUN_DIR/extra3" ] || fail "the other's socket is gone"
fi

step "nothing is left behind"
kill "$MONITOR" "$OTHER" 2>/dev/null || true
stop_sluice
left=$(find "$RUN_DIR" -type s -o -type f 2>/dev/null | grep -v extra3 || true)
[ -z "$left" ] || fail "left behind: $left"
