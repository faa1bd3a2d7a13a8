#!/usr/bin/python3
"""A TCP stream of known bytes.

    tcp_stream.py receive ADDRESS [PORT]            prints the SHA-256 of what one connection brought, and MB/s
    tcp_stream.py send ADDRESS MEGABYTES [PORT]     sends; prints the SHA-256
    tcp_stream.py datagrams ADDRESS [PORT]          one call of UDP_SEGMENT datagrams to a receiver
    tcp_stream.py collect ADDRESS COUNT [PORT]      prints the lengths of so many datagrams
"""
import hashlib
import random
import socket
import sys
import time

SOL_UDP, UDP_SEGMENT = 17, 103
CHUNK = 1 << 16


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive(address, port):
    digest, total = hashlib.sha256(), 0
    with socket.create_server((address, port), family=family(address)) as server:
        server.settimeout(20)
        print("ready", flush=True)
        stream, _ = server.accept()
        stream.settimeout(20)
        start = time.time()
        while data := stream.recv(1 << 18):
            digest.update(data)
            total += len(data)
    print(digest.hexdigest(), "%.0f MB/s" % (total / 1e6 / (time.time() - start)))


def send(address, port, megabytes):
    digest, source = hashlib.sha256(), random.Random(megabytes)
    with socket.create_connection((address, port), timeout=20) as stream:
        for _ in range(megabytes * (1 << 20) // CHUNK):
            data = source.randbytes(CHUNK)
            digest.update(data)
            stream.sendall(data)
    print(digest.hexdigest())


def datagrams(address, port):
    with socket.socket(family(address), socket.SOCK_DGRAM) as sender:
        sender.connect((address, port))
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, 500)
        sender.send(bytes(20 * 500 + 123))


def collect(address, port, count):
    with socket.socket(family(address), socket.SOCK_DGRAM) as receiver:
        receiver.bind((address, port))
        receiver.settimeout(10)
        print("ready", flush=True)
        print(*[len(receiver.recv(65536)) for _ in range(count)])


what, where = sys.argv[1:3]
if what == "receive":
    receive(where, int(sys.argv[3]) if len(sys.argv) > 3 else 5001)
elif what == "send":
    send(where, int(sys.argv[4]) if len(sys.argv) > 4 else 5001, int(sys.argv[3]))
elif what == "datagrams":
    datagrams(where, int(sys.argv[3]) if len(sys.argv) > 3 else 5001)
else:
    collect(where, int(sys.argv[4]) if len(sys.argv) > 4 else 5001, int(sys.argv[3]))
