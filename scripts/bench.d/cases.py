"""The cases that are measured as cycles per packet: traffic, rules, targets."""
from dataclasses import dataclass, field

import conntrack
import rules
import traffic
import tunnels

FLOOR, OVS, SLUICE = "floor", "ovs", "sluice"
EVERYONE = (FLOOR, OVS, SLUICE)


@dataclass
class Case:
    name: str
    title: str
    stresses: str
    flows: tuple
    write: object  # write(path, flows) -> packets in the file
    rules: object  # rules() -> lines
    systems: tuple = EVERYONE
    vs_ovs: dict = field(default_factory=dict)  # flows -> at most this ratio
    vs_floor: dict = field(default_factory=dict)
    emc_entries: dict = field(default_factory=dict)  # flows -> entries, where not the default
    sluice: dict = field(default_factory=dict)  # more keys of the section pmd
    lossless: bool = False
    settled_within: dict = field(default_factory=dict)  # flows -> seconds
    patience: int = 10  # seconds for the caches to know all flows
    frame: int = 0  # vhost: bytes of a frame
    tunnel: object = None  # tunnel(pcap) -> ports of br0, tunnels.Tunnel
    in_quick: tuple = ()
    plotted: bool = False


FLAT = (1, 1000, 10000, 100000)


def same(flows, value):
    return {n: value for n in flows}


_classbench = {}


def classbench(rules_n=100000, flows=100000):
    if (rules_n, flows) not in _classbench:
        _classbench[rules_n, flows] = rules.classbench(rules_n, flows)
    return _classbench[rules_n, flows]


CASES = [
    Case("port", "port rule", "receiving and sending alone: the pipeline looked at nothing but the port, so nothing is parsed",
         FLAT, traffic.udp, rules.port, vs_ovs=same(FLAT, 0.65), vs_floor=same(FLAT, 1.4), in_quick=(1000, 100000),
         plotted=True),
    Case("wildcard", "one wildcard rule", "parsing and the exact-match cache, with a growing number of keys and one megaflow",
         FLAT, traffic.udp, rules.wildcard, vs_ovs={1: 0.75, 1000: 0.60, 10000: 0.45, 100000: 0.38}, vs_floor=same(FLAT, 2.2),
         in_quick=(1, 1000, 100000), plotted=True),
    Case("acl", "960-rule ACL, 32 masks", "the number of tuples: 32 masks of rules make hundreds of masks of megaflows",
         (1000, 10000, 100000), traffic.udp, rules.acl32, vs_ovs={10000: 0.09, 100000: 0.035},
         vs_floor={10000: 2.4, 100000: 2.6}, in_quick=(10000, 100000), plotted=True),
    Case("exact", "every flow its own megaflow", "megaflows instead of keys: as many megaflows as flows, and all of them missed first",
         (1000, 10000, 100000), traffic.udp, rules.exact, vs_ovs={100000: 0.02}, vs_floor={100000: 2.6}, lossless=True,
         in_quick=(100000,), plotted=True),
    Case("million", "every flow its own megaflow", "the same beyond the processor's caches", (1000000,), traffic.udp,
         rules.exact, systems=(FLOOR, SLUICE), vs_floor={1000000: 2.8}, lossless=True, settled_within={1000000: 5.0},
         emc_entries={1000000: 1048576}, patience=30, sluice={"megaflow_limit": 1200000}, plotted=True),
    Case("small-emc", "1M flows, EMC a tenth, 8 masks", "the classifier: nine packets of ten are not in the exact-match cache",
         (1000000,), traffic.udp, lambda: rules.exact_masks(8), systems=(FLOOR, SLUICE), vs_floor={1000000: 6.0},
         lossless=True, emc_entries={1000000: 131072}, patience=30, sluice={"megaflow_limit": 1200000}),
    Case("mix", "mix: VLAN, IPv6, ARP, TCP flags", "keys of two lines, five tables, changed headers", (10000,), traffic.mix,
         rules.mix, vs_ovs={10000: 0.5}, in_quick=(10000,)),
    Case("classbench", "100k-rule ACL, ClassBench style", "many rules: masks of megaflows come from tries over 100 000 rules",
         (100000,), lambda path, flows: traffic.of_tuples(path, classbench(100000, flows)[1]), lambda: classbench()[0],
         vs_ovs={100000: 0.1}, patience=90),
    Case("vhost-64", "vhost-user to vhost-user, 64 B", "copies into and out of a guest's memory, small packets", (1, 10000),
         lambda path, flows: traffic.udp(path, flows, 64), rules.wildcard, vs_ovs=same((1, 10000), 0.5), frame=64,
         in_quick=(1,)),
    Case("vhost-1500", "vhost-user to vhost-user, 1500 B", "the same, long packets", (1, 10000),
         lambda path, flows: traffic.udp(path, flows, 1518), rules.wildcard, vs_ovs=same((1, 10000), 0.6), frame=1518),
]

TUNNELS = (1, 1000, 100000)
for _kind, _title in (("vxlan", "VXLAN"), ("geneve", "Geneve"), ("gre", "GRE")):
    CASES.append(Case("encap-" + _kind, "into " + _title, "outer headers put in front, and the rules of a second bridge", TUNNELS,
                      tunnels.udp, tunnels.encap_rules, systems=(OVS, SLUICE), vs_ovs={1000: 0.5, 100000: 0.35},
                      tunnel=tunnels.encap(_kind)))
    CASES.append(Case("decap-" + _kind, "out of " + _title, "outer headers checked and taken off, and a second lookup", TUNNELS,
                      tunnels.of_type(_kind), tunnels.decap_rules, systems=(OVS, SLUICE), vs_ovs={1000: 0.4, 100000: 0.3},
                      tunnel=tunnels.decap(_kind)))

CASES += [
    Case("ct", "tracked UDP, both directions", "ct(table=1): the tracker, and a second lookup", (1000, 10000, 100000), conntrack.both_directions,
         conntrack.rules, systems=(OVS, SLUICE), vs_ovs={1000: 0.35, 10000: 0.25, 100000: 0.2}),
    Case("ct-zones", "tracked UDP, 1024 zones", "a megaflow before the tracker and one behind it for each zone", (10000, 100000), conntrack.both_directions,
         conntrack.zone_rules, systems=(OVS, SLUICE), vs_ovs={10000: 0.35, 100000: 0.35}),
    Case("ct-nat", "tracked UDP through a NAT gateway", "addresses and checksums of each packet are changed", (10000, 100000), conntrack.translated,
         conntrack.nat_rules, systems=(OVS, SLUICE), vs_ovs={10000: 0.35, 100000: 0.35}),
    Case("ct-million", "tracked UDP, both directions", "the same beyond the processor's caches", (1000000,), conntrack.both_directions,
         conntrack.rules, systems=(SLUICE,), patience=30),
]
