#!/bin/bash
# Out of descriptors: no socket spins or floods the log, the operator is answered still, and all is well when there are some again.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure", "listen": ["ptcp:16653:127.0.0.1"], "controllers": ["tcp:127.0.0.1:16654"]' \
    "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
ofctl add-flow actions=normal

hogs() {
    cat >"$TEST_DIR/hog.py" <<'PYTHON'
import socket, sys, time
kept = []
for target in sys.argv[1:]:
    path, n = target.split("=")
    for _ in range(int(n)):
        if path.startswith("/"):
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
        else:
            s = socket.create_connection(("127.0.0.1", int(path)))
        kept.append(s)
print("open", flush=True)
time.sleep(60)
PYTHON
    background hogs "$PYTHON" "$TEST_DIR/hog.py" "$@"
    wait_until 5 grep -q open "$TEST_DIR/hogs.log"
    HOGS=$PID
}
cpu_ticks() { awk '{print $14 + $15}' "/proc/$SLUICE_PID/task/$SLUICE_PID/stat"; }
# Above those in use, but for a few that others have left behind far up.
highest_descriptor() { find "/proc/$SLUICE_PID/fd" -printf '%f\n' | awk '$1 < 200' | sort -n | tail -1; }
limit_descriptors() { prlimit --pid "$SLUICE_PID" --nofile="$1:"; }

step "with every descriptor taken the control thread sleeps and the log stays short"
limit_descriptors $(($(highest_descriptor) + 4))
hogs "$RUN_DIR/sluiced.ctl=20" "$RUN_DIR/br0.mgmt=3" "$RUN_DIR/br0.snoop=3" 16653=3
lines=$(wc -l <"$TEST_DIR/sluiced.log")
ticks=$(cpu_ticks)
sleep 2
ticks=$(($(cpu_ticks) - ticks))
[ "$ticks" -lt 50 ] || fail "the control thread used $ticks of 200 ticks"
lines=$(($(wc -l <"$TEST_DIR/sluiced.log") - lines))
[ "$lines" -lt 10 ] || fail "$lines lines of log in 2 s"
assert_matches "$(cat "$TEST_DIR/sluiced.log")" 'cannot accept: Too many open files: .*LimitNOFILE'
ping_ok h1 10.0.0.2

step "the operator is answered: somebody who asks nothing makes room"
wait_until 3 sluice_answers
assert_matches "$(ctl controllers)" 'cannot connect: Too many open files'

step "when descriptors are free again, those who waited are served"
kill "$HOGS"
limit_descriptors 512
wait_until 3 ovs-ofctl -t 1 show "$MGMT"
wait_until 3 ovs-ofctl -t 1 show tcp:127.0.0.1:16653
sluice_answers

step "the limit is raised at the start"
stop_sluice
ulimit -S -n 256
start_sluice
[ "$(awk '/open files/ {print $4}' "/proc/$SLUICE_PID/limits")" -gt 256 ] || fail "the limit stayed at 256"
stop_sluice
