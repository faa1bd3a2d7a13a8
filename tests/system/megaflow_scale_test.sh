#!/bin/bash
# Many megaflows from nothing: the tables they are in grow, and go when they are idle, without a long turn of either kind of thread.
#   MEGAFLOWS=1000000 tests/system/run megaflow_scale    on a machine that has nothing else to do
# timeout: 300
. "$(dirname "$0")/lib/harness.sh"

MEGAFLOWS=${MEGAFLOWS:-50000} POLL_TURN_US=${POLL_TURN_US:-100}
host_make h1 10.0.0.1/24 02:00:00:00:00:01
# What net_af_packet sends, the kernel delivers in the processor time of the thread that sends: some hundred microseconds a
# burst that are not the poll-mode thread's. So packets leave by a device that takes them and makes no system call.
# Near the limit megaflows go when they are idle for a moment.
[ "$MEGAFLOWS" -le 500000 ] || export PMD_KEYS="\"megaflow_limit\": $((2 * MEGAFLOWS))"
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" \
    '{ "name": "p2", "ofport": 2, "type": "dpdk", "devargs": "net_null_p2,no-rx=1" }'
start_sluice
OF=OpenFlow14 ofctl add-flow "udp,actions=output:2"

number() { # KEY: of "flows"
    ctl --json flows | "$PYTHON" -c "import json,sys; print(json.load(sys.stdin)['$1'])"
}
poll() { # KEY: the most that any poll-mode thread has of it, a whole number
    ctl --json pmd | "$PYTHON" -c "import json,sys; print(int(max(thread['$1'] for thread in json.load(sys.stdin))))"
}
clear() {
    ctl flows clear >/dev/null
    ctl pmd clear >/dev/null
    cleared_ms=$(date +%s%3N)
}
enough() { [ "$(number megaflows)" -ge $((MEGAFLOWS * 9 / 10)) ]; }
few() { [ "$(number megaflows)" -le $((MEGAFLOWS / 100)) ]; }
quick() { # WHAT: no long turn since the last time
    own=$(number longest_turn_own_us) poll=$(poll longest_own_turn_us) long=$(poll long_turns) ms=$(($(date +%s%3N) - cleared_ms))
    echo "  $1: $(number megaflows) megaflows, longest turn of the control thread $own us by its processor time, of a poll-mode thread $poll us;" \
        "$long longer than 50 us in $ms ms"
    [ "$own" -le 10000 ] || fail "$1: a turn of the event loop took $own us"
    if [ "$noise" -le "$((POLL_TURN_US / 2))" ]; then
        [ "$poll" -le "$POLL_TURN_US" ] || fail "$1: a turn of a poll-mode thread took $poll us"
    else
        # What takes the core from a thread with one megaflow takes it from this one, about as often. The control thread is woken by a system
        # call for misses: so fifty more a second are let pass.
        [ "$((long * noise_ms))" -le "$((3 * noise_long * ms + ms * noise_ms / 20))" ] || fail "$1: $long long turns in $ms ms, $noise_long in $noise_ms ms with one megaflow"
    fi
    clear
}

# A hundred thousand packets a second take sendmmsg(): one system call for 64 of them.
cat >"$TEST_DIR/flows.py" <<'PYTHON'
import ctypes, os, struct, sys, time
from packet import Host, libc
host, n, end = Host("h1"), int(sys.argv[1]), time.monotonic() + 200
head = bytes.fromhex("020000000002020000000001080045000030000000004011") + b"\x66\xba" + bytes([10, 0, 0, 1, 10, 0, 0, 2])
frames = b"".join(head + struct.pack("!HHHH", 1 + (i >> 15), 1 + (i & 32767), 28, 0) + bytes(20) for i in range(n))
size, base = len(frames) // n, ctypes.create_string_buffer(frames, len(frames))
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
class Message(ctypes.Structure): # struct mmsghdr
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_size_t), ("sent", ctypes.c_size_t)]
address, vectors, messages = ctypes.addressof(base), (Iovec * n)(), (Message * n)()
for i in range(n):
    vectors[i].base, vectors[i].len = address + i * size, size
    messages[i].iov, messages[i].iovlen = ctypes.addressof(vectors[i]), 1
fd, sent, started, said = host.socket.fileno(), 0, time.monotonic(), 0
while time.monotonic() < end and os.getppid() != 1:
    for at in range(0, n, 64):
        batch = ctypes.byref(messages, at * ctypes.sizeof(Message))
        sent += max(0, libc.sendmmsg(fd, batch, min(64, n - at), 0))
        if time.monotonic() - started > said + 1:
            said = time.monotonic() - started
            print(f"{sent / said:.0f} packets a second", flush=True)
PYTHON
# Most kernels count what interrupts take, and what the host takes without saying so, as the time of the thread that runs. Where a turn is long
# already with the same packets and a single megaflow, it is the number of long turns that tells something of the switch.
step "the same packets with one megaflow"
background flows env TEST_ID="$TEST_ID" "$PYTHON" "$TEST_DIR/flows.py" "$MEGAFLOWS"
flows_pid=$PID
one() { [ "$(number megaflows)" -ge 1 ]; }
wait_until 60 one
clear
sleep 5
noise=$(poll longest_own_turn_us) noise_long=$(poll long_turns) noise_ms=$(($(date +%s%3N) - cleared_ms))
echo "  the longest turn of a poll-mode thread takes $noise us, $noise_long take more than 50 us in $noise_ms ms"

rule="udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31],output:2"
step "$MEGAFLOWS megaflows"
clear
OF=OpenFlow14 ofctl add-flow "$rule"
wait_until 150 enough
echo "  $(tail -1 "$TEST_DIR/flows.log")"
quick "growing"

step "the rule that all of them rest on is replaced, and counts anew"
clear
OF=OpenFlow14 ofctl add-flow "cookie=1,$rule"
OF=OpenFlow14 ofctl mod-flows "reset_counts,$rule"
own=$(number longest_turn_own_us)
echo "  $(number megaflows) megaflows, longest turn of the control thread $own us by its processor time"
[ "$own" -le 10000 ] || fail "a turn of the event loop took $own us"
clear

step "they go"
kill "$flows_pid"
wait_until 60 few
quick "going"
stop_sluice
