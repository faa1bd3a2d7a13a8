#!/usr/bin/python3
"""vlan_host.py INTERFACE VLAN: makes INTERFACE.VLAN, as `ip link add type vlan` does where the kernel has 802.1Q, out of a TAP.

What the host sends there leaves INTERFACE with a tag; what arrives at INTERFACE with that tag comes out of it. Ends with the process.
"""
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING, STATUS_VLAN_VALID = 263, 8, 4, 0x10

interface, vlan = sys.argv[1], int(sys.argv[2])
name = "%s.%d" % (interface, vlan)
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
address = open("/sys/class/net/%s/address" % interface).read().strip()
subprocess.run(["ip", "link", "set", name, "address", address, "up"], check=True)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((interface, 3))
wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
print("ready", flush=True)

while True:
    for ready in select.select([tap, wire], [], [])[0]:
        if ready == tap:
            frame = os.read(tap, 65536)
            wire.send(frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:])
            continue
        frame, ancillary, _, sender = wire.recvmsg(65536, 256)
        if sender[2] == PACKET_OUTGOING:
            continue
        for level, kind, data in ancillary:  # the kernel takes the tag off and tells it beside the frame
            status, _, _, _, _, tci = struct.unpack("=IIIHHH", data[:18])
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and status & STATUS_VLAN_VALID and tci & 0xfff == vlan:
                os.write(tap, frame)
