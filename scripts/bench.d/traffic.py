"""Packets as pcap files, for net_pcap with infinite_rx: the file is received over and over.

Every function writes a file and returns the number of packets in it. A file has at least 1024 packets, flows in random order, so that a
burst holds different flows whenever there are any.
"""
import random
import struct

PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
ETH_DST, ETH_SRC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
MIN_PACKETS = 1024
UDP, TCP = 17, 6


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def write(path, packets, order):
    """The packets in the order of their indices."""
    records = [struct.pack("<IIII", 0, 0, len(p), len(p)) + p for p in packets]
    with open(path, "wb") as file:
        file.write(PCAP_HEADER)
        part = []
        for index in order:
            part.append(records[index])
            if len(part) == 65536:
                file.write(b"".join(part))
                part.clear()
        file.write(b"".join(part))
    return len(order)


def shuffled(flows, seed=7):
    order = [i % flows for i in range(max(flows, MIN_PACKETS))]
    random.Random(seed).shuffle(order)
    return order


class Ipv4:
    """Makes frames of one protocol and size. The header checksum is that of the constant part plus what changes: a million
    frames take seconds."""

    def __init__(self, size=64, proto=UDP, vlan=None, eth_dst=ETH_DST, eth_src=ETH_SRC, tcp_flags=0x10, ttl=64):
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
        l4_len = size - 4 - 14 - len(tag) - 20
        self.head = eth_dst + eth_src + tag + b"\x08\x00" + struct.pack("!BBHHHBB", 0x45, 0, 20 + l4_len, 0, 0, ttl, proto)
        self.constant = sum(struct.unpack("!5H", self.head[-10:]))
        if proto == UDP:
            self.tail = struct.pack("!HH", l4_len, 0) + bytes(l4_len - 8)
        else:
            self.tail = struct.pack("!IIBBHHH", 1, 1, 0x50, tcp_flags, 8192, 0, 0) + bytes(l4_len - 20)

    def frame(self, src, dst, sport, dport):
        total = self.constant + (src >> 16) + (src & 0xFFFF) + (dst >> 16) + (dst & 0xFFFF)
        total = (total & 0xFFFF) + (total >> 16)
        total = ~(total + (total >> 16)) & 0xFFFF
        return self.head + struct.pack("!HIIHH", total, src, dst, sport, dport) + self.tail


def flow_tuple(flow):
    """Addresses and ports of flow number `flow`: sources spread over 10.0.0.0/16, destinations over 11.0.0.0/16."""
    return (0x0A000000 | ((flow * 2654435761) & 0xFFFF), 0x0B000000 | ((flow >> 2) & 0xFFFF), 1024 + flow % 50000,
            80 + (flow // 50000) % 50000)


def udp(path, flows, size=64):
    """Distinct UDP/IPv4 5-tuples, each once."""
    maker = Ipv4(size)
    return write(path, [maker.frame(*flow_tuple(i)) for i in range(flows)], shuffled(flows))


def ipv6_frame(flow, proto, dport, size=78):
    l4_len = size - 4 - 14 - 40
    src = struct.pack("!QQ", 0x20010DB8000A0000, flow)
    dst = struct.pack("!QQ", 0x20010DB800000000 | flow % 64, flow * 7919)
    l4 = struct.pack("!HHHH", 1024 + flow % 50000, dport, l4_len, 0) if proto == UDP else struct.pack(
        "!HHIIBBHHH", 1024 + flow % 50000, dport, 1, 1, 0x50, 0x10, 8192, 0, 0)
    return (mix_mac(flow) + ETH_SRC + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, l4_len, proto, 64) + src + dst +
            l4).ljust(size - 4, b"\0")


def arp_frame(flow):
    return (b"\xff" * 6 + ETH_SRC + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + ETH_SRC +
            struct.pack("!I", 0x0A000000 | flow) + bytes(6) + struct.pack("!I", 0x0B000000 | flow % 256)).ljust(60, b"\0")


def mix_mac(flow):
    return bytes.fromhex("0200000001") + bytes([flow % 16])


def mix(path, flows):
    """What a port of a data centre sees: of ten flows four are TCP with various flags, two UDP, two IPv6, one tagged TCP and one ARP."""
    packets = []
    for i in range(flows):
        src, dst, sport, dport = flow_tuple(i)
        dst = 0x0B000000 | (i % 256) << 8 | (i >> 8) & 0xFF
        kind = i % 10
        if kind < 4:
            flags = (0x02, 0x10, 0x18, 0x11)[kind]
            packets.append(Ipv4(64, TCP, eth_dst=mix_mac(i), tcp_flags=flags).frame(src, dst, sport, 80 + i % 8))
        elif kind < 6:
            packets.append(Ipv4(64, eth_dst=mix_mac(i)).frame(src, dst, sport, 53 if kind == 4 else 4000 + i % 100))
        elif kind < 8:
            packets.append(ipv6_frame(i, TCP if kind == 6 else UDP, 443))
        elif kind == 8:
            packets.append(Ipv4(68, TCP, vlan=100 + i % 16, eth_dst=mix_mac(i)).frame(src, dst, sport, 80))
        else:
            packets.append(arp_frame(i))
    return write(path, packets, shuffled(flows))


def of_tuples(path, tuples):
    """One frame each of (proto, src, dst, sport, dport)."""
    makers = {UDP: Ipv4(64, UDP), TCP: Ipv4(64, TCP)}
    return write(path, [makers[t[0]].frame(*t[1:]) for t in tuples], shuffled(len(tuples)))


ATTACK_GOOD_FLOWS = 1000
ATTACK_VARIANTS = 8
ATTACK_GOOD_PER_BAD = 7


def attack(path, with_attack, variants=ATTACK_VARIANTS):
    """1000 good flows that carry seven of eight packets. The rest is an attack on rules.attack(): each packet differs from
    the rules' addresses and port at another combination of bits (32 x 16 x 16 places), the bits behind are random. Without the attack
    these packets belong to good flows too, so that the rate of good packets can be compared.
    """
    rnd = random.Random(5)
    maker = Ipv4()
    packets = [maker.frame(*flow_tuple(i)) for i in range(ATTACK_GOOD_FLOWS)]
    order = []
    bad = len(packets)

    def differ(value, width, bit):
        """Agrees in the first `bit` bits, differs in the next, random behind."""
        shift = width - 1 - bit
        return (value >> shift ^ 1) << shift | rnd.getrandbits(32) & ((1 << shift) - 1)

    if with_attack:
        for i in range(32):
            for j in range(16):
                for k in range(16):
                    for _ in range(variants):
                        packets.append(maker.frame(differ(0x14000001, 32, i), differ(0x15000001, 32, j + 16), 1024,
                                                   differ(7777, 16, k)))
    n_bad = 32 * 16 * 16 * variants
    for i in range(n_bad):
        order.append(bad + i if with_attack else rnd.randrange(ATTACK_GOOD_FLOWS))
        order.extend(rnd.randrange(ATTACK_GOOD_FLOWS) for _ in range(ATTACK_GOOD_PER_BAD))
    rnd.shuffle(order)
    return write(path, packets, order)
