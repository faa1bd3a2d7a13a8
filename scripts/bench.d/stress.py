"""A storm of new flows, an attack on the number of masks, a second poll-mode core."""
import os
import re
import time

import rules
import traffic
from floor import PMD_CORE
from process import Failed, run as run_command
from scenario import Figure, Scenario, Skipped, value
from setup import through

NEW_FLOWS = 1000000


def reserve(switch, setup, hugepages):
    need = switch.memory_mb(setup)
    if not hugepages.want(need):
        raise Failed("needs %d MB of free hugepages, has %d" % (need, hugepages.free_mb()))


def run_setups(switch, files, hugepages):
    """New flows as fast as the switch takes them, until there are a million (OVS: for ten seconds)."""
    flows = NEW_FLOWS if switch.name == "sluice" else 150000
    pcap, packets = files.pcap("setups-%d" % flows, lambda path: traffic.udp(path, flows))
    setup = through(pcap, packets, emc_entries=1048576, sluice={"megaflow_limit": 1200000})
    reserve(switch, setup, hugepages)
    empty = empty_loop(switch) if switch.name == "sluice" else {}
    switch.start(setup)
    rules_path = files.rules("setups", rules.exact())
    switch.clear()
    switch.load(rules_path)
    return {**sluice_setups(switch), **empty} if switch.name == "sluice" else ovs_setups(switch)


def empty_loop(switch):
    """What the machine takes from a loop that does nothing but read the clock."""
    said = run_command([switch.build + "/tests/bench/empty_loop", str(PMD_CORE), "5"])
    longest, long_turns = re.search(r"own (\d+) us, (\d+) turns", said).groups()
    return {"empty_own_turn_us": int(longest), "empty_long_turns": int(long_turns)}


def ovs_setups(switch):
    begin, first = time.monotonic(), switch.counters()
    time.sleep(10)
    seconds, last = time.monotonic() - begin, switch.counters()
    return {"rate": (last["upcalls"] - first["upcalls"]) / seconds, "lost": last["lost"] / max(last["rx"], 1)}


def sluice_setups(switch):
    points, turns, own_turns, long_turns = [], [], [], 0
    begin = time.monotonic()
    while time.monotonic() - begin < 30:
        points.append((time.monotonic(), switch.ask("flows")["installed"]))
        threads = switch.threads()
        turns.append(max(t["longest_turn_us"] for t in threads))
        own_turns.append(max(t["longest_own_turn_us"] for t in threads))
        long_turns += sum(t["long_turns"] for t in threads)
        switch.clear()
        if points[-1][1] >= NEW_FLOWS:
            break
        time.sleep(0.05)
    # Start and end of the storm are no steady state.
    middle = [p for p in points if 0.05 * NEW_FLOWS <= p[1] <= 0.95 * NEW_FLOWS]
    if len(middle) < 2:
        raise Failed("only %d flows were set up in 30 s" % points[-1][1])
    flows = switch.ask("flows")
    return {"rate": (middle[-1][1] - middle[0][1]) / (middle[-1][0] - middle[0][0]), "seconds": points[-1][0] - begin,
            "longest_turn_us": max(turns), "longest_own_turn_us": max(own_turns), "long_turns": long_turns,
            "cycles_a_translation": flows["cycles_a_translation"], "control_turn_us": flows["longest_turn_us"]}


def setups_text(row):
    words = "%.0fk flow set-ups/s" % (row["rate"] / 1e3)
    if "longest_turn_us" in row:
        words += ", longest turn %.0f us (%.0f us on CPU, %d turns of more than 50 us)" % (
            row["longest_turn_us"], row["longest_own_turn_us"], row["long_turns"])
        words += "; an empty loop %d us, %d turns in 5 s" % (row["empty_own_turn_us"], row["empty_long_turns"])
    return words


def setups_figures(ovs, sluice):
    return [
        Figure("flow set-ups per second", value(ovs, "rate"), value(sluice, "rate"), 400000, at_least=True),
        Figure("longest turn of the poll loop that the scheduler did not cause, us", None, value(sluice, "longest_own_turn_us"), 50),
        Figure("the same of an empty loop on the same core just before, us", None, value(sluice, "empty_own_turn_us")),
    ]


def sent(switch):
    text = run_command(["ovs-ofctl", "dump-ports", switch.management, "2"])
    return int(re.search(r"tx pkts=(\d+)", text).group(1)), time.monotonic()


def run_attack(switch, files, hugepages):
    """Good packets per second with and without the attack."""
    row = {}
    for with_attack in (False, True):
        if switch.name == "ovs":  # its packet pool holds no more
            pcap, packets = files.pcap("attack-small-%d" % with_attack,
                                       lambda path, a=with_attack: traffic.attack(path, a, variants=2))
        else:
            pcap, packets = files.pcap("attack-%d" % with_attack, lambda path, a=with_attack: traffic.attack(path, a))
        setup = through(pcap, packets, files.rules("attack", rules.attack()), emc_entries=16384)
        reserve(switch, setup, hugepages)
        switch.start(setup)
        time.sleep(2)
        seconds = []
        first = begin = sent(switch)
        for _ in range(8):
            time.sleep(1)
            now = sent(switch)
            seconds.append((now[0] - first[0]) / (now[1] - first[1]))
            first = now
        rate = (first[0] - begin[0]) / (first[1] - begin[1])
        good = traffic.ATTACK_GOOD_PER_BAD / (traffic.ATTACK_GOOD_PER_BAD + 1)
        row["attacked" if with_attack else "alone"] = rate if with_attack else rate * good
        row["attacked_worst" if with_attack else "alone_worst"] = min(seconds) * (1 if with_attack else good)
        if with_attack and switch.name == "sluice":
            flows = switch.ask("flows")
            row.update(masks=flows["masks"], megaflows=flows["megaflows"], merged=flows["masks_merged"])
        switch.stop()
    row["kept"] = row["attacked"] / row["alone"]
    return row


def attack_text(row):
    words = "good traffic keeps %.0f %% (%.2f of %.2f Mpps)" % (100 * row["kept"], row["attacked"] / 1e6, row["alone"] / 1e6)
    if "masks" in row:
        words += ", %d megaflows in %d tuples" % (row["megaflows"], row["masks"])
    return words


def attack_figures(ovs, sluice):
    return [Figure("good traffic kept under attack", value(ovs, "kept"), value(sluice, "kept"), 0.8, at_least=True)]


def run_two_cores(switch, files, hugepages):
    """Two ports in, on one poll-mode core and then on two."""
    if os.cpu_count() < 3:
        raise Skipped("skipped: needs three cores, two of them to forward; this machine has %d" % os.cpu_count())
    pcap, packets = files.pcap("two-cores", lambda path: traffic.udp(path, 10000))
    rates = []
    for cores in ([PMD_CORE], [PMD_CORE, PMD_CORE + 1]):
        setup = through(pcap, 2 * packets, files.rules("two-cores", ["in_port=1,ip,nw_dst=11.0.0.0/8,actions=output:2",
                                                                     "in_port=3,ip,nw_dst=11.0.0.0/8,actions=output:4"]),
                        cores=cores)
        setup.ports += [(3, "net_pcap_in3,rx_pcap=%s,infinite_rx=1" % pcap), (4, "net_null4,no-rx=1")]
        reserve(switch, setup, hugepages)
        switch.start(setup)
        time.sleep(2)
        rates.append(switch.measure(3)["mpps"])
        switch.stop()
    return {"one": rates[0], "two": rates[1], "gain": rates[1] / rates[0]}


SCENARIOS = [
    Scenario("setups", "every packet a new flow", "the way of a miss: rings, translation, installation, and that the poll loop does not "
             "wait for any of it", run_setups, setups_text, setups_figures, estimate=40),
    Scenario("attack", "tuple-space explosion", "the bound on the number of tuples: 8192 masks asked for", run_attack,
             attack_text, attack_figures, estimate=60),
    Scenario("two-cores", "two poll-mode cores", "that poll-mode threads share nothing that is written", run_two_cores,
             lambda row: "%.2f x one core" % row["gain"],
             lambda ovs, sluice: [Figure("two cores, times one core", None, value(sluice, "gain"), 1.9, at_least=True)],
             systems=("sluice",), estimate=20),
]
