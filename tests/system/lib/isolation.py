#!/usr/bin/python3
"""Traffic of two bridges whose ports move between them, and the reloads that move them.

    isolation.py CONFIG SOCKET MOVES FLOWS PREFIX

CONFIG is a configuration file of a switch with bridges br0 and br1; their ports are written here. Every port is a TAP, named for the bridge that it is in
(PREFIX, then "0p3"), so that a port that moves gets another device. Packets are sent into every interface that there is, marked by its bridge in the Ethernet source,
and are looked for at every interface: a mark of one bridge at an interface of the other is a packet in the wrong bridge.

Reloads come in bursts: some are answered before the next, others are not waited for, so that ports come while the megaflows of several moves before are still translated again.

FLOWS is the number of flows that a port sends. MOVES of -1 only writes the ports. Prints "moves M devices D sent N right R wrong W lost L megaflows F": M being reloads, D the
devices that they made, lost the packets that did not fit the receiver's buffer, F the least megaflows that there were while ports moved. The ports that stay keep theirs, those
that move lose them each time; so the moves begin when those of the ports that stay are there.
"""
import collections
import ctypes
import json
import multiprocessing
import os
import random
import socket
import struct
import sys
import time
import zlib

PREFIX = sys.argv[5]
MARK = b"\x02\x15" + zlib.crc32(PREFIX.encode()).to_bytes(4, "big")[1:]  # of this test's packets: another may run at the same time
FIXED = 2    # ports that stay in each bridge
MOVABLE = 4  # ports that move
PER_FIXED, PER_MOVABLE = 24, 8  # packets that a port sends in a row: those that stay send more, so that their megaflows never become idle
PATIENCE_S = 120  # until the megaflows are there
BURST = 12   # reloads that may be under way at once
RTMGRP_LINK, RTM_NEWLINK, IFLA_IFNAME = 1, 16, 3
SOL_PACKET, PACKET_STATISTICS, PACKET_OUTGOING, SO_RCVBUFFORCE, ETH_P_IP = 263, 6, 4, 33, 0x0800


def device(bridge, port):
    return f"{PREFIX}{bridge}p{port}"


def frame(bridge, flow):
    ethernet = b"\xff" * 6 + MARK + bytes([bridge]) + b"\x08\x00"
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
        self.names = {}

    def see(self, index):
        """Its name, for one that nobody told of."""
        try:
            self.names[index] = socket.if_indextoname(index)
        except OSError:  # it is gone
            self.names[index] = "?"

    def receive(self):
        some = False
        while True:
            size = ctypes.c_uint32(20)
            n = self.recvfrom(self.socket.fileno(), self.packet, 64, socket.MSG_DONTWAIT, self.address, ctypes.byref(size))
            if n < 0:
                return some
            if n > 12 and self.packet.raw[6:11] == MARK:
                # struct sockaddr_ll, packet(7)
                index, _, kind = struct.unpack_from("=iHB", self.address.raw, 4)
                if kind != PACKET_OUTGOING:
                    self.counts[index, self.packet.raw[11]] += 1
                    some = True
                    if index not in self.names:
                        self.see(index)

    def lost(self):
        return struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


class Interfaces:
    """Which bridge each interface is in, or was, by its number. The kernel tells of every one: a look now and then would miss what came and went between."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.socket.bind((0, RTMGRP_LINK))
        self.socket.setblocking(False)
        self.bridges = {}
        for bridge in range(2):
            for port in range(2 * FIXED + MOVABLE):
                try:
                    self.bridges[socket.if_nametoindex(device(bridge, port))] = bridge
                except OSError:  # it is in the other bridge
                    pass

    def learn(self):
        while True:
            try:
                messages = self.socket.recv(1 << 20)
            except BlockingIOError:
                return
            while len(messages) >= 32:
                length, kind = struct.unpack_from("=IH", messages)
                if kind == RTM_NEWLINK:
                    self.note(messages[:length])
                messages = messages[length + 3 & ~3:]

    def note(self, message):
        """struct nlmsghdr, struct ifinfomsg, attributes: rtnetlink(7)."""
        index, at = struct.unpack_from("=i", message, 20)[0], 32
        while at + 4 <= len(message):
            length, kind = struct.unpack_from("=HH", message, at)
            name = message[at + 4:at + length].rstrip(b"\0").decode(errors="replace")
            if kind == IFLA_IFNAME and name.startswith(PREFIX):
                self.bridges[index] = int(name[len(PREFIX)])
            at += max(4, length + 3 & ~3)


def traffic(n_flows, stop, results):
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    receiver = Receiver()
    frames = [[frame(bridge, flow) for flow in range(n_flows)] for bridge in range(2)]
    places = [(device(bridge, port), bridge, PER_FIXED if port < 2 * FIXED else PER_MOVABLE)
              for bridge in range(2) for port in range(2 * FIXED + MOVABLE)]
    sent = flow = 0
    while not stop.is_set():
        for name, bridge, n in places:
            try:
                for k in range(n):
                    sender.sendto(frames[bridge][(flow + k) % n_flows], (name, 0))
                    sent += 1
            except OSError:  # it is in the other bridge, or not up yet
                pass
        flow += PER_FIXED
        receiver.receive()
    end = time.monotonic() + 1
    while receiver.receive() or time.monotonic() < end:
        time.sleep(0.01)
    results.put((sent, receiver.counts, receiver.lost(), receiver.names))


def write_config(path, where):
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    for bridge in range(2):
        ports = [port for port, there in enumerate(where) if there == bridge]
        config["bridges"][bridge]["ports"] = [
            {"name": f"p{port}", "ofport": port + 1, "type": "tap", "ifname": device(bridge, port)} for port in ports]
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(config, file)
    os.rename(path + ".new", path)


class Control:
    """A connection to the control socket: one command at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.decoder, self.text = json.JSONDecoder(), ""

    def ask(self, *words):
        self.socket.sendall(json.dumps({"id": 0, "method": words[0], "params": words[1:]}).encode())

    def answer(self, seconds=None):
        """None: there is none in this time, or not all of it."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            try:
                reply, length = self.decoder.raw_decode(self.text)
                self.text = self.text[length:]
            except ValueError:
                self.socket.settimeout(None if end is None else max(0.0001, end - time.monotonic()))
                try:
                    received = self.socket.recv(1 << 20)
                except TimeoutError:
                    return None
                if not received:
                    sys.exit("the switch closed the control socket")
                self.text += received.decode()
                continue
            if reply["error"] is not None:
                sys.exit(f"refused: {reply['error']}")
            return reply["result"]


class Reloads:
    """Those under way, each on a connection of its own: one of them is answered when packets go by all that was asked for until then."""

    def __init__(self, control):
        self.idle = [Control(control) for _ in range(BURST)]
        self.busy = []
        self.other = Control(control)

    def begin(self):
        connection = self.idle.pop()
        connection.ask("reload")
        self.busy.append(connection)
        # What is answered behind it was read behind it: the file is read, and may be written again.
        self.other.ask("version")
        self.other.answer()

    def wait(self, seconds=None):
        for connection in list(self.busy):
            if connection.answer(seconds) is not None:
                self.busy.remove(connection)
                self.idle.append(connection)


class Megaflows:
    """How many there are now, and the least that there were at the moves."""

    def __init__(self, control, n_flows):
        self.control = Control(control)
        self.enough = 2 * FIXED * n_flows
        self.least = None

    def count(self):
        self.control.ask("flows", "--json")
        return json.loads(self.control.answer())["megaflows"]

    def wait(self):
        end = time.monotonic() + PATIENCE_S
        while self.count() < self.enough and time.monotonic() < end:
            time.sleep(0.2)

    def look(self):
        now = self.count()
        self.least = now if self.least is None else min(self.least, now)


def main():
    path, control, moves, n_flows = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    where = [port % 2 for port in range(2 * FIXED + MOVABLE)]
    if moves < 0:  # only the file
        write_config(path, where)
        return
    interfaces = Interfaces()
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    process = multiprocessing.Process(target=traffic, args=(n_flows, stop, results))
    process.start()
    megaflows, reloads = Megaflows(control, n_flows), Reloads(control)
    megaflows.wait()
    first = len(interfaces.bridges)
    chance = random.Random(1)
    done = 0
    try:
        for _ in range(moves):
            # One goes and another comes in the same reload, as a rule; so the other bridge would get its number at once.
            for port in chance.sample(range(2 * FIXED, 2 * FIXED + MOVABLE), chance.randint(1, 2)):
                where[port] = 1 - where[port]
            write_config(path, where)
            reloads.begin()
            if len(reloads.busy) == BURST or chance.random() < 1 / BURST:
                reloads.wait()
            else:
                reloads.wait(chance.choice((0, 0.01, 0.05)) / len(reloads.busy))
            interfaces.learn()
            if done % 8 == 0:
                megaflows.look()
            done += 1
        reloads.wait()
    finally:
        stop.set()
        sent, counts, lost, names = results.get(timeout=60)
        process.join()
        interfaces.learn()
        for index in {index for index, mark in counts if index not in interfaces.bridges}:
            packets = {mark: counts[index, mark] for mark in range(2)}
            sys.exit(f"after {done} moves packets {packets} of bridges were seen at {names[index]}, which is interface {index} and no port's")
        right = sum(n for (index, mark), n in counts.items() if interfaces.bridges[index] == mark)
        print(f"moves {done} devices {len(interfaces.bridges) - first} sent {sent} right {right} wrong {sum(counts.values()) - right} lost {lost} "
              f"megaflows {megaflows.least}")


if __name__ == "__main__":
    main()
