#!/usr/bin/python3
"""Packets of tunnels, made from the documents by other means than Sluice's, as a C header: struct golden of golden.h.

golden.py OUTPUT
"""
import ipaddress
import struct
import sys

SRC_PORT = 50001
MACS = bytes.fromhex("020000000002020000000001")
INNER_MACS = bytes.fromhex("0a0000000002" "0a0000000001")


def be16(value):
    return struct.pack("!H", value)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def ip4(src, dst, proto, payload, tos=0, ttl=64, df=True):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), 0, 0x4000 if df else 0, ttl, proto, 0,
                       ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed)
    return head[:10] + be16(checksum(head)) + head[12:] + payload


def ip6(src, dst, proto, payload, tos=0, ttl=64, label=0):
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20 | label, len(payload), proto, ttl, ipaddress.ip_address(src).packed,
                       ipaddress.ip_address(dst).packed) + payload


def is6(address):
    return ipaddress.ip_address(address).version == 6


def pseudo(src, dst, proto, length):
    addresses = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    return addresses + (struct.pack("!II", length, proto) if is6(src) else struct.pack("!HH", proto, length))


def udp(src, dst, sport, dport, payload, csum):
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    value = checksum(pseudo(src, dst, 17, len(head + payload)) + head + payload) or 0xffff
    return head[:6] + be16(value if csum else 0) + payload


def gre(proto, payload, csum=False, key=None, seq=None):
    flags = (0x8000 if csum else 0) | (0x2000 if key is not None else 0) | (0x1000 if seq is not None else 0)
    rest = (b"" if key is None else struct.pack("!I", key)) + (b"" if seq is None else struct.pack("!I", seq)) + payload
    head = struct.pack("!HH", flags, proto)
    if csum:
        return head + be16(checksum(head + bytes(4) + rest)) + be16(0) + rest
    return head + rest


def option(cls, kind, value):
    return struct.pack("!HBB", cls, kind, len(value) // 4) + value


def inner_udp4(tos=0):
    return INNER_MACS + be16(0x0800) + ip4("192.168.0.1", "192.168.0.2", 17, udp(
        "192.168.0.1", "192.168.0.2", 1000, 2000, bytes(range(33)), True), tos)


def inner_tcp6(tos=0, label=0):
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 2, 0x50, 0x18, 100, 0, 0) + b"hello"
    value = checksum(pseudo("2001:db8::1", "2001:db8::2", 6, len(tcp)) + tcp)
    return INNER_MACS + bytes.fromhex("8100a005") + be16(0x86dd) + ip6(
        "2001:db8::1", "2001:db8::2", 6, tcp[:16] + be16(value) + tcp[18:], tos, label=label)


INNER_ARP = INNER_MACS + be16(0x0806) + bytes.fromhex("00010800060400010a0000000001c0a80001000000000000c0a80002")
NO_MACS = bytes(12)

CASES, UNDER_WAY = [], []


def case(name, kind, inner, build, src="10.1.0.1", dst="10.1.0.2", popped=None, lines=1, options=b"", values=b"", tos=0,
         ttl=64, port=0, key=0, eth_type=0x6558, pop_gpe=False, proto=47, outer_label=0, segments=(), cases=CASES, **fields):
    """build(inner) is what lies behind the outer IP header, or behind UDP if `port`. `popped`: what comes out, if not `inner`."""
    csum = fields.get("csum", False)
    payload = build(inner)
    if port:
        proto, payload = 17, udp(src, dst, SRC_PORT, port, payload, csum)
    ip = ip6(src, dst, proto, payload, tos, ttl, outer_label) if is6(dst) else ip4(src, dst, proto, payload, tos, ttl)
    outer = MACS + be16(0x86dd if is6(dst) else 0x0800) + ip
    cases.append({"name": name, "type": kind, "src": src, "dst": dst, "inner": inner, "outer": outer,
                  "popped": inner if popped is None else popped, "lines": lines, "options": options, "values": values,
                  "tos": tos, "ttl": ttl, "port": port, "key": key, "eth_type": eth_type, "pop_gpe": pop_gpe,
                  "segments": segments, "fields": fields})


def vxlan(vni, flags=0x08, middle=0, last=0):
    return lambda inner: struct.pack("!BBBBI", flags, middle >> 16 & 0xff, middle >> 8 & 0xff, middle & 0xff,
                                     vni << 8 | last) + inner


def geneve(vni, options=b"", proto=0x6558, oam=False, critical=False):
    return lambda inner: struct.pack("!BBHI", len(options) // 4, (0x80 if oam else 0) | (0x40 if critical else 0), proto,
                                     vni << 8) + options + inner


def srv6(segments, left, following):
    """RFC 8754, 2: the list is the last segment first."""
    addresses = b"".join(ipaddress.ip_address(s).packed for s in reversed(segments))
    return lambda packet: struct.pack("!BBBBBBH", following, len(addresses) // 8, 4, left, len(segments) - 1, 0, 0) + addresses + packet


def without_eth(frame, length=14):
    return frame[length:]


def l3_frame(eth_type, packet):
    return NO_MACS + be16(eth_type) + packet


def cases():
    udp4, tcp6 = inner_udp4(), inner_tcp6()
    v6 = {"src": "fd00::1", "dst": "fd00::2"}
    case("VXLAN", "VXLAN", udp4, vxlan(0x123456), port=4789, key=0x123456)
    case("VXLAN of a tagged frame, all of the VNI", "VXLAN", tcp6, vxlan(0xffffff), port=4790, key=0xffffff, ttl=1, tos=0xb8)
    case("VXLAN of a short frame", "VXLAN", INNER_ARP, vxlan(0), port=4789)
    case("VXLAN over IPv6", "VXLAN", udp4, vxlan(7), port=4789, key=7, tos=0x28, **v6)
    case("VXLAN with a checksum", "VXLAN", tcp6, vxlan(7), port=4789, key=7, csum=True)
    case("VXLAN over IPv6 with a checksum", "VXLAN", INNER_ARP, vxlan(7), port=4789, key=7, csum=True, **v6)
    case("VXLAN with a policy", "VXLAN", udp4, vxlan(7, 0x88, 0x481234), port=4789, key=7, gbp=True, gbp_id=0x1234,
         gbp_flags=0x48)
    case("VXLAN-GPE of a frame", "VXLAN", udp4, vxlan(7, 0x0c, 3), port=4790, key=7, gpe=True, pop_gpe=True)
    case("VXLAN-GPE of IPv4", "VXLAN", udp4, lambda f: vxlan(7, 0x0c, 1)(without_eth(f)), port=4790, key=7, gpe=True,
         pop_gpe=True, eth_type=0x0800, popped=l3_frame(0x0800, udp4[14:]))
    case("VXLAN-GPE of IPv6", "VXLAN", tcp6, lambda f: vxlan(7, 0x0c, 2)(without_eth(f, 18)), port=4790, key=7, gpe=True,
         pop_gpe=True, eth_type=0x86dd, popped=l3_frame(0x86dd, tcp6[18:]))
    case("Geneve", "GENEVE", udp4, geneve(0xabcdef), port=6081, key=0xabcdef)
    case("Geneve over IPv6 with a checksum", "GENEVE", udp4, geneve(1), port=6081, key=1, csum=True, **v6)
    one = option(0x0102, 0x80, bytes.fromhex("00010203"))
    case("Geneve with OVN's option", "GENEVE", udp4, geneve(5, one, critical=True), port=6081, key=5, options=one, lines=2,
         values=bytes.fromhex("00010203"))
    three = option(0x0107, 1, b"not in the table") + one + option(0xffff, 0x7f, bytes(range(16)))
    case("Geneve with options", "GENEVE", tcp6, geneve(5, three, oam=True, critical=True), port=6081, key=5, options=three,
         lines=3, oam=True, values=bytes.fromhex("00010203") + bytes(60) + bytes(range(16)), **v6)
    case("Geneve of IPv4", "GENEVE", udp4, lambda f: geneve(5, b"", 0x0800)(without_eth(f)), port=6081, key=5,
         eth_type=0x0800, popped=l3_frame(0x0800, udp4[14:]))
    case("GRE", "GRE", udp4, lambda f: gre(0x6558, f))
    case("GRE with a key", "GRE", tcp6, lambda f: gre(0x6558, f, key=0xfedcba98), key=0xfedcba98, has_key=True)
    case("GRE with everything", "GRE", udp4, lambda f: gre(0x6558, f, True, 9, 0), key=9, has_key=True, csum=True, seq=True)
    case("GRE with a checksum over IPv6", "GRE", INNER_ARP, lambda f: gre(0x6558, f, True), csum=True, **v6)
    case("GRE of IPv6", "GRE", tcp6, lambda f: gre(0x86dd, without_eth(f, 18)), eth_type=0x86dd,
         popped=l3_frame(0x86dd, tcp6[18:]))
    case("ERSPAN I", "ERSPAN", udp4, lambda f: gre(0x88be, f))
    case("ERSPAN II", "ERSPAN", udp4, lambda f: gre(0x88be, struct.pack("!HHI", 0x1000, 0x3ff, 0xfffff) + f, seq=0), key=0x3ff,
         erspan_ver=1, erspan=0xfffff)
    case("ERSPAN III over IPv6", "ERSPAN", udp4, lambda f: gre(
        0x22eb, struct.pack("!HHIHH", 0x2000, 5, 0, 0, 0x8000 | 0x2a << 4 | 1 << 3) + f, seq=0), key=5, erspan_ver=2,
        erspan=1 << 24 | 0x2a << 25, **v6)
    case("GTP-U", "GTPU", udp4, lambda f: struct.pack("!BBHI", 0x30, 255, len(f) - 14, 0xdeadbeef) + f[14:], port=2152,
         key=0xdeadbeef, eth_type=0x0800, popped=l3_frame(0x0800, udp4[14:]), gtpu_flags=0x30, gtpu_msgtype=255)
    case("GTP-U with sequence numbers", "GTPU", tcp6, lambda f: struct.pack(
        "!BBHIHBB", 0x32, 255, len(f) - 14, 0x01020304, 0, 0, 0) + f[18:], port=2152, key=0x01020304, seq=True,
        eth_type=0x86dd, popped=l3_frame(0x86dd, tcp6[18:]), gtpu_flags=0x32, gtpu_msgtype=255, **v6)


def segment_routing():
    udp4, tcp6, labelled = inner_udp4(), inner_tcp6(), inner_tcp6(label=0xabcde)
    v6 = {"src": "fd00::1", "dst": "fd00::2", "proto": 43}
    way = ["fd00::2", "2001:db8:1::3", "2001:db8:2::4", "2001:db8:3::5", "2001:db8:4::6", "fd00::9"]
    case("SRv6 of IPv4", "SRV6", udp4, lambda f: srv6(["fd00::2"], 0, 4)(f[14:]), eth_type=0x0800, popped=l3_frame(0x0800, udp4[14:]),
         tos=0x28, ttl=9, **v6)
    case("SRv6 of IPv6", "SRV6", tcp6, lambda f: srv6(["fd00::2"], 0, 41)(f[18:]), eth_type=0x86dd,
         popped=l3_frame(0x86dd, tcp6[18:]), **v6)
    case("SRv6 with the label inside", "SRV6", labelled, lambda f: srv6(["fd00::2"], 0, 41)(f[18:]), eth_type=0x86dd,
         popped=l3_frame(0x86dd, labelled[18:]), outer_label=0xabcde, tos=0xfc, **v6)
    case("SRv6 without a label", "SRV6", labelled, lambda f: srv6(["fd00::2"], 0, 41)(f[18:]), eth_type=0x86dd,
         popped=l3_frame(0x86dd, labelled[18:]), label="TUNNEL_LABEL_ZERO", **v6)
    for n in range(2, len(way) + 1):
        case("SRv6 by %d segments" % n, "SRV6", udp4, lambda f, n=n: srv6(way[:n], n - 1, 4)(f[14:]), eth_type=0x0800,
             popped=l3_frame(0x0800, udp4[14:]), segments=way[:n], cases=UNDER_WAY, **v6)


def c_bytes(data):
    return "(const uint8_t[]){%s}" % ", ".join(str(b) for b in data) if data else "NULL"


def c_address(text):
    address = ipaddress.ip_address(text).packed
    return "{%s}" % ", ".join(str(b) for b in (address if len(address) == 16 else bytes(10) + b"\xff\xff" + address))


def c_case(c):
    fields = "".join(", .%s = %s" % (name, value if isinstance(value, str) else int(value)) for name, value in c["fields"].items())
    if c["segments"]:
        addresses = ", ".join(c_address(s) for s in c["segments"])
        fields += ", .segments = (const uint8_t[][16]){%s}, .n_segments = %d" % (addresses, len(c["segments"]))
    out = ("{.type = TUNNEL_%s, .df = true, .eth_dst = {{2, 0, 0, 0, 0, 2}}, .eth_src = {{2, 0, 0, 0, 0, 1}}, .src = %s, .dst = %s, "
           ".tos = %d, .ttl = %d, .udp_dst = RTE_BE16(%d), .key = RTE_BE64(UINT64_C(%d)), .eth_type = RTE_BE16(%d), "
           ".options = %s, .options_len = %d%s}") % (
               c["type"], c_address(c["src"]), c_address(c["dst"]), c["tos"], c["ttl"], c["port"], c["key"], c["eth_type"],
               c_bytes(c["options"]), len(c["options"]), fields)
    return ('    {.name = "%s", .out = %s, .gpe = %d, .inner = %s, .inner_len = %d, .outer = %s, .outer_len = %d, .popped = %s, '
            ".popped_len = %d, .lines = %d, .values = %s, .values_len = %d},\n") % (
                c["name"], out, c["pop_gpe"], c_bytes(c["inner"]), len(c["inner"]), c_bytes(c["outer"]), len(c["outer"]),
                c_bytes(c["popped"]), len(c["popped"]), c["lines"], c_bytes(c["values"]), len(c["values"]))


def main():
    cases()
    segment_routing()
    with open(sys.argv[1], "w") as output:
        output.write("/* Made by golden.py. Those under way are not for this host yet. */\n")
        for name, made in (("goldens", CASES), ("goldens_under_way", UNDER_WAY)):
            output.write("__rte_unused static const struct golden %s[] = {\n" % name)
            for c in made:
                output.write(c_case(c))
            output.write("};\n")


if __name__ == "__main__":
    main()
