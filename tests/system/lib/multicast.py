"""Join a multicast group until ended, or send to it: multicast.py join|send GROUP OWN_ADDRESS|INTERFACE

An IPv6 group takes the name of the interface in place of the address.
"""

import socket
import struct
import sys
import time

verb, group, own = sys.argv[1:]
six = ":" in group
sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
if verb == "join":
    if six:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", socket.if_nametoindex(own)))
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(own))
    while True:
        time.sleep(60)
if six:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(own))
else:
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
for _ in range(5):
    sock.sendto(b"hello", (group, 7001))
    time.sleep(0.05)
