"""Frames of all kinds into interfaces where another process is, hostile ones of protocols that the switch speaks among them, some thousand a second."""

import ctypes
import random
import socket
import time

CLONE_NEWNET = 0x40000000


def join(pid):
    """The thread that calls is in the network namespace of the process from then on."""
    with open(f"/proc/{pid}/ns/net") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def mac(rng):
    return bytes([2, 0, 0, 0, 0, rng.randint(1, 12)])


def bpdu(rng):
    body = bytearray(b"\x42\x42\x03" + bytes(4) + bytes([rng.choice([0, 1, 0x81])]) + rng.choice([0, 0x80, 0x8000]).to_bytes(2, "big") + mac(rng)
                     + rng.choice([0, 2, 0xffffffff]).to_bytes(4, "big") + b"\x80\0" + mac(rng) + b"\x80\1" + bytes([0, 0, 20, 0, 2, 0, 15, 0]))
    if rng.random() < 0.5:
        body[rng.randrange(len(body))] = rng.randrange(256)
    length = len(body) if rng.random() < 0.8 else rng.randrange(65536)
    return b"\x01\x80\xc2\0\0\0" + mac(rng) + length.to_bytes(2, "big") + bytes(body[:rng.choice([len(body), rng.randrange(len(body))])])


def lacpdu(rng):
    def info():
        return b"\0\1" + mac(rng) + bytes([0, rng.randint(1, 2), 0, 1, 0, rng.randint(1, 4), rng.randrange(256)]) + bytes(3)
    body = bytearray(b"\1\1\1\x14" + info() + b"\2\x14" + info() + b"\3\x10" + bytes(14) + bytes(52))
    if rng.random() < 0.5:
        body[rng.randrange(len(body))] = rng.randrange(256)
    return b"\x01\x80\xc2\0\0\2" + mac(rng) + b"\x88\x09" + bytes(body[:rng.choice([len(body), rng.randrange(len(body))])])


def frame(rng):
    kind = rng.random()
    if kind < 0.05:
        return bpdu(rng)
    if kind < 0.1:
        return lacpdu(rng)
    to = b"\xff" * 6 if kind < 0.2 else mac(rng)
    tag = b"\x81\0" + rng.choice([0, 10, 11, 99]).to_bytes(2, "big") if rng.random() < 0.3 else b""
    if kind < 0.3:
        address = bytes([10, 9, 0, rng.randint(1, 3)])
        arp = b"\x08\x06\0\1\x08\0\6\4\0" + bytes([rng.randint(1, 2)]) + mac(rng) + address + bytes(6) + rng.choice([address, b"\x0a\x09\0\1"])
        return to + mac(rng) + tag + arp
    return to + mac(rng) + tag + b"\x08\0\x45\0\0\x20\0\0\0\0\x40\x11\0\0\x0a\x09\0\2\x0a\x09\0\1" + rng.randbytes(12)


def run(pid, names, seed, stop):
    rng = random.Random(seed)
    sockets = dict.fromkeys(names)
    join(pid)
    while not stop.is_set():
        name = rng.choice(names)
        try:
            if sockets[name] is None:
                sockets[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                sockets[name].bind((name, 0))
            for _ in range(16):
                sockets[name].send(frame(rng))
        except OSError:  # the interface is away, or down
            if sockets[name]:
                sockets[name].close()
            sockets[name] = None
        time.sleep(0.005)
