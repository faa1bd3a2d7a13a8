#!/bin/bash
# Roles of two controllers, and what a bridge does without any (standalone, then secure), with packets between hosts.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS is told of its controllers in other ways"; exit 0; }

port=$((20000 + $$ % 20000))
host_make h1 '' 02:00:00:00:00:01
host_make h2 '' 02:00:00:00:00:02
# bridge FAIL_MODE: the configuration
bridge() {
    sluice_config "\"fail_mode\": \"$1\", \"inactivity_probe\": 300, \"controllers\": [\"tcp:127.0.0.1:$port\", \"tcp:127.0.0.1:$((port + 1))\"]" \
        "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
}
# frame ETHERTYPE
frame() { echo "Ether(src=\"02:00:00:00:00:01\",dst=\"02:00:00:00:00:02\",type=0x$1)/Raw(b\"roles-and-fail-modes-\"*3)"; }
alone() { ctl bridges | grep -q "acting as a learning switch"; }
controllers() { background controllers env TEST_ID="$TEST_ID" "$PYTHON" "$TEST_DIR/roles.py" "$port" "$@"; }
says() { kill -0 "$PID" || fail "the controllers ended: $(cat "$TEST_DIR/controllers.log")"; grep -q "$1" "$TEST_DIR/controllers.log"; }

# One rule stays behind: frames of type 88b6 are dropped.
cat >"$TEST_DIR/roles.py" <<'PY'
import struct
import sys
import time
from of_peer import *
from packet import Host

EQUAL, MASTER, SLAVE = 1, 2, 3
BAD_REQUEST_IS_SLAVE, STALE = (1, 10), (11, 0)
h1, h2 = Host("h1"), Host("h2")


def error_of(peer, xid):
    """The (type, code) of the answer to xid, or None if there is none before a barrier's reply."""
    barrier = peer.send(BARRIER_REQUEST)
    while True:
        message = peer.next(20)
        assert message, "no answer"
        if message[0] == ERROR and message[1] == xid:
            return struct.unpack_from("!HH", message[2])
        if message[1] == barrier:
            return None


def flow_mod(peer, command, eth_type, *ports):
    """Strict, of priority 9, in_port 1."""
    oxm = struct.pack("!IIIH", 0x80000004, 1, 0x80000a02, eth_type)
    match = struct.pack("!HH", 1, 4 + len(oxm)) + oxm + bytes(-(4 + len(oxm)) % 8)
    actions = b"".join(struct.pack("!HHIH6x", 0, 16, port, 0xFFFF) for port in ports)
    body = struct.pack("!QQBBHHHIIIH2x", 0, 0, 0, command, 0, 0, 9, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0) + match
    return peer.send(FLOW_MOD, body + struct.pack("!HH4x", 4, 8 + len(actions)) + actions)


def frame(eth_type):
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + struct.pack("!H", eth_type) + b"roles" * 12


def passes(eth_type):
    h1.send(frame(eth_type))
    return frame(eth_type) in h2.receive(10, 1)


def packet_out(peer):
    action = struct.pack("!HHIH6x", 0, 16, 2, 0xFFFF)
    return peer.send(PACKET_OUT, struct.pack("!IIH6x", 0xFFFFFFFF, CONTROLLER_PORT, len(action)) + action + frame(0x9999))


port = int(sys.argv[1])
a, b = (Peer.accept(server, 60) for server in [listen(port), listen(port + 1)])
for peer in a, b:
    peer.expect(HELLO)
    peer.barrier()
if "only" in sys.argv:
    print("connected", flush=True)
    time.sleep(600)
assert a.role(0) == b.role(0) == EQUAL

# Equal ones may both change things, and both get packet-ins.
assert error_of(a, flow_mod(a, 0, 0x88b5, 2)) is None and error_of(b, flow_mod(b, 0, 0x88b7, CONTROLLER_PORT)) is None
assert passes(0x88b5)
h1.send(frame(0x88b7))
assert frame(0x88b7) in a.expect(PACKET_IN, timeout=20) and frame(0x88b7) in b.expect(PACKET_IN, timeout=20)

# A slave reads, and nothing else.
assert a.role(MASTER, 5) == MASTER and b.role(SLAVE, 5) == SLAVE
assert error_of(b, flow_mod(b, 3, 0x88b5)) == BAD_REQUEST_IS_SLAVE
assert error_of(b, packet_out(b)) == BAD_REQUEST_IS_SLAVE
assert passes(0x88b5)
h1.send(frame(0x88b7))
assert frame(0x88b7) in a.expect(PACKET_IN, timeout=20)
b.barrier()
assert b.seen[PACKET_IN] == 1

# A master of a generation that is over is refused (OpenFlow 1.3.5, 6.3.5); a new one makes the old one a slave.
assert error_of(b, b.send(ROLE_REQUEST, struct.pack("!I4xQ", MASTER, 4))) == STALE
assert b.role(0) == SLAVE and b.role(MASTER, 6) == MASTER and a.role(0) == SLAVE
assert error_of(a, flow_mod(a, 3, 0x88b5)) == BAD_REQUEST_IS_SLAVE
assert error_of(b, flow_mod(b, 4, 0x88b5)) is None and error_of(b, flow_mod(b, 0, 0x88b6)) is None
assert error_of(b, packet_out(b)) is None and frame(0x9999) in h2.receive(10, 1)
h1.send(frame(0x88b7))
assert frame(0x88b7) in b.expect(PACKET_IN, timeout=20)
a.barrier()
assert a.seen[PACKET_IN] == 2

# Equal again, the other one stays master.
assert a.role(EQUAL) == EQUAL and b.role(0) == MASTER and error_of(a, flow_mod(a, 4, 0x88b7)) is None
print("done", flush=True)
time.sleep(600)
PY

step "standalone: hosts are connected while there is no controller"
bridge standalone
start_sluice
wait_until 5 alone
packets h1 "$(frame 88b5)" 3 h2=same

step "equal, master, slave; generations"
controllers
wait_until 30 says done
! alone || fail "a learning switch beside controllers"
packets h1 "$(frame 88b5)" 2 h2=none

step "standalone: both controllers die, and it is a learning switch beside the rules that are there"
end_pid "$PID"
wait_until 10 alone
packets h1 "$(frame 88b5)" 3 h2=same
packets h1 "$(frame 88b6)" 2 h2=none
assert_eq "$(flows_without_stats)" 'priority=9,in_port=1,dl_type=0x88b6 actions=drop'

step "one comes back, and it is none any more"
controllers only
wait_until 30 says connected
wait_until 5 eval '! alone'
packets h1 "$(frame 88b5)" 2 h2=none

step "secure: nothing but the rules, with controllers and without"
bridge secure
ctl reload >/dev/null
ofctl add-flow in_port=1,dl_type=0x88b5,actions=output:2
end_pid "$PID"
wait_until 5 eval '[ "$(ctl controllers | grep -c ": active for")" = 0 ]'
sleep 1.5 # more than three probes
packets h1 "$(frame 88b5)" 3 h2=same
packets h1 "$(frame 88b7)" 2 h2=none
! alone || fail "a secure bridge acts as a learning switch"
stop_sluice
