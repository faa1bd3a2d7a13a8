"""OpenFlow controllers of a few lines, for tests that need ones which misbehave or look at single messages."""
import select
import socket
import struct
import time

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER, FEATURES_REQUEST, FEATURES_REPLY = range(7)
PACKET_IN, FLOW_REMOVED, PORT_STATUS, PACKET_OUT, FLOW_MOD = 10, 11, 12, 13, 14
BARRIER_REQUEST, BARRIER_REPLY, ROLE_REQUEST, ROLE_REPLY, ROLE_STATUS = 20, 21, 24, 25, 30
CONTROLLER_PORT = 0xFFFFFFFD


def listen(port, receive_buffer=None):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive_buffer:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    server.bind(("127.0.0.1", port))
    server.listen(16)
    return server


class Peer:
    """One connection; messages are (type, xid, body)."""

    def __init__(self, sock, version=4):
        self.sock, self.version, self.data, self.xid = sock, version, b"", 1000
        self.seen = {}  # messages of each type that were taken
        self.closed = False
        self.send(HELLO)

    @classmethod
    def accept(cls, server, timeout=20, version=4):
        server.settimeout(timeout)
        return cls(server.accept()[0], version)

    def send(self, kind, body=b"", xid=None):
        self.xid += 1
        xid = self.xid if xid is None else xid
        self.sock.sendall(struct.pack("!BBHI", self.version, kind, 8 + len(body), xid) + body)
        return xid

    def take(self):
        """The next whole message that has been received, or None."""
        if len(self.data) < 8:
            return None
        _, kind, length, xid = struct.unpack_from("!BBHI", self.data)
        if len(self.data) < length:
            return None
        body, self.data = self.data[8:length], self.data[length:]
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if kind == ECHO_REQUEST:
            self.send(ECHO_REPLY, body, xid)
        return kind, xid, body

    def read(self):
        """Receives what there is, after select said so."""
        try:
            got = self.sock.recv(1 << 20)
        except ConnectionError:
            got = b""
        self.data += got
        self.closed = not got
        return not self.closed

    def next(self, timeout=5):
        """The next message, or None when nothing came in time or the connection was closed."""
        end = time.monotonic() + timeout
        while True:
            message = self.take()
            if message or self.closed:
                return message
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0] or not self.read():
                return None

    def expect(self, kind, xid=None, timeout=5):
        """The body of the next message of that type; others are passed over."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            message = self.next(left)
            if message is None:
                break
            if message[0] == kind and xid in (None, message[1]):
                return message[2]
        raise AssertionError(f"no message of type {kind}; closed: {self.closed}")

    def auxiliary_id(self):
        return self.expect(FEATURES_REPLY, self.send(FEATURES_REQUEST))[13]

    def barrier(self, timeout=30):
        self.expect(BARRIER_REPLY, self.send(BARRIER_REQUEST), timeout)

    def role(self, role, generation=0):
        """Asks for a role (0 nochange, 1 equal, 2 master, 3 slave); returns the one that the switch says."""
        xid = self.send(ROLE_REQUEST, struct.pack("!I4xQ", role, generation))
        return struct.unpack_from("!I", self.expect(ROLE_REPLY, xid))[0]

    def ask_for_packet_ins(self, packet, n, batch=200):
        """Sends `n` packet-outs of the packet to the controllers."""
        action = struct.pack("!HHIH6x", 0, 16, CONTROLLER_PORT, 0xFFFF)
        body = struct.pack("!IIH6x", 0xFFFFFFFF, CONTROLLER_PORT, len(action)) + action + packet
        one = struct.pack("!BBHI", self.version, PACKET_OUT, 8 + len(body), 7) + body
        while n > 0:
            self.sock.sendall(one * min(batch, n))
            n -= batch
