"""Measures the cases of cases.py: cycles per packet of the poll-mode core."""
import statistics
import time

from cases import FLOOR, OVS
from guests import Guests
from process import Failed
from progress import Progress
from setup import Setup, through

SAMPLES = 3
SECONDS = 1.5
ENOUGH = 0.95  # of the poll-mode thread's time; a sample with less is taken again
TRIES = 2


def estimate(case, flows, system):
    seconds = 10 + SAMPLES * SECONDS + flows / 100000
    return seconds + (8 if system == OVS else 0)


def setup_of(case, flows, files, guests):
    pcap, packets = files.pcap("%s-%d" % (case.name, flows), lambda path: case.write(path, flows))
    rules_path = files.rules(case.name, case.rules())
    options = {"emc_entries": case.emc_entries.get(flows, 262144), "sluice": case.sluice}
    if case.tunnel:
        ports, tunnel = case.tunnel(pcap)
        return Setup(packets=packets, pcap=pcap, rules=rules_path, ports=ports, tunnel=tunnel, **options)
    if case.frame:
        return Setup(packets=packets, pcap=pcap, rules=rules_path, vhost=list(zip((1, 2), guests.paths)), **options)
    return through(pcap, packets, rules_path, **options)


def settle(switch, limit):
    """Waits until caches know all packets. Returns the seconds it took, or None if they still missed after `limit` seconds."""
    begin = time.monotonic()
    last = None
    while time.monotonic() - begin < limit:
        now = switch.unsettled()
        if now == last:
            return round(max(time.monotonic() - begin - 0.2, 0.0), 2)
        last = now
        time.sleep(0.2)
    return None


def sample(switch):
    """The try in which the poll-mode thread had most of its core."""
    best = None
    for _ in range(TRIES):
        one = switch.measure(SECONDS)
        if best is None or one["share"] > best["share"]:
            best = one
        if best["share"] >= ENOUGH:
            break
    return best


def measure(switch, setup, guests, hugepages, patience):
    """One round of one system."""
    memory = switch.memory_mb(setup) + (guests.memory_mb(setup) if setup.vhost else 0)
    if not hugepages.want(memory):
        raise Failed("needs %d MB of free hugepages, has %d" % (memory, hugepages.free_mb()))
    try:
        if setup.vhost:
            guests.start(setup)
        switch.start(setup)
        if setup.vhost:
            guests.send()
            time.sleep(2)
        settled = 0.0
        if switch.name == FLOOR:
            time.sleep(1)
        else:
            settled = settle(switch, patience)
            time.sleep(1)
        samples = [sample(switch) for _ in range(SAMPLES)]
    finally:
        switch.stop()
        guests.stop()
    middle = sorted(samples, key=lambda one: one["cycles"])[len(samples) // 2]
    middle["lost"] = max(one["lost"] for one in samples)
    middle["settled_s"] = settled
    return middle


def text(result):
    words = ["%.1f cycles/packet" % result["cycles"]]
    for key in ("port_program", "emc", "classifier"):
        if result.get(key, 0) >= 0.005:
            words.append("%s %.0f %%" % (key.replace("_", " "), 100 * result[key]))
    if result.get("classifier", 0) >= 0.005:
        words.append("%.1f tuples" % result["tuples"])
    if result["lost"] >= 0.0005:
        words.append("lost %.1f %%" % (100 * result["lost"]))
    if result["settled_s"] is None:
        words.append("does not settle")
    elif result["settled_s"] >= 1:
        words.append("settled in %.1f s" % result["settled_s"])
    if result["share"] < ENOUGH:
        words.append("core shared: %.0f %%" % (100 * result["share"]))
    return ", ".join(words)


def summary(rounds):
    """Median and spread of the rounds of one system; the rest is that of the round in the middle."""
    cycles = sorted(one["cycles"] for one in rounds)
    middle = sorted(rounds, key=lambda one: one["cycles"])[len(rounds) // 2]
    return dict(middle, cycles=statistics.median(cycles), low=cycles[0], high=cycles[-1], rounds=rounds)


def run(case, flows, switches, rounds, files, directory, hugepages, progress):
    """{system: summary or {"failed": why}}"""
    guests = Guests(directory)
    setup = setup_of(case, flows, files, guests)
    taken = {switch.name: [] for switch in switches}
    failed = {}
    for number in range(rounds):
        for switch in switches:
            progress.step("%s, %d flows, %s, round %d" % (case.name, flows, switch.name, number + 1))
            if switch.name in failed:
                progress.result("skipped")
                continue
            try:
                taken[switch.name].append(measure(switch, setup, guests, hugepages, case.patience))
                progress.result(text(taken[switch.name][-1]))
            except Failed as failure:
                failed[switch.name] = str(failure)
                progress.result("failed: %s" % failure)
    files.forget()
    results = {name: summary(rows) for name, rows in taken.items() if rows}
    for name, why in failed.items():
        results.setdefault(name, {"failed": why})
    return results
