#!/usr/bin/python3
"""Traffic of two bridges whose ports move between them, and the reloads that move them.

    isolation.py CONFIG SOCKET SLUICECTL MOVES FLOWS PREFIX

CONFIG is a configuration file of a switch with bridges br0 and br1; their ports are written here. Every port is a TAP, named for the bridge that it is in
(PREFIX, then "0p3"), so that a port that moves gets another device. Packets are sent into every interface that there is, marked by its bridge in the Ethernet source,
and are looked for at every interface: a mark of one bridge at an interface of the other is a packet in the wrong bridge.

FLOWS is the number of flows that a port sends. MOVES of -1 only writes the ports. Prints "moves M sent N right R wrong W lost L", lost being packets that did not fit the receiver's buffer.
"""
import collections
import ctypes
import json
import multiprocessing
import random
import socket
import struct
import subprocess
import sys
import time

PREFIX = sys.argv[6]
FIXED = 2    # ports that stay in each bridge
MOVABLE = 4  # ports that move
PER_PORT = 12  # packets a port sends in a row
SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING, SO_RCVBUFFORCE, ETH_P_IP = 263, 6, 4, 33, 0x0800


def device(bridge, port):
    return f"{PREFIX}{bridge}p{port}"


def frame(bridge, flow):
    ethernet = b"\xff" * 6 + bytes([0x02, 0x15, 0, 0, 0, bridge]) + b"\x08\x00"
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 17, 0, b"\x0a\x00" + struct.pack("!H", flow), b"\x0a\x01\x00\x01")
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", 0xFFFF - total & 0xFFFF) + header[12:]
    return ethernet + header + struct.pack("!HHHH", 1000, 2000, 26, 0) + bytes(18)


class Receiver:
    """Counts the packets with a mark by interface and mark. By the interface's number: its name is gone with it."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20)
        self.recvfrom = ctypes.CDLL(None).recvfrom
        self.packet, self.address = ctypes.create_string_buffer(64), ctypes.create_string_buffer(20)
        self.counts = collections.Counter()

    def receive(self):
        some = False
        while True:
            size = ctypes.c_uint32(20)
            n = self.recvfrom(self.socket.fileno(), self.packet, 64, socket.MSG_DONTWAIT, self.address, ctypes.byref(size))
            if n < 0:
                return some
            if n > 12 and self.packet.raw[6:11] == b"\x02\x15\0\0\0":
                # struct sockaddr_ll, packet(7)
                index, _, kind = struct.unpack_from("=iHB", self.address.raw, 4)
                if kind != PACKET_OUTGOING:
                    self.counts[index, self.packet.raw[11]] += 1
                    some = True

    def lost(self):
        return struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


def learn_interfaces(bridges):
    """Notes which bridge the interfaces are in that there are now."""
    for index, name in socket.if_nameindex():
        if name.startswith(PREFIX):
            bridges[index] = int(name[len(PREFIX)])


def traffic(n_flows, stop, results):
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    receiver = Receiver()
    frames = [[frame(bridge, flow) for flow in range(n_flows)] for bridge in range(2)]
    places = [(device(bridge, port), bridge) for bridge in range(2) for port in range(2 * FIXED + MOVABLE)]
    sent = flow = 0
    while not stop.is_set():
        for name, bridge in places:
            try:
                for k in range(PER_PORT):
                    sender.sendto(frames[bridge][(flow + k) % n_flows], (name, 0))
                    sent += 1
            except OSError:  # it is in the other bridge, or not up yet
                pass
        flow += PER_PORT
        receiver.receive()
    end = time.monotonic() + 1
    while receiver.receive() or time.monotonic() < end:
        time.sleep(0.01)
    results.put((sent, receiver.counts, receiver.lost()))


def write_config(path, where):
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    for bridge in range(2):
        ports = [port for port, there in enumerate(where) if there == bridge]
        config["bridges"][bridge]["ports"] = [
            {"name": f"p{port}", "ofport": port + 1, "type": "tap", "ifname": device(bridge, port)} for port in ports]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)


def main():
    path, control, sluicectl, moves, n_flows = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    where = [port % 2 for port in range(2 * FIXED + MOVABLE)]
    if moves < 0:  # only the file
        write_config(path, where)
        return
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    process = multiprocessing.Process(target=traffic, args=(n_flows, stop, results))
    process.start()
    time.sleep(1 + n_flows / 10000)
    chance = random.Random(1)
    bridges, done = {}, 0
    learn_interfaces(bridges)
    try:
        for _ in range(moves):
            # One goes and another comes in the same reload, as a rule; so the other bridge would get its number at once.
            for port in chance.sample(range(2 * FIXED, 2 * FIXED + MOVABLE), chance.randint(1, 2)):
                where[port] = 1 - where[port]
            write_config(path, where)
            answer = subprocess.run([sluicectl, "-t", control, "reload"], capture_output=True, text=True, check=False)
            if answer.returncode:
                sys.exit("reload: " + answer.stdout + answer.stderr)
            learn_interfaces(bridges)
            done += 1
            time.sleep(chance.choice((0, 0, 0.01, 0.05)))
    finally:
        stop.set()
        sent, counts, lost = results.get(timeout=60)
        process.join()
        right = sum(n for (index, mark), n in counts.items() if bridges[index] == mark)
        print(f"moves {done} sent {sent} right {right} wrong {sum(counts.values()) - right} lost {lost}")


if __name__ == "__main__":
    main()
