#!/bin/bash
# A poll-mode thread that does not come round is told in the log and starves systemd's watchdog, until it goes on.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)"
background notified "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)' "$TEST_DIR/notify"
wait_until 3 test -S "$TEST_DIR/notify"
export NOTIFY_SOCKET=$TEST_DIR/notify WATCHDOG_USEC=400000
start_sluice
unset NOTIFY_SOCKET WATCHDOG_USEC
beats() { grep -c WATCHDOG=1 "$TEST_DIR/notified.log" || true; }
beats_more() { [ "$(beats)" -gt "$1" ]; }

step "while all is well the watchdog is fed"
wait_until 3 beats_more 3

step "a stopped poll-mode thread is noticed"
worker=$(grep -lE 'worker' /proc/"$SLUICE_PID"/task/*/comm | head -1 | cut -d/ -f5)
[ -n "$worker" ] || fail "no poll-mode thread among $(cat /proc/"$SLUICE_PID"/task/*/comm)"
background stopper "$PYTHON" -c '
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
tid = int(sys.argv[1])
assert libc.ptrace(16, tid, 0, 0) == 0, os.strerror(ctypes.get_errno()) # PTRACE_ATTACH stops this thread alone
os.waitpid(tid, 0x40000000)
print("stopped", flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
assert libc.ptrace(17, tid, 0, 0) == 0' "$worker" "$TEST_DIR/go-on"
wait_until 3 grep -q stopped "$TEST_DIR/stopper.log"
wait_until 5 grep -qE '[|]pmd[|]ERR[|]poll-mode thread 0 .* has not come round for [2-9][0-9]{3} ms' "$TEST_DIR/sluiced.log"
before=$(beats)
sleep 1.5
assert_eq "$(beats)" "$before" "heartbeats while a thread is stopped"
sluice_answers

step "when it goes on that is told, and the watchdog fed again"
touch "$TEST_DIR/go-on"
wait_until 5 grep -q 'poll-mode thread 0 goes on' "$TEST_DIR/sluiced.log"
wait_until 3 beats_more "$before"
assert_eq "$(grep -c 'has not come round' "$TEST_DIR/sluiced.log")" 1 "lines about it"
stop_sluice
