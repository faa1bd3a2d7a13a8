#!/bin/bash
# Many megaflows from nothing: the tables they are in grow, and go when they are idle, without a long turn of either kind of thread.
#   MEGAFLOWS=1000000 tests/system/run megaflow_scale    on a machine that has nothing else to do
# timeout: 300
. "$(dirname "$0")/lib/harness.sh"

MEGAFLOWS=${MEGAFLOWS:-50000}
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
OF=OpenFlow14 ofctl add-flow "udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31],output:2"

number() { # KEY: of "flows"
    ctl --json flows | "$PYTHON" -c "import json,sys; print(json.load(sys.stdin)['$1'])"
}
poll_turn() { # the longest of a poll-mode thread by its own time, in whole microseconds
    ctl --json pmd | "$PYTHON" -c 'import json,sys
def find(x):
    if isinstance(x, dict):
        yield from ([x["longest_own_turn_us"]] if "longest_own_turn_us" in x else [])
        x = list(x.values())
    for y in x if isinstance(x, list) else []:
        yield from find(y)
print(int(max(find(json.load(sys.stdin)))))'
}
enough() { [ "$(number megaflows)" -ge $((MEGAFLOWS * 9 / 10)) ]; }
few() { [ "$(number megaflows)" -le $((MEGAFLOWS / 100)) ]; }
quick() { # WHAT: no long turn since the last time
    own=$(number longest_turn_own_us) poll=$(poll_turn)
    echo "  $1: $(number megaflows) megaflows, longest turn of the control thread $own us by its processor time, of a poll-mode thread $poll us"
    [ "$own" -le 10000 ] || fail "$1: a turn of the event loop took $own us"
    [ "$poll" -le "${POLL_TURN_US:-100}" ] || fail "$1: a turn of a poll-mode thread took $poll us"
    ctl flows clear >/dev/null
}

cat >"$TEST_DIR/flows.py" <<'PYTHON'
import os, struct, sys, time
from packet import Host
host, n, end = Host("h1"), int(sys.argv[1]), time.monotonic() + 200
head = bytes.fromhex("020000000002020000000001080045000030000000004011") + b"\x66\xba" + bytes([10, 0, 0, 1, 10, 0, 0, 2])
frames = [head + struct.pack("!HHHH", 1 + (i >> 15), 1 + (i & 32767), 28, 0) + bytes(20) for i in range(n)]
while time.monotonic() < end and os.getppid() != 1:
    for at in range(0, n, 64):
        for frame in frames[at:at + 64]:
            host.send(frame)
PYTHON
step "$MEGAFLOWS megaflows"
ctl flows clear >/dev/null
ctl pmd clear >/dev/null
background flows env TEST_ID="$TEST_ID" "$PYTHON" "$TEST_DIR/flows.py" "$MEGAFLOWS"
flows_pid=$PID
wait_until 150 enough
quick "growing"

step "they go"
kill "$flows_pid"
wait_until 60 few
quick "going"
stop_sluice
