#!/usr/bin/python3
"""How many of N different flows arrive where.

    spread.py FROM N VARY TO...

Sends one UDP packet of each of N flows, which differ in VARY only (mac, ip, port), and prints the number that arrived at each TO.
"""
import sys
import time

from packet import Host


def frame(vary, i):
    mac = i if vary == "mac" else 0
    address = i if vary == "ip" else 0
    port = i if vary == "port" else 0
    ether = bytes.fromhex("0200000000dd") + b"\x02\x00\x00\x01" + mac.to_bytes(2, "big") + b"\x08\x00"
    header = bytearray(bytes.fromhex("4500002e0000000040110000")) + b"\x0a\x01" + address.to_bytes(2, "big") + b"\x0a\x02\x00\x01"
    total = sum(int.from_bytes(header[k:k + 2], "big") for k in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = (0xFFFF - (total & 0xFFFF) - (total >> 16)).to_bytes(2, "big")
    udp = (1000 + port).to_bytes(2, "big") + b"\x07\xd0\x00\x1a\x00\x00" + bytes(18)
    return ether + bytes(header) + udp


def main():
    sender, n, vary = Host(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    hosts = [Host(name) for name in sys.argv[4:]]
    for i in range(n):
        sender.send(frame(vary, i))
        if i % 32 == 31:
            time.sleep(0.005)
    # All of them, or what there is after a while; and what comes once too often comes soon behind.
    arrived, end, last = [0] * len(hosts), time.monotonic() + 20, False
    while not last:
        last = sum(arrived) >= n or time.monotonic() > end
        time.sleep(0.2)
        for k, host in enumerate(hosts):
            arrived[k] += sum(1 for f in host.receive(0) if f[23:24] == b"\x11")
    print(*arrived)


if __name__ == "__main__":
    main()
