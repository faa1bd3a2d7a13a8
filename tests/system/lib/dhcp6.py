"""Solicit and request an address by DHCPv6 (RFC 8415) and compare it: dhcp6.py INTERFACE ADDRESS"""

import socket
import struct
import sys
import time

interface, wanted = sys.argv[1:]
index = socket.if_nametoindex(interface)
mac = bytes.fromhex(open(f"/sys/class/net/{interface}/address").read().strip().replace(":", ""))
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.bind(("::", 546, 0, index))
sock.settimeout(1)


def option(code, body):
    return struct.pack(">HH", code, len(body)) + body


def options(data):
    while len(data) >= 4:
        code, length = struct.unpack(">HH", data[:4])
        yield code, data[4 : 4 + length]
        data = data[4 + length :]


def ask(kind, more):
    message = bytes([kind]) + b"\x01\x02\x03" + option(1, struct.pack(">HH", 3, 1) + mac) + more
    for _ in range(8):
        try:
            sock.sendto(message, ("ff02::1:2", 547, 0, index))
            return sock.recv(2048)
        except OSError:
            time.sleep(0.3)
    sys.exit("nobody answers")


association = option(3, struct.pack(">III", 1, 0, 0))
advertised = dict(options(ask(1, association)[4:]))
reply = ask(3, option(2, advertised[2]) + option(3, advertised[3]))
if reply[0] != 7:
    sys.exit(f"message {reply[0]} instead of a reply")
addresses = [socket.inet_ntop(socket.AF_INET6, body[:16]) for code, body in options(dict(options(reply[4:]))[3][12:]) if code == 5]
if addresses != [wanted]:
    sys.exit(f"got {addresses}")
