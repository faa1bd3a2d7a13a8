"""Ask a DNS server for the IPv4 address of a name, and say whether it is the expected one: dns-ask.py SERVER NAME ADDRESS"""

import socket
import struct
import sys

server, name, expected = sys.argv[1:]
question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(2)
asker.connect((server, 53))
asker.send(struct.pack(">HHHHHH", 0x5355, 0x0100, 1, 0, 0, 0) + question)
answer = asker.recv(512)
ident, flags, _, answers = struct.unpack(">HHHH", answer[:8])
if ident != 0x5355 or flags & 0x800F != 0x8000 or answers < 1:
    sys.exit(f"no answer: flags {flags:#x}, {answers} answers")
address = socket.inet_ntoa(answer[-4:])
if address != expected:
    sys.exit(f"{name} is {address}")
