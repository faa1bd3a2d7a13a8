"""Cases that measure rates, in the switch tester's form: shares of select groups, copies, meters. cases() as in own_cases.py.

The tester sends as fast as it can up to a rate, and compares what arrives with rates that are fixed. So a meter below what is sent makes the rate, and
what is compared are its accuracy and the shares. Random values are chosen by the tester, for each packet anew.
"""
from own_cases import *

KBPS, PKTPS, BURST, STATS = 1, 2, 4, 8


def drop(rate, burst=0):
    return {"OFPMeterBandDrop": {"rate": rate, "burst_size": burst}}


def remark(rate, level, burst=0):
    return {"OFPMeterBandDscpRemark": {"rate": rate, "burst_size": burst, "prec_level": level}}


def rate_case(description, mods, ingress, wanted, sent=300, seconds=4):
    """`wanted`: (match at the tester, unit, rate) of what is to arrive of `sent` packets a second."""
    return {"description": description, "prerequisite": mods,
            "tests": [{"ingress": {"packets": {"data": text(ingress), "pktps": sent, "duration_time": seconds}},
                       "egress": {"throughput": [{"OFPMatch": {"oxm_fields": oxm(dict({"in_port": 2}, **match))}, unit: rate}
                                                 for match, unit, rate in wanted]}}]}


def metered(rate, *instructions):
    """Rules that send what passes at that rate on to table 1, and what it does there."""
    return [meter(1, PKTPS, drop(rate)), flow({}, meter_instruction(1), goto(1)), flow({}, *instructions, table=1)]


# --- where copies go ----------------------------------------------------------------------------------------------------

def copies():
    before = plain("ipv4/udp")
    to_group = apply_(action("Group", group_id=1))

    def one(what, ports, *instructions, groups=()):
        return rate_case("%s-->%s" % (kind(before), what), list(groups) + metered(100, *instructions), before,
                         [({"in_port": port}, "pktps", 100) for port in ports])
    yield one("output:IN_PORT", [1], apply_(output(IN_PORT)))
    yield one("output:ALL", [2, 3], apply_(output(ALL)))
    yield one("output:FLOOD", [2, 3], apply_(output(FLOOD)))
    yield one("output:IN_PORT,output:2,output:3", [1, 2, 3], apply_(output(IN_PORT), output(2), output(3)))
    yield one("group all: every port", [1, 2, 3], to_group,
              groups=[group(1, 0, *[bucket(set_field("eth_dst", DST), output(port)) for port in (IN_PORT, 2, 3)])])
    yield one("group fast failover: one bucket", [3], to_group,
              groups=[group(1, 3, bucket(output(3), watch_port=3), bucket(output(2), watch_port=2))])


# --- select -------------------------------------------------------------------------------------------------------------

def anything(low, high):
    return Expression("randint(%d, %d)" % (low, high))


def any_text(form, *ranges):
    return Expression("%r %% (%s)" % (form, ", ".join("randint(%d, %d)" % one for one in ranges)))


BYTE, WORD = (0, 255), (0, 65535)


def varied():
    """What a select group is to spread over, and a packet in which it is random. Of IP packets only the 5-tuple counts."""
    mac, host = any_text("12:11:11:%02x:%02x:%02x", BYTE, BYTE, BYTE), any_text("10.%d.%d.%d", BYTE, BYTE, BYTE)
    six, port, label = any_text("10::%x:%x", WORD, WORD), anything(1024, 65535), anything(16, (1 << 20) - 1)
    four, four_udp, six_tcp = plain("ipv4/tcp"), plain("ipv4/udp"), plain("ipv6/tcp")
    yield "eth_src", changed(plain("arp"), 0, src=mac)
    yield "eth_dst", changed(plain("arp"), 0, dst=mac)
    yield "vlan_vid", changed(in_tag("arp", (vlan, VLAN)), 1, vid=anything(1, 4094))
    yield "ipv4_src", changed(four, 1, src=host)
    yield "ipv4_dst", changed(four_udp, 1, dst=host)
    yield "ipv6_src", changed(six_tcp, 1, src=six)
    yield "ipv6_dst", changed(plain("ipv6/udp"), 1, dst=six)
    yield "tcp_src", changed(four, 2, src_port=port)
    yield "udp_dst", changed(four_udp, 2, dst_port=port)
    yield "arp_spa", changed(plain("arp"), 1, src_ip=host)
    yield "mpls_label", changed([eth(MPLS), mpls()] + four[1:], 1, label=label)
    yield "the label below", changed([eth(MPLS), mpls(bsb=0), mpls()] + four[1:], 2, label=label)
    yield "pbb_isid", changed([eth(PBB), itag()] + four, 1, sid=anything(0, (1 << 24) - 1))


def spread(what, packet, weights, rate):
    """By what its bucket writes one knows where a packet went."""
    macs = ["aa:bb:cc:dd:ee:%02x" % i for i in range(len(weights))]
    buckets = [bucket(set_field("eth_dst", mac), output(2), weight=weight) for mac, weight in zip(macs, weights)]
    return rate_case("%s-->select by %s, weights %s" % (kind(packet), what, ":".join(map(str, weights))),
                     [group(1, 1, *buckets)] + metered(rate, apply_(action("Group", group_id=1))), packet,
                     [({"eth_dst": mac}, "pktps", rate * weight / sum(weights)) for mac, weight in zip(macs, weights)], sent=rate * 3 // 2, seconds=6)


def shares():
    """The tester takes 10 %: four standard deviations of what chance makes of 1800 packets and two buckets, of 3600 and three."""
    for what, packet in varied():
        yield spread(what, packet, (7, 7), 300)
    yield spread("eth_src", dict(varied())["eth_src"], (1, 2, 2), 600)


# --- meters -------------------------------------------------------------------------------------------------------------

def bands():
    for name in ("ipv4/udp", "ipv6/tcp"):
        ethertype, layers = PAYLOADS[name]
        before = plain(name)
        green = changed(before, 1, **{"tos" if ethertype == IPV4 else "traffic_class": 10 << 2})

        def one(what, flags, bands_, packet, *wanted):
            return rate_case("%s-->meter %s" % (name, what), [meter(1, flags, *bands_), flow({}, meter_instruction(1), apply_(output()))],
                             packet, wanted)

        def dscp(value):
            return {"eth_type": ethertype, "ip_dscp": value}
        yield one("drop 50 pktps", PKTPS, [drop(50)], before, ({}, "pktps", 50))
        yield one("drop 80 pktps, burst 10", PKTPS | BURST | STATS, [drop(80, 10)], before, ({}, "pktps", 80))
        yield one("drop 50 kbps", KBPS, [drop(50)], before, ({}, "kbps", 50))
        yield one("drop 100 kbps, burst 20", KBPS | BURST, [drop(100, 20)], before, ({}, "kbps", 100))
        yield one("dscp_remark 50 pktps", PKTPS, [remark(50, 1)], green, (dscp(10), "pktps", 50))
        yield one("dscp_remark 50 kbps", KBPS, [remark(50, 1)], green, (dscp(10), "kbps", 50))
        # Of the bands that are exceeded the highest applies (OpenFlow 1.3.5, 5.7.1).
        yield one("dscp_remark 60, drop 120 pktps", PKTPS, [remark(60, 1), drop(120)], green, (dscp(10), "pktps", 60), (dscp(12), "pktps", 60))
        yield one("dscp_remark 60 by 1, 120 by 2, drop 180 pktps", PKTPS, [remark(60, 1), remark(120, 2), drop(180)], green,
                  (dscp(10), "pktps", 60), (dscp(12), "pktps", 60), (dscp(14), "pktps", 60))
        yield one("of no band of theirs: drop 200, drop 100 pktps", PKTPS, [drop(200), drop(100)], before, ({}, "pktps", 100))
    two = changed(plain("ipv4/udp"), 2, dst_port=anything(1, 2))
    udp = {"eth_type": IPV4, "ip_proto": 17}

    def each(what, meters, ids, wanted):
        return rate_case("two flows-->%s" % what, meters + [flow(dict(udp, udp_dst=port), meter_instruction(id_), apply_(output()))
                                                           for port, id_ in ids], two, wanted, sent=400)
    yield each("a meter each", [meter(1, PKTPS, drop(50)), meter(2, PKTPS, drop(100))], [(1, 1), (2, 2)],
               [(dict(udp, udp_dst=1), "pktps", 50), (dict(udp, udp_dst=2), "pktps", 100)])
    yield each("one meter for both", [meter(1, PKTPS, drop(80))], [(1, 1), (2, 1)], [({}, "pktps", 80)])
    yield each("a table each with a meter", [meter(1, PKTPS, drop(200)), meter(2, PKTPS, drop(70)), flow(udp, meter_instruction(2), apply_(output()), table=1),
                                             flow({}, meter_instruction(1), goto(1))], [], [({}, "pktps", 70)])


def cases():
    """(file, [title, case ...])"""
    for name, maker in (("rate/copies", copies), ("rate/select", shares), ("rate/meter", bands)):
        yield "own/" + name, ["own: " + name] + list(maker())
