"""Join a multicast group until ended, or send to it: multicast.py join|send GROUP OWN_ADDRESS"""

import socket
import sys
import time

verb, group, own = sys.argv[1:]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if verb == "join":
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(own))
    while True:
        time.sleep(60)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
for _ in range(5):
    sock.sendto(b"hello", (group, 7001))
    time.sleep(0.05)
