"""Cases of our own for the switch tester, in its form, made from tables: every action of OpenFlow 1.3 on packets of each kind, groups, meters.

cases() gives what tests/conformance/run loads from JSON files: pairs of a file's name and its list. What must come out is spelled as layers again, and
os-ken computes its checksums anew (but that of SCTP).
"""

import struct

PAYLOAD = "b'" + "".join("\\x%02x" % i for i in range(1, 65)) + "'"
DST, SRC = "22:22:22:22:22:22", "12:11:11:11:11:11"
IPV4, IPV6, ARP, VLAN, SVLAN, MPLS, MPLS_MC, PBB = 0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8847, 0x8848, 0x88e7
CONTROLLER, IN_PORT, ALL, FLOOD, NORMAL = 0xfffffffd, 0xfffffff8, 0xfffffffc, 0xfffffffb, 0xfffffffa
ANY = 0xffffffff
APPLY, WRITE, CLEAR = 4, 3, 5


# --- packets: lists of (layer, its arguments) ---------------------------------------------------------------------------

def eth(ethertype, dst=DST, src=SRC):
    return ("ethernet", dict(dst=dst, src=src, ethertype=ethertype))


def ipv4(proto, **more):
    return ("ipv4", dict(dict(tos=41, proto=proto, src="192.168.10.10", dst="192.168.20.20", ttl=64), **more))


def ipv6(nxt, **more):
    return ("ipv6", dict(dict(traffic_class=41, flow_label=100, nxt=nxt, hop_limit=64, src="10::10", dst="20::20"), **more))


class Expression(str):
    """Goes into a layer's arguments as it is."""

    __repr__ = str.__str__


CHUNK_DATA = bytes(range(1, 49))
CHUNKS = Expression("[chunk_data(payload_data=b'" + "".join("\\x%02x" % i for i in CHUNK_DATA) + "')]")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sctp_checksum(src_port, dst_port):
    """RFC 9260, 6.8. os-ken takes the sum over Python's notation of the bytes instead."""
    chunk = struct.pack("!BBHIHHI", 0, 0, 16 + len(CHUNK_DATA), 0, 0, 0, 0) + CHUNK_DATA
    crc = crc32c(struct.pack("!HHII", src_port, dst_port, 0, 0) + chunk)
    return int.from_bytes(struct.pack("<I", crc), "big")


def l4(name, **more):
    base = {"tcp": dict(src_port=11111, dst_port=2222, option=b"\0\0\0\0"), "udp": dict(src_port=11111, dst_port=2222),
            "sctp": dict(src_port=11111, dst_port=2222, chunks=CHUNKS), "icmp": dict(type_=8, code=0), "icmpv6": dict(type_=200, code=0)}[name]
    return (name, dict(base, **more))


def arp(**more):
    return ("arp", dict(dict(opcode=1, src_mac=SRC, dst_mac=DST, src_ip="192.168.10.10", dst_ip="192.168.20.20"), **more))


PROTO = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58}
# What is behind the Ethernet header and tags, with its EtherType.
PAYLOADS = {"ipv4/" + name: (IPV4, [ipv4(PROTO[name]), l4(name)]) for name in ("tcp", "udp", "sctp", "icmp")}
PAYLOADS.update({"ipv6/" + name: (IPV6, [ipv6(PROTO[name]), l4(name)]) for name in ("tcp", "udp", "sctp", "icmpv6")})
PAYLOADS["arp"] = (ARP, [arp()])


def vlan(ethertype, vid=100, pcp=3):
    return ("vlan", dict(pcp=pcp, cfi=0, vid=vid, ethertype=ethertype))


def svlan(ethertype, vid=10, pcp=5):
    return ("svlan", dict(pcp=pcp, cfi=0, vid=vid, ethertype=ethertype))


def mpls(label=100, exp=3, bsb=1, ttl=64):
    return ("mpls", dict(label=label, exp=exp, bsb=bsb, ttl=ttl))


def itag(sid=100, pcp=0):
    return ("itag", dict(sid=sid, pcp=pcp))


def neighbour(type_, option, mac="22:22:22:22:22:22", target="20::20"):
    data = "nd_neighbor(option=nd_option_%s(hw_src=%r), dst=%r)" % (option, mac, target)
    return ("icmpv6", dict(type_=type_, code=0, data=Expression(data)))


def changed(layers, index, **more):
    """The packet with arguments of one layer changed."""
    name, arguments = layers[index]
    return layers[:index] + [(name, dict(arguments, **more))] + layers[index + 1:]


def text(layers):
    if layers[-1][0] == "sctp":
        ports = layers[-1][1]
        layers = changed(layers, len(layers) - 1, csum=sctp_checksum(ports["src_port"], ports["dst_port"]))
    lines = ["%s(%s)" % (name, ", ".join("%s=%r" % item for item in arguments.items())) for name, arguments in layers]
    return lines if layers[-1][0] == "sctp" or "data" in layers[-1][1] else lines + [PAYLOAD]


def kind(layers):
    return "/".join(name for name, _ in layers)


# --- messages -----------------------------------------------------------------------------------------------------------

def action(name, **arguments):
    return {"OFPAction" + name: arguments}


def output(port=2):
    return action("Output", port=port, max_len=65535) if port == CONTROLLER else action("Output", port=port)


def set_field(field, value):
    return action("SetField", field={"OXMTlv": {"field": field, "value": value}})


def oxm(match):
    return [{"OXMTlv": {"field": field, "value": value}} for field, value in match.items()]


def apply_(*actions):
    return {"OFPInstructionActions": {"actions": list(actions), "type": APPLY}}


def write(*actions):
    return {"OFPInstructionActions": {"actions": list(actions), "type": WRITE}}


def clear():
    return {"OFPInstructionActions": {"actions": [], "type": CLEAR}}


def goto(table):
    return {"OFPInstructionGotoTable": {"table_id": table}}


def meter_instruction(meter_id):
    return {"OFPInstructionMeter": {"meter_id": meter_id}}


def flow(match, *instructions, table=0):
    return {"OFPFlowMod": {"table_id": table, "match": {"OFPMatch": {"oxm_fields": oxm(match)}}, "instructions": list(instructions)}}


def group(group_id, type_, *buckets):
    return {"OFPGroupMod": {"group_id": group_id, "type": type_, "buckets": [{"OFPBucket": bucket} for bucket in buckets]}}


def bucket(*actions, weight=0, watch_port=ANY, watch_group=ANY):
    return dict(actions=list(actions), weight=weight, watch_port=watch_port, watch_group=watch_group)


def meter(meter_id, flags, *bands):
    return {"OFPMeterMod": {"meter_id": meter_id, "flags": flags, "bands": list(bands)}}


def case(description, prerequisite, ingress, egress, where="egress"):
    return {"description": description, "prerequisite": prerequisite, "tests": [{"ingress": text(ingress), where: text(egress)}]}


def both_ways(what, match, actions, before, after):
    """Applied and sent on; to the controller; and written to the action set."""
    label = "%s-->%s" % (kind(before), what)
    yield case(label + ",output:2", [flow(match, apply_(*actions, output()))], before, after)
    yield case(label + ",output:CONTROLLER", [flow(match, apply_(*actions, output(CONTROLLER)))], before, after, "PACKET_IN")
    yield case("%s-->write(%s,output:2)" % (kind(before), what), [flow(match, write(*actions, output()))], before, after)


# --- actions ------------------------------------------------------------------------------------------------------------

def plain(name):
    ethertype, layers = PAYLOADS[name]
    return [eth(ethertype)] + layers


def in_tag(name, *tags):
    """`tags` are makers of layers, each given the type of what follows, with the type that announces it."""
    ethertype, layers = PAYLOADS[name]
    headers = []
    for maker, own_type in reversed(tags):
        headers.insert(0, maker(ethertype))
        ethertype = own_type
    return [eth(ethertype)] + headers + layers


def outputs():
    for name in PAYLOADS:
        before = plain(name)
        for port, port_name in ((2, "2"), (ALL, "ALL"), (FLOOD, "FLOOD"), (NORMAL, "NORMAL")):
            yield case("%s-->output:%s" % (kind(before), port_name), [flow({}, apply_(output(port)))], before, before)
        yield case("%s-->set_queue:0,output:2" % kind(before), [flow({}, apply_(action("SetQueue", queue_id=0), output()))], before, before)
        yield case("%s-->output:CONTROLLER" % kind(before), [flow({}, apply_(output(CONTROLLER)))], before, before, "PACKET_IN")
    tcp = plain("ipv4/tcp")
    yield case("clear_actions drops what was written",
               [flow({}, write(output(3)), goto(1)), flow({}, clear(), write(output()), table=1)], tcp, tcp)
    yield case("a later write takes the place of an earlier one of its kind",
               [flow({"eth_type": IPV4}, write(action("SetNwTtl", nw_ttl=9), output(3)), goto(1)), flow({}, write(output()), table=1)],
               tcp, changed(tcp, 1, ttl=9))
    yield case("the action set goes by kinds, whatever the order of writing",
               [flow({"eth_type": IPV4}, write(output(), action("PushVlan", ethertype=VLAN)), goto(1)),
                flow({"eth_type": IPV4}, write(set_field("ipv4_dst", "1.2.3.4")), table=1)],
               tcp, [eth(VLAN), vlan(IPV4, 0, 0)] + changed(tcp, 1, dst="1.2.3.4")[1:])
    yield case("metadata written in one table is matched in another",
               [flow({}, {"OFPInstructionWriteMetadata": {"metadata": 0x1234, "metadata_mask": 0xffff}}, goto(7)),
                flow({"metadata": 0x1234}, apply_(output()), table=7)], tcp, tcp)


def vlans():
    for name, (ethertype, layers) in PAYLOADS.items():
        for pushed, maker in ((VLAN, vlan), (SVLAN, svlan)):
            label = "push_vlan:0x%04x" % pushed
            yield from both_ways(label, {}, [action("PushVlan", ethertype=pushed)], plain(name),
                                 [eth(pushed), maker(ethertype, 0, 0)] + layers)
            # OpenFlow 1.3.5, 5.12.1: the new tag takes VID and priority of the old one.
            yield from both_ways(label, {}, [action("PushVlan", ethertype=pushed)], in_tag(name, (vlan, VLAN)),
                                 [eth(pushed), maker(VLAN, 100, 3), vlan(ethertype)] + layers)
            yield from both_ways("pop_vlan", {"vlan_vid": 0x1000 | (100 if maker is vlan else 10)}, [action("PopVlan")],
                                 in_tag(name, (maker, pushed)), plain(name))
        yield from both_ways("pop_vlan", {"vlan_vid": 0x1000 | 10}, [action("PopVlan")], in_tag(name, (svlan, SVLAN), (vlan, VLAN)),
                             in_tag(name, (vlan, VLAN)))
        tagged = in_tag(name, (vlan, VLAN))
        yield from both_ways("set_field:vlan_vid=203", {"vlan_vid": 0x1000 | 100}, [set_field("vlan_vid", 0x1000 | 203)], tagged,
                             changed(tagged, 1, vid=203))
        yield from both_ways("set_field:vlan_pcp=6", {"vlan_vid": 0x1000 | 100}, [set_field("vlan_pcp", 6)], tagged,
                             changed(tagged, 1, pcp=6))


def first_ttl(name):
    """Of a label in front of it. OpenFlow 1.3.5, 5.12.1: zero where there is none to copy."""
    return 0 if name == "arp" else 64


def labels():
    for name, (ethertype, layers) in PAYLOADS.items():
        for pushed in (MPLS, MPLS_MC):
            yield from both_ways("push_mpls:0x%04x" % pushed, {"eth_type": ethertype}, [action("PushMpls", ethertype=pushed)], plain(name),
                                 [eth(pushed), mpls(0, 0, ttl=first_ttl(name))] + layers)
        if name == "arp":
            continue
        one, two = [eth(MPLS), mpls()] + layers, [eth(MPLS), mpls(bsb=0), mpls(200, 1, 1, 32)] + layers
        match = {"eth_type": MPLS}
        yield from both_ways("push_mpls:0x8847", match, [action("PushMpls", ethertype=MPLS)], one,
                             [eth(MPLS), mpls(bsb=0), mpls()] + layers)
        yield from both_ways("pop_mpls:0x%04x" % ethertype, match, [action("PopMpls", ethertype=ethertype)], one, plain(name))
        yield from both_ways("pop_mpls:0x8847", match, [action("PopMpls", ethertype=MPLS)], two, [eth(MPLS), mpls(200, 1, 1, 32)] + layers)
        yield from both_ways("set_mpls_ttl:9", match, [action("SetMplsTtl", mpls_ttl=9)], one, changed(one, 1, ttl=9))
        yield from both_ways("dec_mpls_ttl", match, [action("DecMplsTtl")], two, changed(two, 1, ttl=63))
        yield from both_ways("set_field:mpls_label=77", match, [set_field("mpls_label", 77)], one, changed(one, 1, label=77))
        yield from both_ways("set_field:mpls_tc=5", match, [set_field("mpls_tc", 5)], one, changed(one, 1, exp=5))
        yield from both_ways("copy_ttl_out", match, [action("CopyTtlOut")], two, changed(two, 1, ttl=32))
        yield from both_ways("copy_ttl_in", match, [action("CopyTtlIn")], changed(two, 1, ttl=17),
                             changed(changed(two, 1, ttl=17), 2, ttl=17))
        inner = "ttl" if ethertype == IPV4 else "hop_limit"
        yield from both_ways("copy_ttl_out", match, [action("CopyTtlOut")], changed(one, 2, **{inner: 17}),
                             changed(changed(one, 2, **{inner: 17}), 1, ttl=17))
        yield from both_ways("copy_ttl_in", match, [action("CopyTtlIn")], changed(one, 1, ttl=17),
                             changed(changed(one, 1, ttl=17), 2, **{inner: 17}))


def stacks():
    """Several tags: in one list, and table after table, each matching what the last one did."""
    push_vlan, push_svlan = action("PushVlan", ethertype=VLAN), action("PushVlan", ethertype=SVLAN)
    push_mpls, push_pbb, pop_pbb = action("PushMpls", ethertype=MPLS), action("PushPbb", ethertype=PBB), action("PopPbb")

    def vid(n):
        return set_field("vlan_vid", 0x1000 | n)
    for name, (ethertype, layers) in PAYLOADS.items():
        before, ttl, of_type = plain(name), first_ttl(name), {"eth_type": ethertype}
        tagged = in_tag(name, (vlan, VLAN))

        def one(packet, what, after, *mods):
            return case("%s-->%s" % (kind(packet), what), list(mods), packet, after)
        yield one(before, "push_vlan twice, each set", [eth(SVLAN), svlan(VLAN, 9, 2), vlan(ethertype, 7, 0)] + layers,
                  flow({}, apply_(push_vlan, vid(7), push_svlan, vid(9), set_field("vlan_pcp", 2), output())))
        yield one(before, "push_vlan twice, table by table", [eth(VLAN), vlan(VLAN, 9, 0), vlan(ethertype, 7, 0)] + layers,
                  flow({}, apply_(push_vlan, vid(7)), goto(1)), flow({"vlan_vid": 0x1007}, apply_(push_vlan, vid(9)), goto(2), table=1),
                  flow({"vlan_vid": 0x1009}, apply_(output()), table=2))
        yield one(before, "push_vlan three times", [eth(VLAN), vlan(VLAN, 0, 0), vlan(VLAN, 0, 0), vlan(ethertype, 0, 0)] + layers,
                  flow({}, apply_(push_vlan, push_vlan, push_vlan, output())))
        yield one(before, "push_mpls twice, each set", [eth(MPLS_MC), mpls(9, 2, 0, ttl), mpls(7, 0, 1, ttl)] + layers,
                  flow(of_type, apply_(push_mpls, set_field("mpls_label", 7), action("PushMpls", ethertype=MPLS_MC), set_field("mpls_label", 9),
                                       set_field("mpls_tc", 2), output())))
        yield one(before, "push_mpls twice, table by table", [eth(MPLS), mpls(7, 0, 0, ttl), mpls(7, 0, 1, ttl)] + layers,
                  flow(of_type, apply_(push_mpls, set_field("mpls_label", 7)), goto(1)),
                  flow({"eth_type": MPLS, "mpls_label": 7, "mpls_bos": 1}, apply_(push_mpls), goto(2), table=1),
                  flow({"eth_type": MPLS, "mpls_label": 7, "mpls_bos": 0}, apply_(output()), table=2))
        # OpenFlow 1.3.5, 5.12: immediately after the Ethernet header and before other tags.
        in_label = [eth(MPLS), mpls(0, 0, 1, ttl)] + tagged[1:]
        yield from both_ways("push_mpls:0x8847", {"vlan_vid": 0x1000 | 100}, [push_mpls], tagged, in_label)
        yield from both_ways("push_mpls:0x8847,push_vlan:0x8100", {}, [push_mpls, push_vlan], before,
                             [eth(VLAN), vlan(MPLS, 0, 0), mpls(0, 0, 1, ttl)] + layers)
        yield from both_ways("pop_mpls:0x8100", {"eth_type": MPLS}, [action("PopMpls", ethertype=VLAN)], in_label, tagged)
        yield one(in_label, "pop_mpls:0x8100, then pop_vlan", before, flow({"eth_type": MPLS}, apply_(action("PopMpls", ethertype=VLAN)), goto(1)),
                  flow(dict(of_type, vlan_vid=0x1000 | 100), apply_(action("PopVlan"), output()), table=1))
        two = [eth(MPLS), mpls(100, 3, 0), mpls(101)] + layers
        yield one(two, "pop_mpls twice", before, flow({"eth_type": MPLS}, apply_(action("PopMpls", ethertype=MPLS),
                                                                                action("PopMpls", ethertype=ethertype), output())))
        yield one(two, "pop_mpls twice, table by table", before,
                  flow({"eth_type": MPLS, "mpls_label": 100}, apply_(action("PopMpls", ethertype=MPLS_MC)), goto(1)),
                  flow({"eth_type": MPLS_MC, "mpls_label": 101}, apply_(action("PopMpls", ethertype=ethertype)), goto(2), table=1),
                  flow(of_type, apply_(output()), table=2))
        yield from both_ways("push_pbb:0x88e7", {"vlan_vid": 0x1000 | 100}, [push_pbb], tagged, [eth(PBB), itag(0, 3)] + tagged)
        yield from both_ways("push_pbb:0x88e7,push_vlan:0x88a8", {}, [push_pbb, push_svlan], before, [eth(SVLAN), svlan(PBB, 0, 0), itag(0)] + before)
        customer = in_tag(name, (svlan, SVLAN), (vlan, VLAN))
        provider = [eth(SVLAN), svlan(PBB), itag()] + customer
        yield from both_ways("pop_vlan,pop_pbb", {"eth_type": PBB, "vlan_vid": 0x1000 | 10}, [action("PopVlan"), pop_pbb], provider, customer)
        yield from both_ways("set_field:pbb_isid=7", {"eth_type": PBB}, [set_field("pbb_isid", 7)], provider, changed(provider, 2, sid=7))
        once = [eth(PBB), itag()] + before
        yield from both_ways("push_pbb:0x88e7", {"eth_type": PBB}, [push_pbb], once, [eth(PBB), itag()] + once)
        twice = [eth(PBB), itag(), eth(PBB), itag(101)] + before
        yield one(twice, "pop_pbb twice", before, flow({"eth_type": PBB}, apply_(pop_pbb, pop_pbb, output())))
        yield one(twice, "pop_pbb twice, table by table", before, flow({"eth_type": PBB, "pbb_isid": 100}, apply_(pop_pbb), goto(1)),
                  flow({"eth_type": PBB, "pbb_isid": 101}, apply_(pop_pbb), goto(2), table=1), flow(of_type, apply_(output()), table=2))
        # In the action set: MPLS, PBB, VLAN, whatever the order of writing (5.10).
        all_three = [eth(SVLAN), svlan(PBB, 0, 0), itag(0), eth(MPLS), mpls(0, 0, 1, ttl)] + layers
        yield one(before, "push_mpls,push_pbb,push_vlan", all_three, flow({}, apply_(push_mpls, push_pbb, push_svlan, output())))
        yield one(before, "write(push_vlan,push_pbb,push_mpls)", all_three, flow({}, write(push_svlan, push_pbb, push_mpls, output())))
        if name == "arp":
            continue
        hops = "ttl" if ethertype == IPV4 else "hop_limit"
        less = [eth(ethertype)] + changed(layers, 0, **{hops: 63})
        dec = flow(of_type, apply_(action("DecNwTtl"), output()), table=1)
        yield one([eth(MPLS), mpls()] + layers, "pop_mpls, then dec_nw_ttl", less,
                  flow({"eth_type": MPLS}, apply_(action("PopMpls", ethertype=ethertype)), goto(1)), dec)
        yield one(once, "pop_pbb, then dec_nw_ttl", less, flow({"eth_type": PBB}, apply_(pop_pbb), goto(1)), dec)
        doubly = in_tag(name, (svlan, SVLAN), (vlan, VLAN))
        yield from both_ways("set_nw_ttl:9", of_type, [action("SetNwTtl", nw_ttl=9)], doubly, changed(doubly, 3, **{hops: 9}))


def types():
    """set_field on what says what the packet is, and on what is beside it."""
    def one(packet, field, value, of_type, after, match=None):
        return case("%s-->set_field:%s=%s, matched behind" % (kind(packet), field, value),
                    [flow(of_type, apply_(set_field(field, value)), goto(1)), flow(match or {field: value}, apply_(output()), table=1)], packet, after)
    for name, (ethertype, layers) in PAYLOADS.items():
        before, tagged, of_type = plain(name), in_tag(name, (vlan, VLAN)), {"eth_type": ethertype}
        for field, value in (("tunnel_id", 77), ("metadata", 77), ("in_port", 3)):
            yield one(before, field, value, {}, before)
        yield one(before, "eth_type", 0x1234, of_type, [eth(0x1234)] + layers)
        yield one(tagged, "eth_type", 0x1234, of_type, changed(tagged, 1, ethertype=0x1234))
        two = [eth(MPLS), mpls(bsb=0), mpls(200)] + layers
        yield from both_ways("set_field:mpls_bos=1", {"eth_type": MPLS}, [set_field("mpls_bos", 1)], two, changed(two, 1, bsb=1))
        if name != "arp":
            yield one(before, "ip_proto", 99, of_type, changed(before, 1, **{"proto" if ethertype == IPV4 else "nxt": 99}),
                      dict(of_type, ip_proto=99))
    for head in ([eth(IPV6)], [eth(VLAN), vlan(IPV6)]):
        for type_, option, field, change in ((135, "sla", "ipv6_nd_sll", {"mac": "aa:bb:cc:dd:ee:01"}),
                                             (136, "tla", "ipv6_nd_tll", {"mac": "aa:bb:cc:dd:ee:01"}),
                                             (135, "sla", "ipv6_nd_target", {"target": "2001::7"})):
            ip = head + [ipv6(58, hop_limit=255)]
            yield from both_ways("set_field:%s" % field, {"eth_type": IPV6, "ip_proto": 58, "icmpv6_type": type_},
                                 [set_field(field, *change.values())], ip + [neighbour(type_, option)], ip + [neighbour(type_, option, **change)])


def backbone():
    for name in PAYLOADS:
        inner = plain(name)
        inside = [eth(PBB), itag(100)] + inner
        yield from both_ways("push_pbb:0x88e7", {}, [action("PushPbb", ethertype=PBB)], inner, [eth(PBB), itag(0)] + inner)
        yield from both_ways("pop_pbb", {"eth_type": PBB}, [action("PopPbb")], inside, inner)
        yield from both_ways("set_field:pbb_isid=203", {"eth_type": PBB}, [set_field("pbb_isid", 203)], inside, changed(inside, 1, sid=203))


def ttls():
    for name, (ethertype, layers) in PAYLOADS.items():
        if name == "arp":
            continue
        for before in (plain(name), in_tag(name, (vlan, VLAN))):
            at, ttl = len(before) - 2, "ttl" if ethertype == IPV4 else "hop_limit"
            match = {"eth_type": ethertype}
            yield from both_ways("set_nw_ttl:9", match, [action("SetNwTtl", nw_ttl=9)], before, changed(before, at, **{ttl: 9}))
            yield from both_ways("dec_nw_ttl", match, [action("DecNwTtl")], before, changed(before, at, **{ttl: 63}))


def field_changes(name):
    """(field, its new value, the match it needs, the layer it is in counted from behind the tags, arguments of that layer). -1: Ethernet."""
    mac, (ethertype, layers) = "aa:bb:cc:dd:ee:01", PAYLOADS[name]
    match = {"eth_type": ethertype}
    yield "eth_dst", mac, {}, -1, dict(dst=mac)
    yield "eth_src", mac, {}, -1, dict(src=mac)
    if name == "arp":
        yield "arp_op", 2, match, 0, dict(opcode=2)
        for field, value, argument in (("spa", "1.2.3.4", "src_ip"), ("tpa", "1.2.3.4", "dst_ip"), ("sha", mac, "src_mac"), ("tha", mac, "dst_mac")):
            yield "arp_" + field, value, match, 0, {argument: value}
        return
    tos = "tos" if ethertype == IPV4 else "traffic_class"
    yield "ip_dscp", 46, match, 0, {tos: 46 << 2 | 1}
    yield "ip_ecn", 2, match, 0, {tos: 40 | 2}
    ip, address = ("ipv4", "1.2.3.4") if ethertype == IPV4 else ("ipv6", "1::2")
    yield ip + "_src", address, match, 0, dict(src=address)
    yield ip + "_dst", address, match, 0, dict(dst=address)
    if ethertype == IPV6:
        yield "ipv6_flabel", 0x54321, match, 0, dict(flow_label=0x54321)
    protocol = layers[1][0]
    match = dict(match, ip_proto=PROTO[protocol])
    if protocol.startswith("icmp"):
        field, type_ = ("icmpv4", 13) if protocol == "icmp" else ("icmpv6", 201)
        yield field + "_type", type_, match, 1, dict(type_=type_)
        yield field + "_code", 3, match, 1, dict(code=3)
    else:
        yield protocol + "_src", 7777, match, 1, dict(src_port=7777)
        yield protocol + "_dst", 7777, match, 1, dict(dst_port=7777)


def fields():
    for name, (ethertype, layers) in PAYLOADS.items():
        for before in (plain(name), in_tag(name, (vlan, VLAN))):
            base = len(before) - len(layers)
            for field, value, match, layer, change in field_changes(name):
                after = changed(before, base + layer if layer >= 0 else 0, **change)
                yield from both_ways("set_field:%s=%s" % (field, value), match, [set_field(field, value)], before, after)


def fields_behind():
    """What is behind a tag is looked at and changed by the next table, and what is changed matches there."""
    for name, (ethertype, layers) in PAYLOADS.items():
        before = plain(name)
        outside = [([eth(MPLS), mpls()] + layers, {"eth_type": MPLS}, action("PopMpls", ethertype=ethertype)),
                   ([eth(PBB), itag()] + before, {"eth_type": PBB}, action("PopPbb")),
                   (in_tag(name, (svlan, SVLAN)), {"vlan_vid": 0x1000 | 10}, action("PopVlan"))]
        for field, value, match, layer, change in field_changes(name):
            setting, after = set_field(field, value), changed(before, 1 + layer, **change)
            yield case("%s-->set_field:%s, matched behind" % (kind(before), field),
                       [flow(match, apply_(setting), goto(1)), flow(dict(match, **{field: value}), apply_(output()), table=1)], before, after)
            for packet, outer_match, pop in outside:
                what = "%s-->%s, then set_field:%s" % (kind(packet), list(pop)[0][len("OFPAction"):], field)
                yield case(what, [flow(outer_match, apply_(pop), goto(1)), flow(match, apply_(setting, output()), table=1)], packet, after)
                yield case(what + " in a group", [group(1, 0, bucket(setting, output())), flow(outer_match, apply_(pop), goto(1)),
                                                  flow(match, apply_(action("Group", group_id=1)), table=1)], packet, after)


# --- groups -------------------------------------------------------------------------------------------------------------

def groups():
    all_, select, indirect, failover = range(4)
    to_group = action("Group", group_id=1)
    for name, (ethertype, layers) in PAYLOADS.items():
        before = plain(name)
        moved = changed(before, 0, dst="aa:bb:cc:dd:ee:01")
        rewrite = set_field("eth_dst", "aa:bb:cc:dd:ee:01")
        go = flow({}, apply_(to_group))

        def one(what, *mods, after=moved, where="egress"):
            return case("%s-->group %s" % (kind(before), what), list(mods), before, after, where)
        yield one("all: each bucket its own copy", group(1, all_, bucket(rewrite, output(2)), bucket(action("PushVlan", ethertype=VLAN), output(3))), go)
        yield one("all: a bucket's changes stay in it", group(1, all_, bucket(rewrite, output(3)), bucket(output(2))), go, after=before)
        yield one("all: the packet goes on as it was", group(1, all_, bucket(rewrite, output(3))), flow({}, apply_(to_group, output(2))), after=before)
        yield one("all: to the controller", group(1, all_, bucket(rewrite, output(CONTROLLER))), go, where="PACKET_IN")
        yield one("indirect", group(1, indirect, bucket(rewrite, output(2))), go)
        yield one("indirect, written to the action set", group(1, indirect, bucket(rewrite, output(2))), flow({}, write(to_group, output(3))))
        yield one("select: one bucket", group(1, select, bucket(rewrite, output(2), weight=7)), go)
        yield one("select: equal buckets", group(1, select, *[bucket(rewrite, output(2), weight=1 + i) for i in range(3)]), go)
        yield one("select: none for a bucket of weight 0", group(1, select, bucket(output(3), weight=0), bucket(rewrite, output(2), weight=1)), go)
        yield one("fast failover: the first live bucket",
                  group(1, failover, bucket(rewrite, output(2), watch_port=2), bucket(output(3), watch_port=3)), go)
        yield one("fast failover: a group without buckets is not live", group(3, all_),
                  group(1, failover, bucket(output(3), watch_group=3), bucket(rewrite, output(2), watch_port=2)), go)
        yield one("fast failover: a live group", group(3, failover, bucket(output(3), watch_port=3)),
                  group(1, failover, bucket(rewrite, output(2), watch_group=3), bucket(output(3), watch_port=2)), go)
        yield one("a chain of groups", group(2, indirect, bucket(rewrite, output(2))),
                  group(1, all_, bucket(action("Group", group_id=2)), bucket(output(3))), go)


def cases():
    """(file, [title, case ...])"""
    for name, maker in (("action/output", outputs), ("action/vlan", vlans), ("action/mpls", labels), ("action/pbb", backbone), ("action/stacks", stacks),
                        ("action/types", types),
                        ("action/ttl", ttls), ("action/set_field", fields),
                        ("action/set_field_behind", fields_behind), ("group/all_types", groups)):
        yield "own/" + name, ["own: " + name] + list(maker())
