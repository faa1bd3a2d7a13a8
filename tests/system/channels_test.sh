#!/bin/bash
# Auxiliary connections of a channel, and the rate limit of packet-ins.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

port=$((20000 + $$ % 20000))
sluice_config "\"fail_mode\": \"secure\", \"auxiliary_connections\": 2, \"controller_rate_limit\": 200,
    \"controller_burst_limit\": 50, \"controllers\": [{\"target\": \"tcp:127.0.0.1:$port\", \"max_backoff\": 1000}]"

cat >"$TEST_DIR/channel.py" <<'PY'
import sys, time
from of_peer import *

server = listen(int(sys.argv[1]))
main = Peer.accept(server)
main.expect(HELLO)
assert main.auxiliary_id() == 0
auxiliaries = [Peer.accept(server) for _ in range(2)]
for i, peer in enumerate(auxiliaries):
    peer.expect(HELLO)
assert sorted(peer.auxiliary_id() for peer in auxiliaries) == [1, 2]
one, two = auxiliaries

# Requests are answered where they came from; the role is one for the channel.
assert one.role(2, 7) == 2
assert main.role(0) == 2 and two.role(0) == 2
one.barrier()
assert main.next(0.3) is None

# Packet-ins: a flow on one of the auxiliary connections, none on the main one; 50 at once, then 200 a second.
packet = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x00" + bytes(46)
started = time.monotonic()
main.ask_for_packet_ins(packet, 1000)
main.barrier()
for peer in auxiliaries:
    while peer.next(0.5):
        pass
took = time.monotonic() - started
got = one.seen.get(PACKET_IN, 0), two.seen.get(PACKET_IN, 0), main.seen.get(PACKET_IN, 0)
print("packet-ins", got, "in", took)
assert got[2] == 0 and min(got) == 0 and 50 <= sum(got) <= 50 + 200 * took, got

# A lost auxiliary connection comes back, with the role of the channel.
one.sock.close()
again = Peer.accept(server)
again.expect(HELLO)
assert again.auxiliary_id() in (1, 2) and again.role(0) == 2
print("ready", flush=True)
time.sleep(float(sys.argv[2]))

# The main one takes the others with it.
main.sock.close()
for peer in again, two:
    while peer.next(5):
        pass
    assert peer.closed
main = Peer.accept(server)
main.expect(HELLO)
assert main.auxiliary_id() == 0 and main.role(0) == 1
print("done", flush=True)
time.sleep(600)
PY
background channel "$PYTHON" "$TEST_DIR/channel.py" "$port" 2
channel=$PID
start_sluice
says() { kill -0 "$channel" && grep -q "$1" "$TEST_DIR/channel.log"; }

step "one channel of three connections"
wait_until 20 says ready
out=$(ctl controllers)
assert_matches "$out" "^br0 tcp:127.0.0.1:$port: active for [0-9]+ s, role master, OpenFlow 1.3$"
assert_matches "$out" "^br0 tcp:127.0.0.1:$port auxiliary 1: active for"
assert_matches "$out" "^br0 tcp:127.0.0.1:$port auxiliary 2: active for"

step "counted: sent and above the rate make a thousand"
lost=$(lost_on_the_way)
ctl --json controllers br0 | "$PYTHON" -c "
import json, sys
c = json.load(sys.stdin)
sent, limited, dropped = (sum(x[k] for x in c) for k in ('packet_ins', 'packet_ins_limited', 'packet_ins_dropped'))
assert sent + limited == 1000 - $lost and dropped == 0 and limited > 500 - $lost, (sent, limited, dropped, $lost)"
assert_fails ctl controllers br1
assert_contains "$OUTPUT" 'br1: no such bridge'

step "the main connection takes the others with it"
wait_until 20 says done
assert_matches "$(ctl controllers)" "^br0 tcp:127.0.0.1:$port auxiliary 1: (backoff|connecting) for"

step "without a controller the command says why"
end_pid "$channel"
wait_until 10 eval 'ctl controllers | grep -q "backoff .*last error: Connection refused"'
stop_sluice
