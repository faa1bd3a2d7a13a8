"""Messages that OpenFlow 1.3 says are refused, with the error it gives for each: refusals.py SOCKET. An error must name the message that it is about, carry
its beginning, and nothing may have changed.
"""
import socket
import struct
import sys

from of_peer import ERROR, Peer
from os_ken.ofproto import ofproto_parser, ofproto_v1_3 as of, ofproto_v1_3_parser as parser
from own_cases import *


class Datapath:
    ofproto, ofproto_parser = of, parser
    version = of.OFP_VERSION

    def set_xid(self, message):
        message.xid = 77


def encoded(mod):
    message = ofproto_parser.ofp_msg_from_jsondict(Datapath(), mod)
    message.set_xid(77)
    message.serialize()
    return bytes(message.buf)


def raw_flow(tail, match=bytes.fromhex("0001000400000000")):
    body = struct.pack("!QQBBHHHIIIHH", 0, 0, 0, 0, 0, 0, 9, 0xffffffff, ANY, ANY, 0, 0) + match + tail
    return struct.pack("!BBHI", 4, 14, 8 + len(body), 77) + body


def raw_actions(*hexes):
    data = b"".join(bytes.fromhex(text) for text in hexes)
    return raw_flow(struct.pack("!HHI", 4, 8 + len(data), 0) + data)


def raw_match(text):
    data = bytes.fromhex(text)
    length = 4 + len(data)
    return raw_flow(b"", struct.pack("!HH", 1, length) + data + bytes(-length % 8))


def changed_mod(mod, **more):
    (name, body), = mod.items()
    return {name: dict(body, **more)}


def applied(match, *actions):
    return flow(match, apply_(*actions))


def band(kind="Drop", **more):
    return {"OFPMeterBand" + kind: dict(dict(rate=10, burst_size=0), **more)}


IP = {"eth_type": IPV4}
HOST = set_field("ipv4_dst", "1.2.3.4")
BAC, BIC, BMC, FMFC, GMFC, MMFC = 2, 3, 4, 5, 6, 12
IN_BUCKETS = [bucket(output())]


def refusals():
    """(what, message, type, code)"""
    # 7.4.4: OFPET_BAD_ACTION
    yield "unknown action", raw_actions("0055000800000000"), BAC, 0
    yield "action of no length", raw_actions("0000000000000002ffff000000000000"), BAC, 1
    yield "action of 12 bytes", raw_actions("0000000c00000002ffff000000000000"), BAC, 1
    yield "action longer than the list", raw_actions("0000001800000002ffff000000000000"), BAC, 1
    yield "unknown experimenter", raw_actions("ffff001000abcdef0000000000000000"), BAC, 2
    yield "unknown action of Nicira's", raw_actions("ffff001000002320fffe000000000000"), BAC, 3
    for port in (0, 0xffffff01, 0xfffffff7, ANY):
        yield "output to %#x" % port, applied({}, output(port)), BAC, 4
    for name, type_ in (("PushVlan", 0x0800), ("PushMpls", 0x8100), ("PushPbb", 0x8847)):
        yield "%s of %#x" % (name, type_), applied({}, action(name, ethertype=type_)), BAC, 5
    yield "group that is not there", applied({}, action("Group", group_id=99)), BAC, 9
    yield "group of a reserved number", applied({}, action("Group", group_id=0xfffffffd)), BAC, 9
    for what, match, one in (("ipv4_dst of anything", {}, HOST), ("ipv4_dst of IPv6", {"eth_type": IPV6}, HOST),
                             ("tcp_dst of UDP", dict(IP, ip_proto=17), set_field("tcp_dst", 7)),
                             ("arp_op of IPv4", IP, set_field("arp_op", 1)), ("vlan_vid without a tag", {}, set_field("vlan_vid", 0x1007)),
                             ("mpls_label of IPv4", IP, set_field("mpls_label", 7)), ("pbb_isid of IPv4", IP, set_field("pbb_isid", 7)),
                             ("ipv6_nd_target of an echo", {"eth_type": IPV6, "ip_proto": 58, "icmpv6_type": 128}, set_field("ipv6_nd_target", "1::2")),
                             ("dec_nw_ttl of ARP", {"eth_type": ARP}, action("DecNwTtl")), ("set_nw_ttl of anything", {}, action("SetNwTtl", nw_ttl=7)),
                             ("pop_vlan without a tag", {"vlan_vid": 0}, action("PopVlan")), ("pop_mpls of IPv4", IP, action("PopMpls", ethertype=IPV4)),
                             ("pop_pbb of IPv4", IP, action("PopPbb")), ("set_mpls_ttl of IPv4", IP, action("SetMplsTtl", mpls_ttl=7)),
                             ("dec_mpls_ttl of IPv4", IP, action("DecMplsTtl"))):
        yield what, applied(match, one), BAC, 10
        yield what + ", written", flow(match, write(one)), BAC, 10
    yield "dec_nw_ttl behind push_mpls", applied(IP, action("PushMpls", ethertype=MPLS), action("DecNwTtl")), BAC, 10
    yield "set_field of no known field", raw_actions("001900108000c8040102030405060000"), BAC, 13
    yield "set_field of ipv6_exthdr", raw_actions("0019001080004e020000000000000000"), BAC, 13
    yield "set_field with a mask", raw_actions("0019001880000d0c020000000001ffffffffffff00000000"), BAC, 13
    yield "set_field of a wrong length", raw_actions("00190010800008050102030405060000"), BAC, 14
    yield "set_field shorter than its field", raw_actions("0019000880000706"), BAC, 14
    for field, value, match in (("vlan_pcp", 8, {"vlan_vid": 0x1007}), ("ip_dscp", 64, IP), ("ip_ecn", 4, IP),
                                ("mpls_label", 1 << 20, {"eth_type": MPLS}), ("mpls_tc", 8, {"eth_type": MPLS}),
                                ("ipv6_flabel", 1 << 20, {"eth_type": IPV6})):
        yield "%s of %d" % (field, value), applied(match, set_field(field, value)), BAC, 15
    # OFPET_BAD_INSTRUCTION
    yield "unknown instruction", raw_flow(bytes.fromhex("0055000800000000")), BIC, 0
    yield "goto the table itself", flow({}, goto(3), table=3), BIC, 2
    yield "goto back", flow({}, goto(2), table=3), BIC, 2
    yield "goto no table", flow({}, goto(255), table=3), BIC, 2
    yield "experimenter's instruction", raw_flow(bytes.fromhex("ffff000800abcdef")), BIC, 5
    yield "instruction of no length", raw_flow(bytes.fromhex("0001000003000000")), BIC, 7
    yield "the same instruction twice", flow({}, apply_(output()), apply_(output())), BIC, None
    # OFPET_BAD_MATCH
    yield "old type of match", raw_flow(b"", bytes.fromhex("0000000400000000")), BMC, 0
    yield "match longer than the message", raw_flow(b"", bytes.fromhex("0001004000000000")), BMC, 1
    yield "unknown field", raw_match("8000c80401020304"), BMC, 6
    yield "field of a wrong length", raw_match("80000a0308000000"), BMC, None
    yield "vlan_pcp of 8", flow({"vlan_vid": 0x1007, "vlan_pcp": 8}), BMC, 7
    yield "ip_dscp of 64", flow(dict(IP, ip_dscp=64)), BMC, 7
    yield "mask of a field without one", raw_match("80000b040800ff00"), BMC, 8
    yield "value beyond the mask", raw_match("8000070c020000000001ffffffffff00"), BMC, 5
    for match in ({"ipv4_dst": "1.2.3.4"}, dict(IP, tcp_dst=7), {"vlan_pcp": 3}, {"arp_op": 1}, {"eth_type": IPV6, "arp_op": 1}, {"mpls_label": 3}):
        yield "no prerequisite of %s" % list(match)[-1], flow(match), BMC, 9
    yield "a field twice", raw_match("80000a02080080000a020806"), BMC, 10
    # OFPET_FLOW_MOD_FAILED
    yield "add to all tables", flow({}, table=255), FMFC, 2
    yield "overlap", changed_mod(flow({"in_port": 1}), flags=of.OFPFF_CHECK_OVERLAP, priority=1), FMFC, 3
    yield "unknown command", changed_mod(flow({}), command=9), FMFC, 6
    yield "unknown flags", changed_mod(flow({}), flags=0x400), FMFC, 7
    # OFPET_GROUP_MOD_FAILED; groups 1 (of 2), 2 and 3 (select) are there
    yield "group exists", group(1, 0), GMFC, 0
    yield "group of a reserved number", group(0xffffff01, 0), GMFC, 1
    yield "two buckets of an indirect group", group(9, 2, *IN_BUCKETS * 2), GMFC, 1
    yield "no bucket of an indirect group", group(9, 2), GMFC, 1
    yield "a group to itself", changed_mod(group(2, 0, bucket(action("Group", group_id=2))), command=1), GMFC, 7
    yield "a loop of two", changed_mod(group(2, 0, bucket(action("Group", group_id=1))), command=1), GMFC, 7
    yield "a new group to itself", group(9, 0, bucket(action("Group", group_id=9))), GMFC, 7
    yield "a bucket to a group that is not there", group(9, 0, bucket(action("Group", group_id=99))), BAC, 9
    yield "modify of no group", changed_mod(group(9, 0), command=1), GMFC, 8
    yield "delete of a chained group", changed_mod(group(2, 0), command=2), GMFC, 9
    yield "unknown type", group(9, 9), GMFC, 10
    yield "unknown command", changed_mod(group(9, 0), command=9), GMFC, 11
    yield "a bucket's bad port", group(9, 0, bucket(output(0))), BAC, 4
    yield "a bucket that watches no such group", group(9, 3, bucket(output(), watch_group=99)), GMFC, 13
    yield "fast failover that watches nothing", group(9, 3, bucket(output())), GMFC, None
    yield "a bucket shorter than its header", encoded(group(9, 0))[:2] + struct.pack("!H", 32) + encoded(group(9, 0))[4:16] + bytes.fromhex(
        "00080000000000000000000000000000"), GMFC, 12
    # OFPET_METER_MOD_FAILED; meter 1 is there
    yield "meter exists", meter(1, 1, band()), MMFC, 1
    yield "meter 0", meter(0, 1, band()), MMFC, 2
    yield "a reserved meter", meter(0xffff0001, 1, band()), MMFC, 2
    yield "modify of no meter", changed_mod(meter(9, 1, band()), command=1), MMFC, 3
    yield "unknown command", changed_mod(meter(9, 1, band()), command=9), MMFC, 4
    yield "packets and bits", meter(9, 3, band()), MMFC, 5
    yield "unknown flags", meter(9, 0x11, band()), MMFC, 5
    yield "no rate", meter(9, 1, band(rate=0)), MMFC, 6
    yield "unknown band", encoded(meter(9, 1))[:2] + struct.pack("!H", 32) + encoded(meter(9, 1))[4:16] + bytes.fromhex(
        "00090010000000050000000000000000"), MMFC, 8
    yield "more levels than DSCP has values", meter(9, 1, band("DscpRemark", prec_level=64)), MMFC, 9
    yield "nine bands", meter(9, 1, *[band(rate=i + 1) for i in range(9)]), MMFC, 11
    yield "a rule with a meter that is not there", flow({}, meter_instruction(9)), MMFC, 2


def state(peer):
    """What flow, group and meter descriptions say, and how many rules."""
    def ask(kind, body=b""):
        return peer.expect(19, peer.send(18, struct.pack("!HH4x", kind, 0) + body))
    aggregate = ask(2, struct.pack("!B3xII4xQQ", 255, ANY, ANY, 0, 0) + bytes.fromhex("0001000400000000"))
    return struct.unpack_from("!8xQQI", aggregate)[2], ask(7), ask(10, struct.pack("!I4x", ANY))


def main():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[1])
    peer = Peer(sock)
    for mod in (group(2, 0, *IN_BUCKETS), group(1, 0, bucket(action("Group", group_id=2))), group(3, 1, bucket(output(), weight=1)),
                meter(1, 1, band()), changed_mod(flow({}, apply_(action("Group", group_id=1))), priority=1)):
        sock.sendall(encoded(mod))
    peer.barrier()
    assert ERROR not in peer.seen, "the set-up was refused"
    before, wrong, n = state(peer), [], 0
    for what, message, type_, code in refusals():
        data = message if isinstance(message, bytes) else encoded(message)
        sock.sendall(data)
        barrier, error = peer.send(20), None
        while (got := peer.next()) and got[:2] != (21, barrier):
            error = got if got[0] == ERROR else error
        n += 1
        if error is None:
            wrong.append("%s: accepted" % what)
            before = state(peer)
            continue
        got = struct.unpack_from("!HH", error[2])
        if got[0] != type_ or code is not None and got[1] != code:
            wrong.append("%s: (%d, %d) instead of (%d, %s)" % (what, *got, type_, code))
        if error[1] != 77 or error[2][4:] != data[:len(error[2]) - 4] or len(error[2]) - 4 < min(64, len(data)):
            wrong.append("%s: not about the message" % what)
        if state(peer) != before:
            wrong.append("%s: something has changed" % what)
            before = state(peer)
    print("%d refused" % n)
    sys.exit("\n".join(wrong) if wrong else 0)


main()
