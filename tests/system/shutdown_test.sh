#!/bin/bash
# Readiness and the end: SIGTERM and SIGINT in under 2 s with sockets and hugepages gone, also under traffic; start over a crash's leftovers.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/guests.sh"

tap=${TEST_ID}t
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "standalone"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)" \
    "{ \"name\": \"vm1\", \"ofport\": 3, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$RUN_DIR/vm1.sock\" }" \
    "{ \"name\": \"vm2\", \"ofport\": 4, \"type\": \"vhost-user\", \"mode\": \"client\", \"path\": \"$TEST_DIR/vm2.sock\" }" \
    "{ \"name\": \"$tap\", \"ofport\": 5, \"type\": \"tap\", \"ifname\": \"$tap\" }"
mkdir -p "$RUN_DIR"
on_exit link "$tap"

gone() {
    local left
    left=$(find "$RUN_DIR" -type s -o -type f 2>/dev/null || true) # the directory itself may be gone
    [ -z "$left" ] || fail "left behind: $left"
    is_ovs || [ ! -e "/sys/class/net/$tap" ] || fail "TAP $tap is left behind"
    [ "$HUGEPAGES" = false ] || [ "$(free_hugepages)" -ge $((before - 32)) ] || fail "hugepages are left in use: $before before, $(free_hugepages) now"
}

step "it says when it is ready (sd_notify), and then everything is there"
"$PYTHON" - "$TEST_DIR/notify" >"$TEST_DIR/notified" <<'PYTHON' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(30)
while True:
    print(s.recv(4096).decode(), flush=True)
PYTHON
on_exit pid $!
wait_until 3 test -S "$TEST_DIR/notify"
before=$(free_hugepages)
is_ovs || export NOTIFY_SOCKET=$TEST_DIR/notify
start_sluice
unset NOTIFY_SOCKET
is_ovs || wait_until 3 grep -q READY=1 "$TEST_DIR/notified"
[ -S "$RUN_DIR/br0.mgmt" ] && [ -S "$RUN_DIR/vm1.sock" ] || fail "sockets are missing: $(ls "$RUN_DIR")"
[ -e "/sys/class/net/$tap" ] || fail "no TAP"
ping_ok h1 10.0.0.2

step "SIGTERM with traffic, guests and an OpenFlow client connected"
guest_up g1 "$RUN_DIR/vm1.sock" --ip 10.0.0.3/24 --no-huge
guest_up g2 "$TEST_DIR/vm2.sock" --server --ip 10.0.0.4/24 --no-huge
wait_until 10 ping_once g1 10.0.0.4
background flood ip netns exec "$(ns_name h1)" ping -f -q 10.0.0.2
background monitor ovs-ofctl --unixctl="$TEST_DIR/monitor.ctl" monitor "$MGMT"
sleep 0.5
stop_sluice
guest_kill g1
guest_kill g2
sleep 0.3
gone

step "started again and stopped by SIGINT"
start_sluice
ping_ok h1 10.0.0.2
kill -INT "$SLUICE_PID"
wait_until 2 eval '! sluice_runs'
gone

step "SIGTERM right at the start"
for delay in 0.05 0.2 0.5 1; do
    background early "$SLUICED" "$TEST_DIR/sluice.json"
    SLUICE_PID=$PID
    sleep "$delay"
    kill -TERM "$SLUICE_PID"
    wait_until 4 eval '! sluice_runs'
done
is_ovs || gone

is_ovs || {
    step "a start that fails leaves nothing"
    sed 's/"cores": \[[0-9]*\]/"cores": [1023]/' "$TEST_DIR/sluice.json" >"$TEST_DIR/wrong.json"
    assert_fails "$SLUICED" "$TEST_DIR/wrong.json"
    assert_contains "$OUTPUT" 'core 1023 does not exist'
    gone
    sed 's|"ifname": "[^"]*"|"ifname": "lo"|' "$TEST_DIR/sluice.json" >"$TEST_DIR/wrong.json"
    assert_fails "$SLUICED" "$TEST_DIR/wrong.json"
    gone
}

if ! is_ovs; then
    step "after SIGKILL it starts over what was left"
    start_sluice
    kill -KILL "$SLUICE_PID"
    wait_until 2 eval '! sluice_runs'
    [ -S "$RUN_DIR/br0.mgmt" ] || fail "nothing was left to start over"
    start_sluice
    ping_ok h1 10.0.0.2
    stop_sluice
    gone
fi
