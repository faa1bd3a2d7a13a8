"""Fields that are changed, by every action that changes them, and the checksums behind it: scapy computes anew what must come out."""
from cases import DST, SRC, case
from packets import *

L4 = {"udp": (U, P), "tcp": (T, P), "sctp": (S, chunk())}
FIELD = {"udp": "UDP", "tcp": "TCP", "sctp": "SCTP"}
OTHER6 = "fd00::aaaa:1"
MAC = "02:00:00:00:00:99"


def l4_cases():
    """Ports, and addresses below them, behind no tag and behind one."""
    for name, (layer, payload) in L4.items():
        dst = "OXM_OF_%s_DST[]" % FIELD[name]
        src = "OXM_OF_%s_SRC[]" % FIELD[name]
        for tag in (None, V()):
            e = E() / tag if tag else E()
            what = "%s%s" % (name, " in a VLAN" if tag else "")
            yield case(what + ": load of ports", "%s,actions=load:7->%s,load:0xffff->%s,output:2" % (name, dst, src),
                       e / I() / layer() / payload, {2: e / I() / layer(sport=65535, dport=7) / payload})
            yield case(what + ": addresses of IPv4", name + ",actions=load:0xc0a80707->NXM_OF_IP_SRC[],load:0x09->NXM_OF_IP_DST[24..31],output:2",
                       e / I() / layer() / payload, {2: e / I(src="192.168.7.7", dst="9.0.0.2") / layer() / payload})
            yield case(what + "6: load of ports", "%s6,actions=load:7->%s,load:1->%s,output:2" % (name, dst, src),
                       e / I6() / layer() / payload, {2: e / I6() / layer(sport=1, dport=7) / payload})
            yield case(what + "6: addresses", "%s6,actions=set_field:%s->ipv6_src,set_field:%s->ipv6_dst,output:2" % (name, OTHER6, OTHER6),
                       e / I6() / layer() / payload, {2: e / I6(src=OTHER6, dst=OTHER6) / layer() / payload})
        # Over OpenFlow 1.0 ovs-ofctl leaves such masks out.
        yield case(name + ": masked set_field",
                   name + ",actions=set_field:0x0050/0x00f0->%s_dst,set_field:10.9.0.0/255.255.0.0->ip_dst,output:2" % name,
                   E() / I() / layer() / payload, {2: E() / I(dst="10.9.0.2") / layer(dport=2000 & ~0xf0 | 0x50) / payload}, since="OpenFlow13")
        yield case(name + "6: masked set_field of addresses", name + "6,actions=set_field:ff:0:0:0:0:0:0:9/ffff::ff->ipv6_dst,output:2",
                   E() / I6() / layer() / payload, {2: E() / I6(dst="ff:db8:1::9") / layer() / payload})
        yield case(name + ": move of parts", "%s,actions=move:NXM_OF_IP_SRC[0..15]->%s,move:%s->NXM_OF_IP_DST[8..23],output:2" % (name, src, dst),
                   E() / I(src="10.0.3.4") / layer() / payload, {2: E() / I(src="10.0.3.4", dst="10.7.208.2") / layer(sport=0x304) / payload})
        yield case(name + ": all at once, with a TTL",
                   name + ",actions=dec_ttl,load:7->%s,load:1->NXM_OF_IP_TOS[2..7],load:5->NXM_OF_IP_SRC[],load:2->NXM_NX_IP_ECN[],output:2" % dst,
                   E() / I() / layer() / payload, {2: E() / I(ttl=8, tos=6, src="0.0.0.5") / layer(dport=7) / payload})
    yield case("mod_ of OpenFlow 1.0",
               "udp,actions=mod_dl_dst:02:00:00:00:00:22,mod_nw_src:1.2.3.4,mod_nw_dst:5.6.7.8,mod_nw_tos:184,mod_tp_src:9,mod_tp_dst:8,output:2",
               E() / I() / U() / P, {2: E(dst="02:00:00:00:00:22") / I(src="1.2.3.4", dst="5.6.7.8", tos=0xb9) / U(sport=9, dport=8) / P})
    yield case("stack: addresses and ports change places",
               "tcp,actions=push:NXM_OF_IP_SRC[],push:NXM_OF_IP_DST[],pop:NXM_OF_IP_SRC[],pop:NXM_OF_IP_DST[],"
               "push:NXM_OF_TCP_SRC[],push:NXM_OF_TCP_DST[],pop:NXM_OF_TCP_SRC[],pop:NXM_OF_TCP_DST[],output:2",
               E() / I() / T() / P, {2: E() / I(src="10.0.0.2", dst="10.0.0.1") / T(sport=2000, dport=1000) / P})
    yield case("stack: deep", "udp,actions=push:NXM_OF_UDP_SRC[],push:NXM_NX_REG0[],push:NXM_OF_UDP_DST[0..3],push:NXM_OF_ETH_DST[0..7],"
               "pop:NXM_OF_IP_DST[0..7],pop:NXM_OF_IP_DST[8..11],pop:NXM_OF_IP_DST[16..23],pop:NXM_OF_UDP_DST[],output:2",
               E() / I() / U(dport=0x7d5) / P, {2: E() / I(dst="10.0.5.221") / U(dport=1000) / P})


def adjusted(checksum, before, after):
    """RFC 1624, equation 3, for one word."""
    total = (0xFFFF - checksum) + (0xFFFF - before) + after
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def checksum_cases():
    port = Ether(bytes(E() / I() / U(dport=0) / P))[UDP].chksum  # with it the sum is 0xffff
    yield case("a UDP checksum that comes out as 0 is sent as 0xffff", "udp,actions=load:%d->NXM_OF_UDP_DST[],output:2" % port,
               E() / I() / U() / P, {2: E() / I() / U(dport=port, chksum=0xffff) / P})
    yield case("UDP without a checksum keeps none", "udp,actions=load:7->NXM_OF_UDP_DST[],load:5->NXM_OF_IP_SRC[],output:2",
               E() / I() / U(chksum=0) / P, {2: E() / I(src="0.0.0.5") / U(chksum=0, dport=7) / P})
    yield case("UDP over IPv6 without a checksum keeps none", "udp6,actions=load:7->OXM_OF_UDP_DST[],set_field:%s->ipv6_src,output:2" % OTHER6,
               E() / I6() / U(chksum=0) / P, {2: E() / I6(src=OTHER6) / U(chksum=0, dport=7) / P})
    options = [IPOption_Router_Alert(), IPOption_NOP(), IPOption_EOL()]
    yield case("IPv4 and TCP with options", "tcp,actions=load:7->NXM_OF_TCP_DST[],load:5->NXM_OF_IP_SRC[],dec_ttl,output:2",
               E() / I(options=options) / T(options=[("MSS", 1460), ("NOP", None)]) / P,
               {2: E() / I(options=options, src="0.0.0.5", ttl=8) / T(dport=7, options=[("MSS", 1460), ("NOP", None)]) / P})
    padded = lambda **more: E() / I(**more) / U(dport=7) / Raw(b"short") / Padding(bytes(range(40)))
    yield case("what pads a frame is in no checksum", "udp,actions=load:5->NXM_OF_IP_DST[],output:2", padded(), {2: padded(dst="0.0.0.5")})
    yield case("a checksum that was wrong stays as wrong", "udp,actions=load:7->NXM_OF_UDP_DST[],output:2",
               E() / I() / U(chksum=0x1234) / P, {2: E() / I() / U(dport=7, chksum=adjusted(0x1234, 2000, 7)) / P})


def fragment_cases():
    """A first fragment has ports and the checksum of the whole; later ones have neither."""
    six = lambda **more: I6() / IPv6ExtHdrFragment(nh=17, **more)
    for name, first, later in (("udp", I(flags="MF", proto=17), I(frag=8, proto=17)), ("udp6", six(m=1), six(offset=8))):
        ip = "ipv6" if name == "udp6" else "ip"
        yield case("first fragment: " + name, name + ",nw_frag=first,actions=load:7->OXM_OF_UDP_DST[],output:2", E() / first / U(len=200,
                   chksum=0xabcd) / P,
                   {2: E() / first / U(len=200, chksum=adjusted(0xabcd, 2000, 7), dport=7) / P})
        yield case("later fragment: " + name, "%s,nw_frag=later,actions=load:7->NXM_NX_IP_TTL[],output:2" % ip, E() / later / P,
                   {2: E() / changed(later, **{"ttl" if ip == "ip" else "hlim": 7}) / P})
    atomic = lambda **more: six() / U(**more) / P  # RFC 6946: a fragment that is all of it
    yield case("atomic fragment", "udp6,nw_frag=no,udp_dst=2000,actions=load:7->OXM_OF_UDP_DST[],output:2", E() / atomic(), {2: E() / atomic(dport=7)})
    later = six(offset=8)
    yield case("later fragment: addresses", "ipv6,nw_frag=later,actions=set_field:%s->ipv6_dst,output:2" % OTHER6, E() / later / P,
               {2: E() / changed(later, dst=OTHER6) / P})
    yield case("later fragment: addresses of IPv4", "ip,nw_frag=later,actions=load:5->NXM_OF_IP_DST[],output:2", E() / I(frag=8, proto=17) / P,
               {2: E() / I(frag=8, proto=17, dst="0.0.0.5") / P})


def changed(packet, **fields):
    packet = packet.copy()
    for name, value in fields.items():
        setattr(packet, name, value)
    return packet


def extension_header_cases():
    chains = {"hop by hop": lambda: IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]),
              "destination options": lambda: IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]),
              "both": lambda: IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))]),
              "routing, at its end": lambda: IPv6ExtHdrRouting(type=2, segleft=0, addresses=["2001:db8::77"])}
    for name, chain in chains.items():
        for layer, match in ((U, "udp6"), (T, "tcp6")):
            yield case("%s behind %s" % (match, name),
                       "%s,actions=load:7->OXM_OF_%s_DST[],set_field:%s->ipv6_src,set_field:0x321->ipv6_label,output:2" % (match, match[:3].upper(),
                       OTHER6),
                       E() / I6() / chain() / layer() / P, {2: E() / I6(src=OTHER6, fl=0x321) / chain() / layer(dport=7) / P})
        yield case("icmp6 behind " + name, "icmp6,icmp_type=128,actions=set_field:%s->ipv6_dst,output:2" % OTHER6,
                   E() / I6() / chain() / C6() / P, {2: E() / I6(dst=OTHER6) / chain() / C6() / P})
    # RFC 8200, 8.1: the sum is over the final destination, which is not in the header yet.
    routing = IPv6ExtHdrRouting(type=2, segleft=1, addresses=["2001:db8::77"])
    before = E() / I6() / routing / U() / P
    checksum = Ether(bytes(before))[UDP].chksum
    yield case("udp6 with segments left", "udp6,actions=set_field:%s->ipv6_dst,output:2" % OTHER6, before,
               {2: E() / I6(dst=OTHER6) / routing / U(chksum=checksum) / P})


def header_cases():
    for name, ip, ttl in (("ip", I, "ttl"), ("ipv6", I6, "hlim")):
        tos = "tos" if name == "ip" else "tc"
        before = E() / ip() / U() / P
        for actions, fields in (("load:77->NXM_NX_IP_TTL[]", {ttl: 77}), ("dec_ttl", {ttl: 8}), ("dec_ttl,dec_ttl", {ttl: 7}),
                                ("load:46->NXM_OF_IP_TOS[2..7]", {tos: 46 << 2 | 1}),
                                ("load:2->NXM_NX_IP_ECN[]", {tos: 0x2a}), ("set_field:3->ip_ecn,set_field:1->ip_dscp", {tos: 7}),
                                ("move:NXM_OF_UDP_SRC[0..5]->NXM_OF_IP_TOS[2..7]", {tos: (1000 & 63) << 2 | 1})):
            yield case("%s: %s" % (name, actions), "%s,actions=%s,output:2" % ("udp" if name == "ip" else "udp6", actions), before,
                       {2: E() / ip(**fields) / U() / P})
        yield case(name + ": an expired TTL goes nowhere", name + ",actions=dec_ttl,output:2", E() / ip(**{ttl: 1}) / U() / P, {})
    for actions, label_ in (("set_field:0x321->ipv6_label", 0x321), ("load:5->NXM_NX_IPV6_LABEL[8..11]", 0x12545),
                            ("set_field:0xf0000/0xf0000->ipv6_label", 0xf2345)):
        yield case(actions, "udp6,actions=%s,output:2" % actions, E() / I6() / U() / P, {2: E() / I6(fl=label_) / U() / P})
    yield case("Ethernet addresses in parts", "actions=load:0x9->NXM_OF_ETH_DST[4..7],move:NXM_OF_ETH_DST[0..15]->NXM_OF_ETH_DST[32..47],output:2",
               E() / I() / U() / P, {2: E(dst="00:9d:00:00:00:9d") / I() / U() / P})


def icmp_cases():
    yield case("icmp: type and code", "icmp,actions=load:0->NXM_OF_ICMP_TYPE[],load:3->NXM_OF_ICMP_CODE[],output:2",
               E() / I() / C() / P, {2: E() / I() / C(type=0, code=3) / P})
    yield case("an echo responder", "icmp,icmp_type=8,actions=push:NXM_OF_IP_SRC[],push:NXM_OF_IP_DST[],pop:NXM_OF_IP_SRC[],pop:NXM_OF_IP_DST[],"
               "load:0->NXM_OF_ICMP_TYPE[],push:NXM_OF_ETH_SRC[],push:NXM_OF_ETH_DST[],pop:NXM_OF_ETH_SRC[],pop:NXM_OF_ETH_DST[],in_port",
               E() / I() / C() / P, {1: Ether(src=DST, dst=SRC) / I(src="10.0.0.2", dst="10.0.0.1") / C(type=0) / P})
    yield case("icmp6: type and code", "icmp6,actions=load:129->NXM_NX_ICMPV6_TYPE[],load:3->NXM_NX_ICMPV6_CODE[],output:2",
               E() / I6() / C6() / P, {2: E() / I6() / C6(type=129, code=3) / P})
    yield case("icmp6: the addresses below", "icmp6,actions=set_field:%s->ipv6_src,output:2" % OTHER6, E() / I6() / C6() / P,
               {2: E() / I6(src=OTHER6) / C6() / P})


def neighbour_cases():
    """ARP and neighbour discovery: every field, then whole responders."""
    yield case("an ARP responder",
               "arp,arp_op=1,arp_tpa=10.0.0.2,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],mod_dl_src:%s,load:2->NXM_OF_ARP_OP[],"
               "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],load:0x020000000099->NXM_NX_ARP_SHA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],load:0x0a000002->NXM_OF_ARP_SPA[],in_port" % MAC,
               E() / A() / P, {1: Ether(src=MAC, dst=SRC) / A(op=2, hwsrc=MAC, psrc="10.0.0.2", hwdst="02:00:00:00:00:aa", pdst="10.0.0.1") / P})
    ns = lambda **more: ICMPv6ND_NS(tgt="fe80::1", **more) / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:aa")
    na = lambda mac, **more: ICMPv6ND_NA(**more) / ICMPv6NDOptDstLLAddr(lladdr=mac)
    six = functools.partial(I6, hlim=255)
    yield case("nd_target and nd_sll",
               "icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=02:00:00:00:00:aa,actions=set_field:fe80::7:7->nd_target,set_field:%s->nd_sll,output:2" % MAC,
               E() / six() / ns(), {2: E() / six() / ICMPv6ND_NS(tgt="fe80::7:7") / ICMPv6NDOptSrcLLAddr(lladdr=MAC)})
    yield case("nd_target and nd_tll",
               "icmp6,icmp_type=136,nd_tll=02:00:00:00:00:aa,actions=load:0x77->NXM_NX_ND_TARGET[0..15],load:0x99->NXM_NX_ND_TLL[0..7],output:2",
               E() / six() / na("02:00:00:00:00:aa", tgt="fe80::1"), {2: E() / six() / na(MAC, tgt="fe80::77")})
    yield case("addresses below neighbour discovery", "icmp6,icmp_type=135,actions=set_field:%s->ipv6_src,output:2" % OTHER6,
               E() / six() / ns(), {2: E() / six(src=OTHER6) / ns()})
    yield case("a neighbour discovery responder",
               ["icmp6,icmp_type=135,nd_target=fe80::1,actions=move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[],set_field:fe80::1->ipv6_src,"
                "set_field:136->icmpv6_type,resubmit(,{t})",
                "table={t},icmp6,icmp_type=136,actions=set_field:0x60000000->nd_reserved,set_field:2->nd_options_type,set_field:%s->nd_tll,in_port" % MAC],
               E() / six() / ns(), {1: E() / six(src="fe80::1", dst=SRC6) / na(MAC, tgt="fe80::1", R=0, S=1, O=1)})


def tag_cases():
    udp = I() / U() / P
    yield case("push_vlan, then both parts", "udp,actions=push_vlan:0x8100,load:0x123->OXM_OF_VLAN_VID[0..11],load:5->OXM_OF_VLAN_PCP[],output:2",
               E() / udp, {2: E() / V(vlan=0x123, prio=5) / udp}, since="OpenFlow13")
    yield case("mod_vlan_vid makes a tag", "udp,actions=mod_vlan_vid:77,mod_vlan_pcp:2,output:2", E() / udp, {2: E() / V(vlan=77, prio=2) / udp},
               until="OpenFlow10")
    yield case("load of a whole tag", "dl_vlan=100,actions=load:0xb007->NXM_OF_VLAN_TCI[],output:2", E() / V() / udp, {2: E() / V(vlan=7, prio=5) / udp},
               until="OpenFlow10")
    yield case("load of 0 takes the tag away", "dl_vlan=100,actions=load:0->NXM_OF_VLAN_TCI[],output:2", E() / V() / udp, {2: E() / udp},
               until="OpenFlow10")
    yield case("two tags pushed", "udp,actions=push_vlan:0x8100,set_field:4196->vlan_vid,push_vlan:0x88a8,set_field:4296->vlan_vid,output:2",
               E() / udp, {2: E(type=0x88a8) / Dot1Q(vlan=200) / V(prio=0) / udp}, since="OpenFlow13")
    yield case("pop, then what is behind", ["dl_vlan=100,actions=pop_vlan,resubmit(,{t})",
               "table={t},udp,dl_vlan=7,actions=load:9->NXM_OF_UDP_DST[],output:2"],
               E() / V() / V(vlan=7) / udp, {2: E() / V(vlan=7) / I() / U(dport=9) / P}, since="OpenFlow13")
    yield case("a VID goes to a register and comes back",
               "udp,dl_vlan=100,actions=move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG5[4..15],pop_vlan,move:NXM_NX_REG5[4..15]->NXM_OF_UDP_DST[0..11],"
               "output:2",
               E() / V() / udp, {2: E() / I() / U(dport=0x064) / P}, since="OpenFlow13")


def mpls_cases():
    udp = I() / U() / P
    m = lambda rest, **more: E(type=0x8847) / label(rest, **more)
    yield case("push_mpls with all its parts",
               "udp,actions=push_mpls:0x8847,load:0x54321->OXM_OF_MPLS_LABEL[],load:5->OXM_OF_MPLS_TC[],set_mpls_ttl(17),output:2",
               E() / udp, {2: m(udp, label=0x54321, cos=5, ttl=17)})
    yield case("three labels",
               "udp,actions=push_mpls:0x8847,set_field:1->mpls_label,push_mpls:0x8847,set_field:2->mpls_label,push_mpls:0x8848,"
               "set_field:3->mpls_label,dec_mpls_ttl,output:2",
               E() / udp, {2: E(type=0x8848) / label(label(label(udp, label=1, cos=0, ttl=9), label=2, s=0, cos=0, ttl=9), label=3, s=0, cos=0,
               ttl=8)})
    yield case("pop, then what is behind", ["mpls,mpls_label=100,actions=pop_mpls:0x0800,resubmit(,{t})",
               "table={t},udp,udp_dst=2000,actions=dec_ttl,load:7->OXM_OF_UDP_DST[],load:5->NXM_OF_IP_SRC[],output:2"],
               m(udp), {2: E() / I(ttl=8, src="0.0.0.5") / U(dport=7) / P})
    yield case("pop of two labels, then IPv6", ["mpls,mpls_bos=0,actions=pop_mpls:0x8847,resubmit(,{t})",
               "table={t},mpls,mpls_label=200,actions=pop_mpls:0x86dd,resubmit(,{u})",
               "table={u},tcp6,actions=set_field:%s->ipv6_dst,load:7->OXM_OF_TCP_DST[],output:2" % OTHER6],
               m(label(I6() / T() / P, label=200), s=0), {2: E(type=0x86dd) / I6(dst=OTHER6) / T(dport=7) / P}, since="OpenFlow13")
    yield case("a label is rewritten between VLAN tag and packet", "dl_vlan=100,mpls,actions=load:7->OXM_OF_MPLS_LABEL[0..3],dec_mpls_ttl,output:2",
               E() / V(type=0x8847) / label(udp), {2: E() / V(type=0x8847) / label(udp, label=103, ttl=63)}, since="OpenFlow13")
    yield case("an expired MPLS TTL goes nowhere", "mpls,actions=dec_mpls_ttl,output:2", m(udp, ttl=1), {})


CASES = [one for some in (l4_cases, checksum_cases, fragment_cases, extension_header_cases, header_cases, icmp_cases, neighbour_cases, tag_cases,
         mpls_cases) for one in some()]
