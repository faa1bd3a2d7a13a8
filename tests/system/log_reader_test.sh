#!/bin/bash
# A log that nobody reads (a full pipe) stops nothing: commands, packets, SIGTERM; lost lines are counted and told.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
cp "$TEST_DIR/sluice.json" "$TEST_DIR/good.json"
pipe=$TEST_DIR/pipe
mkfifo "$pipe"
exec 7<>"$pipe" # a reader that does not read

start_unread() {
    setsid setpriv --pdeathsig TERM "$SLUICED" "$TEST_DIR/sluice.json" >/dev/null 2>"$pipe" </dev/null 7<&- &
    SLUICE_PID=$!
    on_exit pid "$SLUICE_PID"
    wait_until 10 sluice_answers
}

# Some thousand lines: what is wrong with a file, for each time that it is read.
flood_log() {
    "$PYTHON" - "$TEST_DIR/good.json" "$TEST_DIR/sluice.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
config.update({"no_such_key_%d" % i: 1 for i in range(30)})
json.dump(config, open(sys.argv[2], "w"))
PYTHON
    "$PYTHON" - "$RUN_DIR/sluiced.ctl" <<'PYTHON'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
for i in range(150):
    s.sendall(json.dumps({"id": i, "method": "reload", "params": []}).encode())
    text = b""
    while b'"id":%d' % i not in text.replace(b" ", b"") or not text.endswith(b"}"):
        text += s.recv(65536)
PYTHON
    cp "$TEST_DIR/good.json" "$TEST_DIR/sluice.json"
}
lines_lost() { ctl --json log | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["lost"])'; }

step "with a full pipe commands are answered and packets pass"
start_unread
flood_log
ping_ok h1 10.0.0.2
lost=$(lines_lost)
[ "$lost" -gt 100 ] || fail "only $lost lines lost: the test has no meaning"
assert_matches "$(ctl log)" '^waiting +[1-9][0-9]{4}'

step "when the pipe is read the log goes on, and says how much is missing"
background reader cat "$pipe"
wait_until 5 grep -q "|log|WARN|$lost lines of the log were lost" "$TEST_DIR/reader.log"
ctl reload >/dev/null
wait_until 5 eval 'ctl log | grep -qE "^waiting +0 "'
assert_eq "$(lines_lost)" "$lost" "lines lost in all"
# The last number that a line has counts all there were, and each is in the pipe or lost.
numbers=$(cut -d'|' -f2 "$TEST_DIR/reader.log" | tail -1)
assert_eq "$(($(wc -l <"$TEST_DIR/reader.log") + lost))" "$((10#$numbers))" "lines read and lost"
kill "$PID"
wait_until 5 eval '! kill -0 "$PID"'

step "SIGTERM ends it with a full pipe"
flood_log
stop_sluice
[ ! -e "$RUN_DIR/sluiced.ctl" ] || fail "sluiced.ctl is left behind"
