#!/usr/bin/python3
"""A steady stream of packets, and what comes of it.

    flood.py FROM TO SECONDS PPS LENGTH TOS

Prints the number of packets that arrived, how many of them had another TOS, and how many milliseconds the sending took: a busy machine takes longer.
"""
import sys
import time

from packet import Host


def main():
    sender, receiver = Host(sys.argv[1]), Host(sys.argv[2])
    seconds, pps, length, tos = float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
    header = bytes([0x45, tos]) + (length - 14).to_bytes(2, "big") + bytes.fromhex("0000000040110000") + b"\x0a\x00\x00\x01\x0a\x00\x00\x02"
    total = sum(int.from_bytes(header[k:k + 2], "big") for k in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + (0xFFFF - (total & 0xFFFF) - (total >> 16)).to_bytes(2, "big") + header[12:]
    frame = bytes.fromhex("0200000000020200000000010800") + header
    frame += b"\x03\xe8\x07\xd0" + (length - 34).to_bytes(2, "big") + bytes(2)
    frame += bytes(length - len(frame))

    start, sent, wanted = time.monotonic(), 0, int(seconds * pps)
    arrived = others = 0
    while sent < wanted:
        while sent < wanted and sent <= (time.monotonic() - start) * pps:
            sender.send(frame)
            sent += 1
        time.sleep(0.001)
    took = time.monotonic() - start
    while some := receiver.receive(0.7, 1000):
        for packet in some:
            if packet[23:24] == b"\x11" and packet[26:30] == b"\x0a\x00\x00\x01":
                arrived += 1
                others += packet[15] != tos
    print(arrived, others, int(took * 1000))


if __name__ == "__main__":
    main()
