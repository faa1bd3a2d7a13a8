#!/usr/bin/python3
"""Packets in and out of the hosts of a system test.

    packet.py FROM PACKET [N] [TO=CONDITION | TO=same | TO=none | TO=CONDITION*K]...

Sends PACKET (a scapy expression) N times (1) from host FROM, then looks at what arrives at each host TO: at least N frames for which
CONDITION holds (a Python expression of the frame `p` and the one sent `sent`; `same` means equal bytes;
checksums_ok(p) recomputes them), or, with `none`,
nothing that was sent. Exits with 1 and says what came instead otherwise.

    packet.py --serve SOCKET
    packet.py --ask SOCKET FROM PACKET ...

The same by a process that has scapy loaded already, which takes longer than everything else. PACKETS_PATIENCE: seconds to wait for what is to come.

As a module: Host(name) with send(frame) and receive(seconds, wanted).
"""
import ctypes
import functools
import json
import os
import select
import signal
import socket
import sys
import time
import traceback

ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
PACKET_OUTGOING = 4
NONE_SECONDS = 0.5
libc = ctypes.CDLL(None, use_errno=True)


class Host:
    """eth0 in the namespace of a host; `name` as given to host_make."""

    def __init__(self, name, interface="eth0"):
        self.name = name
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + os.environ.get("TEST_ID", "") + name, os.O_RDONLY)
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + name)
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            # 8 = PACKET_AUXDATA: where the kernel puts the VLAN tag that it takes out of the frame.
            self.socket.setsockopt(263, 8, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
            self.socket.bind((interface, ETH_P_ALL))
        finally:
            libc.setns(own, CLONE_NEWNET)
            os.close(own)
            os.close(there)

    def send(self, frame):
        self.socket.send(bytes(frame))

    def read(self):
        """The next frame that came in, or None if there is none now."""
        while True:
            try:
                data, aux, _, address = self.socket.recvmsg(65536, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            if address[2] == PACKET_OUTGOING:
                continue
            for level, kind, value in aux:
                if level == 263 and kind == 8 and len(value) >= 20:
                    status = int.from_bytes(value[0:4], sys.byteorder)
                    if status & 0x10:  # TP_STATUS_VLAN_VALID
                        tci, tpid = value[16:18], value[18:20]
                        tpid = tpid if status & 0x40 else (0x8100).to_bytes(2, sys.byteorder)
                        data = data[:12] + tpid[::-1] + tci[::-1] + data[12:]
            return data

    def receive(self, seconds, wanted=None):
        """Frames that come within `seconds`, or until `wanted` of them did."""
        frames, end = [], time.time() + seconds
        while wanted is None or len(frames) < wanted:
            frame = self.read()
            if frame is not None:
                frames.append(frame)
                continue
            left = end - time.time()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                break
        return frames


@functools.lru_cache
def layers():
    """What expressions may name."""
    import scapy.layers.l2
    import scapy.layers.inet
    import scapy.layers.inet6
    import scapy.contrib.mpls
    from scapy.packet import Raw

    names = {}
    for module in (scapy.layers.l2, scapy.layers.inet, scapy.layers.inet6, scapy.contrib.mpls):
        names.update(vars(module))
    ether = names["Ether"]

    def checksums_ok(frame):
        again = ether(bytes(frame))
        layer = again
        while layer:
            for field in ("chksum", "cksum"):
                if field in layer.fields:
                    delattr(layer, field)
            layer = layer.payload
        return bytes(again) == bytes(frame)

    names.update(Raw=Raw, checksums_ok=checksums_ok)
    return names


def check(arguments, patience):
    """What the command line asks for; returns the exit status."""
    names = layers()
    ether = names["Ether"]
    sender_name, arguments = arguments[0], arguments[1:]
    sender = Host(sender_name)
    sent = ether(bytes(eval(arguments.pop(0), names)))
    mark = bytes(sent)[-16:]
    # Below 60 bytes a real wire pads; and a switch may, so compare what was padded.
    if len(sent) < 60:
        sent = ether(bytes(sent) + bytes(60 - len(sent)))
    count = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else 1
    expected = []
    for argument in arguments:
        name, condition = argument.split("=", 1)
        expected.append((sender if name == sender_name else Host(name), condition))

    for _ in range(count):
        sender.send(bytes(sent))

    def holds(condition, frame):
        if condition == "same":
            return bytes(frame) == bytes(sent)
        try:
            return bool(eval(condition, dict(names, p=frame, sent=sent)))
        except (IndexError, AttributeError):  # a layer that this frame does not have
            return False

    def counts(host, condition):
        """Takes frames of the host until what is wanted is there or time is over."""
        good, other, more = 0, [], True
        end = none_end if condition == "none" else time.time() + patience
        while more and (condition == "none" or good < count):
            more = time.time() < end
            for data in host.receive(max(0, end - time.time()), None if condition == "none" else 1):
                frame = ether(data)
                # The host asks and answers for neighbours on its own, whenever it likes.
                if data[12:14] == b"\x08\x06" and bytes(sent)[12:14] != b"\x08\x06":
                    continue
                if condition == "none":
                    # Other traffic of the host does not count, nor an ICMP error that quotes what was sent.
                    if frame.src == sent.src or (mark in data and "IPerror" not in frame):
                        other.append(frame)
                elif holds(condition, frame):
                    good += 1
                else:
                    other.append(frame)
        return good, other

    failed, none_end = False, None
    for host, condition in sorted(expected, key=lambda one: one[1] == "none"):
        none_end = none_end or time.time() + NONE_SECONDS if condition == "none" else None
        good, other = counts(host, condition)
        if condition == "none" and other or condition != "none" and good < count:
            failed = True
            print("%s: %d of %d frames with %s; sent %s" % (host.name, good, count, condition, bytes(sent).hex()))
            for frame in other[:5]:
                print("  got %s  %s" % (frame.summary(), bytes(frame).hex()))
    return 1 if failed else 0


def serve(path):
    """A child for each request, which is a line of JSON; answers with what is to be printed and, as its last byte, the exit status."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path + ".new")
    server.listen()
    os.rename(path + ".new", path)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    layers()
    while True:
        client = server.accept()[0]
        if os.fork():
            client.close()
            continue
        os.dup2(client.fileno(), 1)
        try:
            status = check(**json.loads(client.makefile().readline()))
        except BaseException:
            print(traceback.format_exc())
            status = 1
        sys.stdout.flush()
        client.sendall(bytes([status]))
        os._exit(0)


def ask(path, request):
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    server.sendall(json.dumps(request).encode() + b"\n")
    answer = server.makefile("rb").read() or b"no answer from packet.py --serve\n\1"
    sys.stdout.write(answer[:-1].decode())
    return answer[-1]


def main():
    request = {"arguments": sys.argv[1:], "patience": float(os.environ.get("PACKETS_PATIENCE", 10))}
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    elif sys.argv[1] == "--ask":
        sys.exit(ask(sys.argv[2], dict(request, arguments=sys.argv[3:])))
    else:
        sys.exit(check(**request))


if __name__ == "__main__":
    main()
