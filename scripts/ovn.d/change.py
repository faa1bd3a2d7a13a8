"""How long a change of one rule takes: change.py SOCKET N. Prints the median time, in us, until the reply to its barrier.

Each of N changes is a bundle of OpenFlow 1.5 with one flow_mod, as ovn-controller sends them, on one connection.
"""

import socket
import statistics
import struct
import sys
import time

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FLOW_MOD, BARRIER_REQUEST, BARRIER_REPLY, BUNDLE_CONTROL, BUNDLE_ADD = 0, 1, 2, 3, 14, 20, 21, 33, 34
OPEN, COMMIT, ATOMIC_ORDERED = 0, 4, 3

server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
data = b""


def message(kind, body=b"", xid=1):
    return struct.pack("!BBHI", 6, kind, 8 + len(body), xid) + body


def wait_for(wanted):
    global data
    while True:
        length = struct.unpack_from("!H", data, 2)[0] if len(data) >= 8 else 8
        if len(data) < length or len(data) < 8:
            data += server.recv(65536) or sys.exit("the switch has closed the connection")
            continue
        kind, xid, body = data[1], struct.unpack_from("!I", data, 4)[0], data[8:length]
        data = data[length:]
        if kind == ECHO_REQUEST:
            server.sendall(message(ECHO_REPLY, body, xid))
        elif kind == ERROR:
            sys.exit(f"error {body[:4].hex()}")
        elif kind == wanted:
            return


def field(number, value):
    return struct.pack("!HBB", 0x8000, number << 1, len(value)) + value


def flow_mod(port):
    """table=44, priority=2000, udp, metadata=7, tp_dst=PORT, actions=resubmit(,45)"""
    match = field(5, b"\x08\x00") + field(10, b"\x11") + field(2, struct.pack("!Q", 7)) + field(16, struct.pack("!H", port))
    length = 4 + len(match)
    match = struct.pack("!HH", 1, length) + match + bytes(-length % 8)
    resubmit = struct.pack("!HHIHHB3x", 0xFFFF, 16, 0x2320, 14, 0xFFF8, 45)
    return (struct.pack("!QQBBHHHIIIHH", 0, 0, 44, 0, 0, 0, 2000, *3 * [0xFFFFFFFF], 0, 0) + match
            + struct.pack("!HHI", 4, 8 + len(resubmit), 0) + resubmit)


server.sendall(message(HELLO))
wait_for(HELLO)
times = []
for i in range(1, int(sys.argv[2]) + 1):
    start = time.monotonic()
    bundle = struct.pack("!I", i)
    server.sendall(message(BUNDLE_CONTROL, bundle + struct.pack("!HH", OPEN, ATOMIC_ORDERED))
                   + message(BUNDLE_ADD, bundle + struct.pack("!xxH", ATOMIC_ORDERED) + message(FLOW_MOD, flow_mod(i)))
                   + message(BUNDLE_CONTROL, bundle + struct.pack("!HH", COMMIT, ATOMIC_ORDERED)) + message(BARRIER_REQUEST))
    wait_for(BARRIER_REPLY)
    times.append(time.monotonic() - start)
    time.sleep(0.02)
print(round(statistics.median(times) * 1e6))
