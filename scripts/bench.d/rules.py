"""Rules in the syntax of ovs-ofctl add-flows. Every function returns a list of lines."""
import random

from traffic import TCP, UDP


def port():
    return ["in_port=1,actions=output:2"]


def wildcard():
    return ["in_port=1,ip,nw_dst=11.0.0.0/8,actions=output:2"]


READ_ALL = ("move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31],"
            "move:NXM_OF_IP_SRC[]->NXM_NX_REG1[],move:NXM_OF_IP_DST[]->NXM_NX_REG2[]")


def exact():
    """One rule whose actions read the whole 5-tuple: every flow needs a megaflow of its own."""
    return ["in_port=1,udp,actions=%s,output:2" % READ_ALL]


def exact_masks(n):
    """The same under n masks: rule i also reads one bit of its own."""
    bits = n.bit_length() - 1
    return ["in_port=1,udp,nw_src=10.0.%d.0/%d,actions=%s,move:NXM_OF_ETH_SRC[%d]->NXM_NX_REG3[0],output:2" % (
        i << (8 - bits), 16 + bits, READ_ALL, i) for i in range(n)]


def acl32(per_mask=30):
    """32 masks: source prefix x destination prefix x with and without destination port."""
    rnd = random.Random(3)
    lines = ["priority=1,in_port=1,actions=output:2"]
    for src in (8, 16, 24, 32):
        for dst in (8, 16, 24, 32):
            for tp_dst in ("", ",tp_dst=%d"):
                for _ in range(per_mask):
                    lines.append("priority=%d,in_port=1,udp,nw_src=10.0.%d.%d/%d,nw_dst=11.0.%d.%d/%d%s,actions=output:2" % (
                        rnd.randrange(10, 60000), rnd.randrange(256), rnd.randrange(256), src, rnd.randrange(256),
                        rnd.randrange(256), dst, tp_dst % rnd.randrange(1, 1000) if tp_dst else ""))
    return lines


def mix():
    """Five tables: VLAN, Ethernet, IP with changed headers, layer 4 with TCP flags, output. For traffic.mix()."""
    lines = ["table=0,priority=100,in_port=1,dl_vlan=%d,actions=set_field:%d->metadata,pop_vlan,goto_table:1" % (v, v)
             for v in range(100, 116)]
    lines.append("table=0,priority=90,in_port=1,vlan_tci=0x0000/0x1000,actions=set_field:1->metadata,goto_table:1")
    lines += ["table=1,priority=100,dl_dst=02:00:00:00:01:%02x,actions=goto_table:2" % i for i in range(16)]
    lines.append("table=1,priority=90,arp,arp_op=1,actions=goto_table:4")
    lines += ["table=2,priority=100,ip,nw_dst=11.0.%d.0/24,"
              "actions=set_field:02:00:00:00:02:%02x->eth_dst,dec_ttl,goto_table:3" % (i, i) for i in range(256)]
    lines += ["table=2,priority=100,ipv6,ipv6_dst=2001:db8:0:%x::/64,actions=set_field:02:00:00:00:03:%02x->eth_dst,"
              "dec_ttl,goto_table:3" % (i, i) for i in range(64)]
    lines += [
        "table=3,priority=100,tcp,tcp_flags=+syn-ack,actions=set_field:10->ip_dscp,goto_table:4",
        "table=3,priority=90,tcp,tp_dst=80,actions=goto_table:4",
        "table=3,priority=80,tcp,actions=goto_table:4",
        "table=3,priority=100,udp,tp_dst=53,actions=set_field:46->ip_dscp,goto_table:4",
        "table=3,priority=80,udp,actions=goto_table:4",
        "table=3,priority=80,tcp6,actions=goto_table:4",
        "table=3,priority=80,udp6,actions=goto_table:4",
        "table=4,actions=output:2",
    ]
    return lines


def address(value):
    return "%d.%d.%d.%d" % (value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255)


# Access lists as ClassBench's acl seeds have them, in outline: destinations mostly long prefixes, sources long or
# absent, TCP and UDP, destination port exact, a range (here: its prefix masks) or absent, source port mostly absent.
SRC_PREFIXES = ((32, 38), (24, 18), (27, 8), (28, 8), (21, 4), (16, 6), (0, 18))
DST_PREFIXES = ((32, 48), (24, 20), (30, 8), (28, 8), (27, 5), (23, 5), (16, 6))
PORT_MASKS = ((0xFFFF, 52), (0, 30), (0xFC00, 8), (0xFF00, 6), (0xFFF0, 4))
PROTOCOLS = ((TCP, 75), (UDP, 25))


def classbench(n, n_flows):
    """(rules, 5-tuples of flows that match one of them each)"""
    rnd = random.Random(11)

    def pick(table):
        return rnd.choices([row[0] for row in table], [row[1] for row in table])[0]

    # Addresses come from a tree of networks, so that prefixes nest and are shared.
    networks = [rnd.getrandbits(16) << 16 for _ in range(200)]
    subnets = [rnd.choice(networks) | rnd.getrandbits(8) << 8 for _ in range(4000)]

    def some_address(length):
        if length <= 16:
            base = rnd.choice(networks)
        else:
            base = rnd.choice(subnets) | rnd.getrandbits(8)
        return base & (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF if length else 0

    seen, rules, fields = set(), ["priority=0,in_port=1,actions=drop"], []
    while len(fields) < n:
        src_len, dst_len = pick(SRC_PREFIXES), pick(DST_PREFIXES)
        mask = pick(PORT_MASKS)
        port_value = rnd.choice((22, 25, 53, 80, 110, 123, 143, 443, 1521, 1723, 3306, 5060, 8080)) \
            if mask == 0xFFFF and rnd.random() < 0.7 else rnd.getrandbits(16) & mask
        row = (pick(PROTOCOLS), some_address(src_len), src_len, some_address(dst_len), dst_len, port_value, mask)
        if row in seen:
            continue
        seen.add(row)
        fields.append(row)
        text = "priority=%d,in_port=1,%s" % (65000 - len(fields) * 60000 // n, "tcp" if row[0] == TCP else "udp")
        if src_len:
            text += ",nw_src=%s/%d" % (address(row[1]), src_len)
        text += ",nw_dst=%s/%d" % (address(row[3]), dst_len)
        if mask:
            text += ",tp_dst=0x%x/0x%x" % (port_value, mask) if mask != 0xFFFF else ",tp_dst=%d" % port_value
        rules.append(text + ",actions=output:2")

    tuples = set()
    while len(tuples) < n_flows:
        proto, src, src_len, dst, dst_len, port_value, mask = rnd.choice(fields)
        tuples.add((proto, src | rnd.getrandbits(32) & (0xFFFFFFFF >> src_len), dst | rnd.getrandbits(32) & (0xFFFFFFFF >> dst_len),
                    1024 + rnd.getrandbits(15), port_value | rnd.getrandbits(16) & ~mask & 0xFFFF))
    return rules, sorted(tuples)


def attack():
    """Three rules that traffic.attack() plays off against each other: to miss all of them, a lookup must tell how far source, destination
    and port agree with each, so every combination asks for a mask of its own."""
    return [
        "priority=100,in_port=1,udp,nw_dst=11.0.0.0/16,actions=output:2",
        "priority=40,in_port=1,udp,nw_src=20.0.0.1,actions=output:2",
        "priority=30,in_port=1,udp,nw_dst=21.0.0.1,actions=output:2",
        "priority=20,in_port=1,udp,tp_dst=7777,actions=output:2",
        "priority=1,in_port=1,actions=drop",
    ]


def hosts(n):
    """n rules on a destination each, which no traffic here has."""
    return ["priority=100,in_port=1,udp,nw_dst=%s,actions=output:2" % address(0x40000000 + i) for i in range(n)]
