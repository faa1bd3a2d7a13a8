"""A next hop that speaks BFD (RFC 5880, 5881; asynchronous mode): bfd_peer.py OWN_ADDRESS PEER_ADDRESS [INTERVAL_MS]

Prints each state of its own. Ended by a signal it falls silent, as a router that fails does.
"""

import socket
import struct
import sys
import time

own, peer = sys.argv[1:3]
interval = int(sys.argv[3]) / 1000 if len(sys.argv) > 3 else 0.1
DOWN, INIT, UP = 1, 2, 3
NAMES = {DOWN: "down", INIT: "init", UP: "up"}

receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind((own, 3784))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)  # RFC 5881, 5
sender.bind((own, 49152))


def send(flags=0):
    us = int(interval * 1e6)
    sender.sendto(struct.pack(">BBBBIIIII", 1 << 5, state << 6 | flags, 3, 24, 7, theirs, us, us, 0), (peer, 3784))


def enter(new):
    global state
    if new != state:
        state = new
        print(NAMES[state], flush=True)


state, theirs = DOWN, 0
heard = due = time.monotonic()
while True:
    receiver.settimeout(max(0.001, due - time.monotonic()))
    try:
        packet = receiver.recv(256)
    except socket.timeout:
        packet = b""
    now = time.monotonic()
    if len(packet) >= 24 and packet[0] >> 5 == 1:
        heard = now
        their_state, theirs = packet[1] >> 6, struct.unpack(">I", packet[4:8])[0]
        if their_state == 0:
            enter(DOWN)
        elif state == DOWN:  # RFC 5880, 6.8.6
            enter({DOWN: INIT, INIT: UP}.get(their_state, DOWN))
        elif state == INIT and their_state in (INIT, UP):
            enter(UP)
        elif state == UP and their_state == DOWN:
            enter(DOWN)
        if packet[1] & 0x20:  # a poll is answered at once
            send(0x10)
    if now - heard > 2:
        enter(DOWN)
        theirs = 0
    if now >= due:
        send()
        due = now + interval
