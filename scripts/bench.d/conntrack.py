"""Connection tracking: each connection's packets come in at port 1, of both directions, and are tracked, looked up again by their state, and
sent. Both switches have the same rules."""
import os
import struct
import time

import traffic
from floor import PMD_CORE
from process import Failed, run as run_command
from scenario import Figure, Scenario, value
from setup import through
from stress import reserve

NAT_ADDRESS = 0xC0000201  # 192.0.2.1


def both_directions(path, connections):
    """UDP, one packet of each side of each connection."""
    return of_sides(path, connections, lambda src, dst, sport, dport: (dst, src, dport, sport))


def translated(path, connections):
    """The same, where the other side answers to the address that the source was translated to."""
    return of_sides(path, connections, lambda src, dst, sport, dport: (dst, NAT_ADDRESS, dport, sport))


def of_sides(path, connections, reply):
    maker, back = traffic.Ipv4(), traffic.Ipv4(eth_dst=traffic.ETH_SRC, eth_src=traffic.ETH_DST)
    packets = []
    for i in range(connections):
        ends = traffic.flow_tuple(i)
        packets += [maker.frame(*ends), back.frame(*reply(*ends))]
    return traffic.write(path, packets, traffic.shuffled(len(packets)))


def behind(options=""):
    """What is new is committed; what is established passes."""
    return [
        "table=1,priority=10,ip,ct_state=+trk+new,actions=ct(commit%s),output:2" % options,
        "table=1,priority=10,ip,ct_state=+trk+est,actions=output:2",
        "table=1,priority=0,actions=output:2",
    ]


def rules():
    return ["table=0,priority=10,ip,ct_state=-trk,actions=ct(table=1)"] + behind()


def zone_rules():
    """A zone for each of 1024 servers: the last bits of 11.x.x.x, which is the destination of one side's packets and the source of the other's."""
    return ["table=0,priority=10,ip,ct_state=-trk,nw_%s=11.0.0.0/8,actions=move:NXM_OF_IP_%s[0..9]->NXM_NX_REG0[0..9],"
            "ct(table=1,zone=NXM_NX_REG0[0..15])" % (side, side.upper()) for side in ("src", "dst")] + behind(",zone=NXM_NX_REG0[0..15]")


def nat_rules():
    """A gateway: the source of what 10.x.x.x sends becomes 192.0.2.1."""
    return [
        "table=0,priority=10,ip,ct_state=-trk,actions=ct(table=1,nat)",
        "table=1,priority=10,ip,nw_src=10.0.0.0/8,ct_state=+trk+new,actions=ct(commit,nat(src=192.0.2.1)),output:2",
        "table=1,priority=10,ip,ct_state=+trk+est,actions=output:2",
        "table=1,priority=0,actions=drop",
    ]


# --- new connections ---------------------------------------------------------------------------------------------------------------------

SYN, ACK, PSH, FIN = 0x02, 0x10, 0x08, 0x01
AT_ONCE = 256  # connections that are open at a time
# Who sends, flags, sequence and acknowledgement numbers (of a side's own 1000 and 2000), octets: opened, four packets of data, closed.
STEPS = ((0, SYN, 0, 0, 0), (1, SYN | ACK, 0, 1, 0), (0, ACK, 1, 1, 0), (0, PSH | ACK, 1, 1, 6), (1, PSH | ACK, 1, 7, 6), (0, PSH | ACK, 7, 7, 6),
         (1, PSH | ACK, 7, 13, 6), (0, FIN | ACK, 13, 13, 0), (1, FIN | ACK, 13, 14, 0), (0, ACK, 14, 14, 0))


def tcp_frame(src, dst, sport, dport, flags, seq, ack, data):
    length = 20 + data
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 60000, 0, 0)
    pseudo = struct.pack("!IIHH", src, dst, traffic.TCP, length)
    total = traffic.checksum(pseudo + head + bytes(data))
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + length, 0, 0x4000, 64, traffic.TCP, 0, src, dst)
    ip = ip[:10] + struct.pack("!H", traffic.checksum(ip)) + ip[12:]
    return (traffic.ETH_DST + traffic.ETH_SRC + b"\x08\x00" + ip + head[:16] + struct.pack("!H", total) + head[18:] + bytes(data)).ljust(60, b"\0")


def tcp_life(path, connections):
    """TCP connections from their first packet to their last, 256 at a time. The file is received over and over: the same ends connect again."""
    packets = []
    for first in range(0, connections, AT_ONCE):
        for side, flags, seq, ack, data in STEPS:
            for i in range(first, min(first + AT_ONCE, connections)):
                src, dst, sport, dport = traffic.flow_tuple(i)
                own, other = (1000, 2000) if side == 0 else (2000, 1000)
                ends = (src, dst, sport, dport) if side == 0 else (dst, src, dport, sport)
                packets.append(tcp_frame(*ends, flags, own + seq, other + ack if flags & ACK else 0, data))
    return traffic.write(path, packets, range(len(packets)))


TCP_CONNECTIONS = 15000
NEW_SECONDS = 4


def run_new(switch, files, hugepages):
    pcap, packets = files.pcap("ct-new", lambda path: tcp_life(path, TCP_CONNECTIONS))
    setup = through(pcap, packets, files.rules("ct-new", rules()))
    reserve(switch, setup, hugepages)
    switch.start(setup)
    time.sleep(4)
    row = switch.measure(NEW_SECONDS)
    hz = row["all_in"] * row["rx"] / row["share"] / NEW_SECONDS
    row["connection_cycles"] = row["cycles"] * len(STEPS)
    row["rate"] = hz / row["connection_cycles"]
    if switch.name == "sluice":  # that they are made, and not passed by as something else
        rates = switch.ask("conntrack")["rates"]
        row["made"] = rates["made_per_s"]
        if rates["made_per_s"] < 0.5 * row["rx"] / NEW_SECONDS / len(STEPS):
            raise Failed("sluice: %.0f connections a second are made, of %.0f packets" % (rates["made_per_s"], row["rx"] / NEW_SECONDS))
    return row


def new_text(row):
    return "%.0f cycles a connection of ten packets: %.0fk a second and core%s" % (
        row["connection_cycles"], row["rate"] / 1e3, ", %.0fk were made" % (row["made"] / 1e3) if "made" in row else "")


def new_figures(ovs, sluice):
    return [
        Figure("TCP connections opened, used for 4 packets and closed, a second and core", value(ovs, "rate"), value(sluice, "rate"), 500000,
               at_least=True),
        Figure("the same, to Open vSwitch's", value(ovs, "rate"), value(sluice, "rate"), 3, relative=True, at_least=True),
    ]


# --- flushing a zone ---------------------------------------------------------------------------------------------------------------------

FLUSHED = 1000000


def run_flush(switch, files, hugepages):
    """A million connections of zone 5, whose packets stop; then the zone is flushed beside traffic of zone 6."""
    many, n_many = files.pcap("ct-flush-many", lambda path: traffic.udp(path, FLUSHED))
    few, n_few = files.pcap("ct-flush-few", lambda path: both_directions(path, 1000))
    other = ["priority=10,in_port=3,ip,ct_state=-trk,actions=ct(table=1,zone=6)"] + behind(",zone=6")
    setup = through(many, n_many + n_few, files.rules("ct-flush", ["priority=10,in_port=1,ip,actions=ct(commit,zone=5)"] + other))
    setup.ports.append((3, "net_pcap_in3,rx_pcap=%s,infinite_rx=1" % few))
    reserve(switch, setup, hugepages)
    switch.start(setup)
    end = time.monotonic() + 40
    while switch.ask("conntrack")["connections"] < FLUSHED and time.monotonic() < end:
        time.sleep(0.2)
    found = switch.ask("conntrack")["connections"]
    if found < FLUSHED:
        raise Failed("sluice: only %d connections" % found)
    run_command(["ovs-ofctl", "-O", "OpenFlow13", "mod-flows", "--strict", switch.management, "priority=10,ip,in_port=1,actions=drop"])
    time.sleep(2)
    rows = [turns(switch, lambda: None), turns(switch, lambda: switch.ctl("dpctl/flush-conntrack", "zone=5"))]
    begin = time.monotonic()
    while switch.ask("conntrack")["connections"] > 2000:  # their memory comes back behind the scenes
        if time.monotonic() - begin > 60:
            raise Failed("sluice: %d connections are left" % switch.ask("conntrack")["connections"])
        time.sleep(0.2)
    return {"before": rows[0], "flush": rows[1]}


def turns(switch, act):
    """The longest turns of the two loops in two seconds from `act` on, its own time, and what is lost meanwhile but by the rule that drops."""
    switch.clear()
    switch.ctl("flows", "clear")
    drops = switch.ask("drops")
    begin = time.monotonic()
    act()
    took = time.monotonic() - begin
    time.sleep(2)
    now = switch.ask("drops")
    return {"command_ms": 1e3 * took, "poll_us": max(t["longest_own_turn_us"] for t in switch.threads()),
            "control_us": switch.ask("flows")["longest_turn_own_us"],
            "lost": sum(n - drops.get(name, 0) for name, n in now.items() if name != "policy")}


def flush_text(row):
    return "; ".join("%s: command %.2f ms, poll loop %.0f us, control loop %.0f us, lost %d" % (
        name, one["command_ms"], one["poll_us"], one["control_us"], one["lost"]) for name, one in row.items())


def flush_figures(_ovs, sluice):
    flush, before = (sluice or {}).get("flush"), (sluice or {}).get("before")
    return [
        Figure("flush of a zone with 1M connections: the command, ms", None, value(flush, "command_ms")),
        Figure("longest turn of the poll loop meanwhile, us (without the flush: %d)" % (before["poll_us"] if before else 0), None,
               value(flush, "poll_us"), 1000),
        Figure("longest turn of the control loop meanwhile, us (without the flush: %d)" % (before["control_us"] if before else 0), None,
               value(flush, "control_us"), 1000),
        Figure("packets of another zone lost meanwhile", None, value(flush, "lost"), 0),
    ]


# --- two threads on one zone -------------------------------------------------------------------------------------------------------------

def run_threads(switch, files, hugepages):
    """Both sides' packets of the same 10 000 connections on one thread, and then each side's on one of two. Where there are two cores, the
    second thread shares its own with everything else, so what counts is the first one: it has its core alone, and all that the other does to
    the connections they share makes it wait."""
    sides = [files.pcap("ct-side%d" % side, lambda path, s=side: one_side(path, 10000, s)) for side in (0, 1)]
    lines = ["table=0,priority=10,ip,ct_state=-trk,actions=ct(table=1)"] + behind()
    other = PMD_CORE + 1 if os.cpu_count() > 2 else 0
    rows = []
    for cores in ([PMD_CORE], [PMD_CORE, other]) * 2:
        setup = through(sides[0][0], 2 * sides[0][1], files.rules("ct-threads", lines), cores=cores)
        # Ports are given to the threads in turn.
        setup.ports.insert(1, (3, "net_pcap_in3,rx_pcap=%s,infinite_rx=1" % sides[1][0]))
        reserve(switch, setup, hugepages)
        switch.start(setup)
        time.sleep(3)
        rows.append(switch.measure_threads(cores, 3))
        switch.stop()
    two = [min(row[core]["cycles"] for row in rows[1::2]) for core in (PMD_CORE, other)]
    one = min(row[PMD_CORE]["cycles"] for row in rows[0::2])
    return {"one": one, "two": two[0], "second": two[1], "times": two[0] / one, "cores": os.cpu_count(),
            "second_share": rows[-1][other]["share"]}


def threads_text(row):
    return "%.0f cycles a packet of the thread's own time on one thread; on two %.0f, and %.0f on the second, which had %.0f %% of its core" % (
        row["one"], row["two"], row["second"], 100 * row["second_share"])


def threads_figures(_ovs, sluice):
    return [
        Figure("cycles a packet on the first of two threads, times one thread", None, value(sluice, "times"), 1.3),
        Figure("cycles a packet of its own time on the second (%.0f %% of a core)" % (100 * sluice["second_share"] if sluice else 0), None,
               value(sluice, "second")),
    ]


def one_side(path, connections, side):
    maker = traffic.Ipv4()
    ends = [traffic.flow_tuple(i) for i in range(connections)]
    return traffic.write(path, [maker.frame(*((s, d, sp, dp) if side == 0 else (d, s, dp, sp))) for s, d, sp, dp in ends],
                         traffic.shuffled(connections, 7 + side))


SCENARIOS = [
    Scenario("ct-new", "new TCP connections", "making and ending connections, and the state machine", run_new, new_text, new_figures),
    Scenario("ct-flush", "a zone of a million connections is flushed", "that a flush takes no time of any loop", run_flush, flush_text,
             flush_figures, systems=("sluice",), estimate=40),
    Scenario("ct-threads", "one zone on two poll-mode threads", "that established packets take no lock and write no common line", run_threads,
             threads_text, threads_figures, systems=("sluice",), estimate=40),
]
