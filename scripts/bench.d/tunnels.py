"""Packets into tunnels and out of them: br0 has the tunnel port, a second bridge the host's address and the port that outer packets use."""
import random
import struct
from dataclasses import dataclass

import traffic
from process import run

BRIDGE = "bench-phy"
HERE, PEER = "10.201.0.1", "10.201.0.2"
HERE_MAC, PEER_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"
KEY = 42
GRE = 47
DISCARDS = "net_null0,no-rx=1"


@dataclass
class Tunnel:
    """`devargs`: the port of the second bridge. The tunnel port is number 2 of br0."""
    type: str
    devargs: str


def receiving(pcap):
    return "net_pcap_in,rx_pcap=%s,infinite_rx=1" % pcap


def encap(kind):
    """What is in the file goes into the tunnel: Setup's ports and tunnel."""
    return lambda pcap: ([(1, receiving(pcap))], Tunnel(kind, DISCARDS))


def decap(kind):
    return lambda pcap: ([(3, DISCARDS)], Tunnel(kind, receiving(pcap)))


def encap_rules():
    return ["in_port=1,actions=output:2"]


def decap_rules():
    return ["in_port=2,actions=output:3"]


def udp(path, flows):
    """Flows to be put into a tunnel: as those that come out, with 18 bytes of payload."""
    return traffic.write(path, [_inner(i) for i in range(flows)], traffic.shuffled(flows))


def of_type(kind):
    """write(path, flows): the same flows inside of a tunnel, from the peer."""

    def write(path, flows):
        return traffic.write(path, [_outer(kind, i) for i in range(flows)], traffic.shuffled(flows))

    return write


def _ip(src, dst, proto, payload):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, proto, 0) + src + dst
    return head[:10] + struct.pack("!H", traffic.checksum(head)) + head[12:] + payload


def _udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def _inner(flow):
    src = bytes([10, 1, flow >> 8 & 255, flow & 255])
    datagram = _udp(1024 + flow % 50000, 80 + flow // 50000, bytes(18))
    return bytes.fromhex("020000000202" "020000000001" "0800") + _ip(src, bytes([10, 2, 0, 1]), traffic.UDP, datagram)


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))


def _address(text):
    return bytes(int(part) for part in text.split("."))


def _outer(kind, flow):
    inner, sport = _inner(flow), 32768 + random.Random(flow).randrange(28000)
    if kind == "gre":
        proto, payload = GRE, struct.pack("!HHI", 0x2000, 0x6558, KEY) + inner
    elif kind == "vxlan":
        proto, payload = traffic.UDP, _udp(sport, 4789, struct.pack("!II", 0x08000000, KEY << 8) + inner)
    else:
        proto, payload = traffic.UDP, _udp(sport, 6081, struct.pack("!HHI", 0, 0x6558, KEY << 8) + inner)
    return _mac(HERE_MAC) + _mac(PEER_MAC) + b"\x08\x00" + _ip(_address(PEER), _address(HERE), proto, payload)


def addresses(command):
    """The host's address, a route and the peer's, behind command(*words) of ovs-appctl."""
    run(["ip", "address", "add", HERE + "/24", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    command("tnl/neigh/set", BRIDGE, PEER, PEER_MAC)
