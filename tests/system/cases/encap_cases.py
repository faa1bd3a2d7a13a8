"""encap and decap, NSH: what is put on, what is taken off, and what is looked at behind that."""
from cases import SRC, case, either
from packets import *

ZERO = "00:00:00:00:00:00"
INNER_MAC = "02:00:00:00:00:33"


def nsh(rest, ttl=63, flags=0, proto=3, spi=0, si=255, context=(0, 0, 0, 0), tlvs=None):
    """RFC 8300, 2.2: MD type 1, or 2 if there are TLVs."""
    data = b"".join(c.to_bytes(4, "big") for c in context) if tlvs is None else tlvs
    first = flags << 28 | ttl << 22 | (8 + len(data)) // 4 << 16 | (1 if tlvs is None else 2) << 8 | proto
    return Raw(first.to_bytes(4, "big") + (spi << 8 | si).to_bytes(4, "big") + data) / rest


def outer(**fields):
    return Ether(**dict(dict(src=SRC, dst=DST, type=0x894f), **fields))


UDP4, UDP6 = I() / U() / P, I6() / U() / P


def encap_cases():
    frame = E() / UDP4
    bare = Ether(src=ZERO, dst=ZERO, type=0x894f)
    yield case("encap(nsh)", "actions=encap(nsh),output:2", frame, {2: bare / nsh(frame)})
    yield case("encap(nsh) and its fields",
               "actions=encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,set_field:250->nsh_si,set_field:17->nsh_ttl,set_field:1->nsh_c1,"
               "set_field:0x44/0xff->nsh_c4,encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,set_field:02:00:00:00:00:78->eth_src,output:2",
               frame, {2: Ether(src="02:00:00:00:00:78", dst="02:00:00:00:00:77", type=0x894f) / nsh(frame, spi=0x1234, si=250, ttl=17, context=(1, 0, 0, 0x44))})
    yield case("encap(nsh) with TLVs",
               "actions=encap(nsh(md_type=2,tlv(0x1000,10,0x12345678),tlv(0x2000,20,0xfedcba))),dec_nsh_ttl,encap(ethernet),output:2",
               frame, {2: bare / nsh(frame, ttl=62, tlvs=bytes.fromhex("10000a04 12345678 20001403 fedcba00"))})
    yield case("a TTL and a port go into the service header",
               "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],encap(nsh),move:NXM_NX_REG0[0..15]->NXOXM_NSH_C2[16..31],output:2",
               frame, {2: bare / nsh(frame, context=(0, 2000 << 16, 0, 0))})
    yield case("decap, then encap(nsh): of IPv4", "ip,actions=decap(),encap(nsh),output:2", frame, {2: bare / nsh(UDP4, proto=1)})
    yield case("decap, then encap(nsh): of IPv6", "ipv6,actions=decap(),encap(nsh),output:2", E() / UDP6, {2: bare / nsh(UDP6, proto=2)})
    yield case("encap(nsh) for one port alone", "actions=clone(encap(nsh),output:2),output:3", frame, {2: bare / nsh(frame), 3: frame})
    yield case("decap: a frame without addresses", "ip,actions=decap(),output:2", frame, {2: Ether(src=ZERO, dst=ZERO) / UDP4})
    yield case("decap, encap(ethernet): new addresses", "ipv6,actions=decap(),encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,output:2",
               E() / UDP6, {2: Ether(src=ZERO, dst="02:00:00:00:00:77") / UDP6})
    yield case("encap(mpls) of a whole frame",
               "actions=encap(mpls),set_field:5->mpls_label,set_mpls_ttl(9),encap(ethernet),set_field:02:00:00:00:00:77->eth_dst,output:2",
               frame, {2: Ether(src=ZERO, dst="02:00:00:00:00:77", type=0x8847) / label(frame, label=5, cos=0, ttl=9)})
    yield case("encap(mpls_mc)", "actions=encap(mpls_mc),set_mpls_ttl(9),encap(ethernet),output:2", frame, {2: Ether(src=ZERO, dst=ZERO, type=0x8848) / label(frame, label=0, cos=0, ttl=9)})
    yield case("encap(ethernet) of a frame goes nowhere", "actions=encap(ethernet),output:2", frame, {})
    yield case("decap of a tagged frame goes nowhere", "dl_vlan=100,actions=decap(),output:2", E() / V() / UDP4, {})


def decap_cases():
    inner = Ether(src=INNER_MAC, dst=DST) / UDP4
    chain = outer() / nsh(inner, spi=0x1234, si=250, context=(1, 2, 3, 4))
    yield case("two decaps, and what is inside", ["dl_type=0x894f,actions=decap(),decap(),resubmit(,{t})",
               "table={t},udp,dl_src=%s,udp_dst=2000,actions=load:7->OXM_OF_UDP_DST[],output:2" % INNER_MAC],
               chain, {2: Ether(src=INNER_MAC, dst=DST) / I() / U(dport=7) / P})
    yield case("decap with a resubmit in between: packet_type", ["dl_type=0x894f,actions=decap(),resubmit(,{t})",
               "table={t},packet_type=(1,0x894f),nsh_spi=0x1234,nsh_c2=2,actions=decap(),resubmit(,{u})",
               "table={u},ip,nw_dst=10.0.0.2,actions=dec_ttl,output:2"], chain, {2: Ether(src=INNER_MAC, dst=DST) / I(ttl=8) / U() / P})
    yield case("an IPv4 packet inside", ["dl_type=0x894f,actions=decap(),decap(),resubmit(,{t})",
               "table={t},packet_type=(1,0x800),nw_dst=10.0.0.2,actions=encap(ethernet),set_field:%s->eth_dst,output:2" % INNER_MAC],
               outer() / nsh(UDP4, proto=1), {2: Ether(src=ZERO, dst=INNER_MAC) / UDP4})
    yield case("metadata of type 2", ["dl_type=0x894f,nsh_mdtype=2,actions=decap(),decap(),output:2"], outer() / nsh(inner,
               tlvs=bytes.fromhex("10000a04 12345678")), {2: inner})
    yield case("a service header goes on to the next hop",
               "dl_type=0x894f,nsh_spi=0x1234,actions=dec_nsh_ttl,set_field:249->nsh_si,move:NXOXM_NSH_C1[]->NXOXM_NSH_C3[],"
               "load:9->NXOXM_NSH_C4[0..7],"
               "set_field:02:00:00:00:00:77->eth_dst,output:2", chain, {2: outer(dst="02:00:00:00:00:77") / nsh(inner, ttl=62, spi=0x1234, si=249,
               context=(1, 2, 1, 9))})
    yield case("an expired service header goes nowhere", "dl_type=0x894f,actions=dec_nsh_ttl,output:2", outer() / nsh(inner, ttl=1), {})
    yield case("mpls with Ethernet inside", ["mpls,actions=decap(),decap(packet_type(ns=0,type=0)),resubmit(,{t})",
               "table={t},udp,dl_src=%s,actions=dec_ttl,output:2" % INNER_MAC],
               E(type=0x8847) / label(inner), {2: Ether(src=INNER_MAC, dst=DST) / I(ttl=8) / U() / P})
    yield case("mpls with IPv4 inside", ["mpls,actions=decap(),decap(packet_type(ns=1,type=0x800)),resubmit(,{t})",
               "table={t},packet_type=(1,0x800),nw_ttl=9,actions=encap(ethernet),set_field:%s->eth_src,output:2" % INNER_MAC],
               E(type=0x8847) / label(UDP4), {2: Ether(src=INNER_MAC, dst=ZERO) / UDP4})


def match_cases():
    inner = Ether(src=INNER_MAC, dst=DST) / UDP4
    n = lambda **more: outer() / nsh(inner, **more)
    yield from either("", "dl_type=0x894f,nsh_spi=0x1234,nsh_si=250", n(spi=0x1234, si=250), [n(spi=0x1235, si=250), n(spi=0x1234, si=249)],
                      since="OpenFlow13")
    yield from either("", "dl_type=0x894f,nsh_ttl=63,nsh_np=3,nsh_mdtype=1", n(), [n(ttl=62), n(proto=1), n(tlvs=b"")], since="OpenFlow13")
    yield from either("", "dl_type=0x894f,nsh_flags=2", n(flags=2), n(), since="OpenFlow13")
    for i in range(4):
        context = lambda value: n(context=tuple(value if k == i else 0x99 for k in range(4)))
        yield from either("", "dl_type=0x894f,nsh_c%d=0x1200/0xff00" % (i + 1), context(0x1234), context(0x1334), since="OpenFlow13")


def since13(cases):
    """These actions are of OpenFlow 1.3 and later."""
    for one in cases:
        one.since = "OpenFlow13"
        yield one


CASES = [*since13(encap_cases()), *since13(decap_cases()), *match_cases()]
