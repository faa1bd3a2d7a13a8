"""Packets for the cases, as layers of scapy with short names; what is not given is the same in all of them."""
import functools

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_EOL, IPOption_NOP, IPOption_Router_Alert
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Padding, Raw

from cases import DST, SRC

P = Raw(bytes(range(64)))  # no frame needs padding, and none begins with what scapy takes for a header
SRC6, DST6 = "2001:db8::1", "2001:db8:1::2"
E = functools.partial(Ether, src=SRC, dst=DST)
I = functools.partial(IP, src="10.0.0.1", dst="10.0.0.2", ttl=9, tos=0x29)
I6 = functools.partial(IPv6, src=SRC6, dst=DST6, hlim=9, tc=0x29, fl=0x12345)
U = functools.partial(UDP, sport=1000, dport=2000)
T = functools.partial(TCP, sport=1000, dport=2000, flags="PA", seq=0x01020304, ack=0x05060708)
S = functools.partial(SCTP, sport=1000, dport=2000, tag=0x01020304)
C = functools.partial(ICMP, type=8, code=0, id=5, seq=7)
C6 = functools.partial(ICMPv6EchoRequest, id=5, seq=7)
A = functools.partial(ARP, op=1, hwsrc="02:00:00:00:00:aa", psrc="10.0.0.1", hwdst="00:00:00:00:00:00", pdst="10.0.0.2")
V = functools.partial(Dot1Q, vlan=100, prio=3)
M = functools.partial(MPLS, label=100, cos=3, s=1, ttl=64)


def label(packet, s=1, **fields):
    """MPLS in front of something: scapy would otherwise take the payload's first nibble for its kind."""
    return Raw(bytes(M(s=s, **fields))) / packet


def chunk():
    """SCTP's payload, a DATA chunk."""
    return Raw(b"\x00\x03\x00\x50" + bytes(12) + bytes(range(64)))
