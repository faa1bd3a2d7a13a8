"""Fields that are matched: what has the value goes one way, what has another one the other."""
from cases import either
from packets import *


def ip_cases():
    for name, ip, tos, ttl in (("ip", I, "tos", "ttl"), ("ipv6", I6, "tc", "hlim")):
        p = lambda **more: E() / ip(**more) / U() / P
        yield from either("", name + ",nw_ttl=9", p(), p(**{ttl: 8}))
        yield from either("", name + ",nw_tos=0x28", [p(), p(**{tos: 0x2b})], p(**{tos: 0x2d}))
        yield from either("", name + ",nw_ecn=1", p(), p(**{tos: 0x28}))
    yield from either("", "ip,nw_src=10.0.0.0/255.0.255.0,nw_dst=0.0.0.2/0.0.0.3", [E() / I() / U() / P, E() / I(src="10.7.0.9", dst="1.2.3.6") / P],
                      [E() / I(src="10.0.1.1") / P, E() / I(dst="10.0.0.1") / P])
    yield from either("", "ipv6,ipv6_src=2001::1/ffff::ffff", [E() / I6() / U() / P, E() / I6(src="2001:7::1") / P],
                      [E() / I6(src="2001:db8::2") / P, E() / I6(src="2002:db8::1") / P])
    yield from either("", "ipv6,ipv6_label=0x12000/0xff000", E() / I6() / U() / P, E() / I6(fl=0x13345) / U() / P)
    first, later, whole = (E() / I(flags="MF") / U() / P, E() / I(frag=1, proto=17) / P, E() / I() / U() / P)
    yield from either("", "ip,nw_frag=yes", [first, later], whole)
    yield from either("", "ip,nw_frag=no", whole, [first, later])
    yield from either("", "ip,nw_frag=first", first, [later, whole])
    yield from either("", "ip,nw_frag=later", later, [first, whole])
    yield from either("", "ip,nw_frag=not_later", [first, whole], later)
    yield from either("no fragment has ports", "udp,udp_dst=0", [first, later], whole)
    yield from either("no fragment has ports", "udp,udp_dst=2000", whole, [first, later])
    fragment = lambda **more: E() / I6() / IPv6ExtHdrFragment(nh=17, **more)
    first, later, whole = (fragment(m=1) / U(len=100) / P, fragment(offset=8) / P, E() / I6() / U() / P)
    yield from either("", "ipv6,nw_frag=first", first, [later, whole])
    yield from either("", "ipv6,nw_frag=later", later, [first, whole])
    yield from either("no fragment has ports", "ipv6,nw_proto=17,udp_dst=0", first, [later, whole])
    yield from either("a later fragment is of protocol 44", "ipv6,nw_proto=44", later, [first, whole])
    yield from either("a protocol behind extension headers", "udp6,udp_dst=2000",
                      E() / I6() / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / U() / P,
                      [E() / I6() / IPv6ExtHdrHopByHop() / U(dport=7) / P, E() / I6() / IPv6ExtHdrHopByHop() / T() / P])


def l4_cases():
    t = lambda flags: E() / I() / T(flags=flags) / P
    yield from either("", "tcp,tcp_flags=+syn-ack", [t("S"), t("SPU")], [t("SA"), t("A"), t("")])
    yield from either("", "tcp,tcp_flags=0x012", t("SA"), [t("S"), t("SAP")])
    yield from either("", "tcp6,tcp_flags=+rst", E() / I6() / T(flags="R") / P, E() / I6() / T(flags="A") / P)
    for name, layer, ip, payload in (("udp", U, I, P), ("udp6", U, I6, P), ("tcp", T, I, P), ("tcp6", T, I6, P), ("sctp", S, I, chunk()), ("sctp6",
                                     S, I6, chunk())):
        p = lambda **more: E() / ip() / layer(**more) / payload
        yield from either("", "%s,tp_src=1000,tp_dst=0x7d0/0xfff0" % name, [p(), p(dport=0x7df)], [p(dport=0x7e0), p(sport=1001)])
    yield from either("", "icmp,icmp_type=8,icmp_code=0", E() / I() / C() / P, [E() / I() / C(type=0) / P, E() / I() / C(code=1) / P])
    yield from either("", "icmp6,icmp_type=128,icmp_code=0", E() / I6() / C6() / P, [E() / I6() / C6(type=129) / P, E() / I6() / C6(code=1) / P])


def neighbour_cases():
    a = lambda **more: E() / A(**more) / P
    yield from either("", "arp,arp_op=2", a(op=2), a())
    yield from either("", "arp,arp_spa=10.0.0.0/24,arp_tpa=10.0.0.2", a(psrc="10.0.0.77"), [a(psrc="10.0.1.1"), a(pdst="10.0.0.3")])
    yield from either("", "arp,arp_sha=02:00:00:00:00:aa,arp_tha=00:00:00:00:00:00/01:00:00:00:00:00", a(hwdst="02:00:00:00:00:01"),
                      [a(hwsrc="02:00:00:00:00:ab"), a(hwdst="ff:ff:ff:ff:ff:ff")])
    six = functools.partial(I6, hlim=255)
    ns = lambda mac="02:00:00:00:00:aa", **more: E() / six() / ICMPv6ND_NS(**dict(dict(tgt="fe80::1"), **more)) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    na = lambda mac="02:00:00:00:00:aa", **more: E() / six() / ICMPv6ND_NA(**dict(dict(tgt="fe80::1"), **more)) / ICMPv6NDOptDstLLAddr(lladdr=mac)
    yield from either("", "icmp6,icmp_type=135,nd_target=fe80::1/ffff::ff", [ns(), ns(tgt="fe80:1::1:1")], [ns(tgt="fe80::2"), na()])
    yield from either("", "icmp6,icmp_type=135,nd_sll=02:00:00:00:00:aa", ns(), [ns("02:00:00:00:00:ab"),
                      E() / six() / ICMPv6ND_NS(tgt="fe80::1") / P])
    yield from either("", "icmp6,icmp_type=136,nd_tll=02:00:00:00:00:aa", na(), na("02:00:00:00:00:ab"))
    yield from either("", "icmp6,icmp_type=136,nd_reserved=0x60000000,nd_options_type=2", na(R=0, S=1, O=1), na(R=1, S=1, O=1))


def tag_cases():
    udp = I() / U() / P
    yield from either("", "dl_vlan=100,dl_vlan_pcp=3", E() / V() / udp, [E() / V(prio=2) / udp, E() / V(vlan=101) / udp, E() / udp])
    yield from either("", "vlan_tci=0x1064/0x1fff", [E() / V() / udp, E() / V(prio=7) / udp], [E() / V(vlan=101) / udp, E() / udp])
    yield from either("", "vlan_tci=0x1000/0x1000", [E() / V() / udp, E() / V(vlan=0) / udp], E() / udp)
    yield from either("the outer tag of two", "dl_vlan=7,ip", E() / V(vlan=7) / udp, E() / V() / V(vlan=7) / udp)
    m = lambda s=1, **more: E(type=0x8847) / label(udp, s=s, **more)
    two = E(type=0x8847) / label(label(udp, label=200), s=0)
    yield from either("", "mpls,mpls_label=100,mpls_tc=3", [m(), two], [m(label=101), m(cos=2)])
    yield from either("", "mpls,mpls_bos=0", two, m())
    yield from either("", "mpls,mpls_ttl=64", m(), m(ttl=63))
    yield from either("", "mplsm", E(type=0x8848) / label(udp), m())


def ethernet_cases():
    udp = I() / U() / P
    yield from either("", "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", [E(dst="ff:ff:ff:ff:ff:ff") / udp, E(dst="01:80:c2:00:00:0e") / udp],
                      E() / udp)
    yield from either("", "dl_type=0x88b5", E(type=0x88b5) / P, E(type=0x88b4) / P)
    yield from either("a length and LLC", "dl_type=0x05ff", Raw(bytes(E(type=0x88b5))[:12]) / Raw(b"\x00\x40\x42\x42\x03") / P, E(type=0x88b5) / P)
    yield from either("a length and SNAP", "dl_type=0x88b7", Raw(bytes(E(type=0x88b5))[:12]) / Raw(b"\x00\x48\xaa\xaa\x03\x00\x00\x00\x88\xb7") / P,
                      E(type=0x88b5) / P)


CASES = [one for some in (ip_cases, l4_cases, neighbour_cases, tag_cases, ethernet_cases) for one in some()]
