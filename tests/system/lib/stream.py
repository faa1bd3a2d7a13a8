"""A stream of numbers by UDP, one a millisecond, to find out which arrive, and when.

stream.py send NETNS ADDRESS PORT    until it is ended
stream.py receive NETNS PORT FILE    writes a line "NUMBER MILLISECONDS" (since 1970) for each into FILE
"""
import ctypes
import socket
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
PERIOD_S = 0.001


def enter(netns):
    with open(f"/run/netns/{netns}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def send(address, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    due = time.monotonic()
    number = 0
    while True:
        number += 1
        try:
            sock.sendto(struct.pack("!Q", number), (address, port))
        except OSError:
            pass  # no answer to the question for the address, while the switch is away
        due = max(due + PERIOD_S, time.monotonic() - 0.01)  # what was missed is not made up for
        time.sleep(max(0, due - time.monotonic()))


def receive(port, path):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind(("", port))
    with open(path, "w", buffering=1) as out:
        while True:
            data = sock.recv(64)
            out.write("%d %.1f\n" % (struct.unpack("!Q", data)[0], time.time() * 1000))


if __name__ == "__main__":
    enter(sys.argv[2])
    if sys.argv[1] == "send":
        send(sys.argv[3], int(sys.argv[4]))
    else:
        receive(int(sys.argv[3]), sys.argv[4])
