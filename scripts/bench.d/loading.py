"""Rules: how long they take to load, what they take of memory, and what traffic notices of it."""
import re
import statistics
import subprocess
import time

import rules
import traffic
from machine import resident_mb
from process import Failed, run as run_command
from scenario import Figure, Scenario, value
from setup import Setup, through
from stress import reserve

QUIET_PORTS = [(1, "net_null1,no-rx=1"), (2, "net_null0,no-rx=1")]
REPEAT = 3
WINDOW = 0.5  # shorter ones differ by more than a tenth on a virtual machine that does nothing else
ACTIVE_LIMIT = 90  # seconds


def quiet():
    return Setup(packets=1024, ports=QUIET_PORTS)


def delete_all(switch):
    run_command(["ovs-ofctl", "-t", "300", "-O", "OpenFlow13", "del-flows", switch.management], timeout=310)


def run_idle(switch, files, hugepages):
    """100 000 rules, in a bundle and one by one, while nothing is forwarded."""
    path = files.rules("hosts-100k", rules.hosts(100000))
    bundle, single = [], []
    for _ in range(REPEAT):
        reserve(switch, quiet(), hugepages)
        switch.start(quiet())
        bundle.append(switch.load(path, bundle=True))
        delete_all(switch)
        single.append(switch.load(path))
        switch.stop()
    return {"bundle_s": statistics.median(bundle), "single_s": statistics.median(single), "bundle": bundle, "single": single}


def idle_figures(ovs, sluice):
    return [
        Figure("100k rules in a bundle, s", value(ovs, "bundle_s"), value(sluice, "bundle_s"), 0.5, relative=True),
        Figure("100k rules one by one, s", value(ovs, "single_s"), value(sluice, "single_s"), 0.2, relative=True),
    ]


class Windows:
    """Packets per TSC cycle in windows of WINDOW seconds."""

    def __init__(self, switch):
        self.switch = switch
        self.rates = []
        self.shares = []
        self.begin()

    def begin(self):
        self.last = self.switch.counters()
        self.switch.share.begin()

    def take(self):
        time.sleep(WINDOW)
        now = self.switch.counters()
        self.shares.append(self.switch.share.end())
        self.switch.share.begin()
        cycles = now["total"] - self.last["total"]
        if cycles > 0 and self.shares[-1] > 0.5:
            forwarded = (now["rx"] - now["lost"]) - (self.last["rx"] - self.last["lost"])
            self.rates.append(forwarded / cycles / self.shares[-1])
        self.last = now


def count_rules(switch):
    text = run_command(["ovs-ofctl", "-t", "60", "-O", "OpenFlow13", "dump-aggregate", switch.management], timeout=70)
    return int(re.search(r"flow_count=(\d+)", text).group(1))


def load_watched(switch, path, during):
    """Loads while windows are taken: seconds, and whether it came to its end."""
    begin = time.monotonic()
    client = subprocess.Popen(["taskset", "-c", "0", "ovs-ofctl", "-t", "600", "-O", "OpenFlow13", "add-flows",
                               switch.management, path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              start_new_session=True)
    try:
        while client.poll() is None and time.monotonic() - begin < ACTIVE_LIMIT:
            during.take()
        seconds = time.monotonic() - begin
        if client.poll():
            raise Failed("ovs-ofctl: " + client.stderr.read().decode().strip())
        if client.poll() is not None:
            return seconds, True
    finally:
        if client.poll() is None:
            client.kill()
        client.wait()
    # What it would take at this speed, which only gets worse with the number of rules.
    return seconds * 100000 / max(count_rules(switch), 1), False


def run_active(switch, files, hugepages):
    """The same one by one beside 100 000 active flows with a megaflow each, all of which the new rules take precedence over."""
    path = files.rules("hosts-100k", rules.hosts(100000))
    reserve(switch, quiet(), hugepages)
    switch.start(quiet())
    idle = switch.load(path)
    switch.stop()

    pcap, packets = files.pcap("active", lambda p: traffic.udp(p, 100000))
    exact = files.rules("exact", ["priority=10," + rule for rule in rules.exact()])
    setup = through(pcap, packets, exact, sluice={})
    reserve(switch, setup, hugepages)
    switch.start(setup)
    time.sleep(4)
    before = Windows(switch)
    for _ in range(REPEAT * 5):
        before.take()
    during, seconds, finished = None, [], True
    while finished and len(seconds) < REPEAT:
        if seconds:
            delete_all(switch)
            switch.load(exact)
            time.sleep(4)
        if during is None:
            during = Windows(switch)
        else:
            during.begin()
        took, finished = load_watched(switch, path, during)
        seconds.append(took)
    active = statistics.median(seconds)
    usual = statistics.median(before.rates)
    return {"idle_s": idle, "active_s": active, "times_idle": active / idle, "dip": 1 - min(during.rates) / usual,
            "finished": finished, "dip_before": 1 - min(before.rates) / usual,
            "mean_loss": 1 - statistics.mean(during.rates) / usual, "windows": len(during.rates),
            "share": min(during.shares)}


def active_figures(ovs, sluice):
    return [
        Figure("100k rules one by one beside 100k active flows, s", value(ovs, "active_s"), value(sluice, "active_s")),
        Figure("the same, times idle", value(ovs, "times_idle"), value(sluice, "times_idle"), 2.0),
        Figure("dip of forwarding meanwhile, the worst of windows of 0.5 s", value(ovs, "dip"), value(sluice, "dip"), 0.1),
        Figure("the same of as many windows before, without any change", value(ovs, "dip_before"), value(sluice, "dip_before")),
    ]


def run_million(switch, files, hugepages):
    """A million rules in one bundle: time and resident memory (hugepages apart)."""
    path = files.rules("hosts-1m", rules.hosts(1000000))
    reserve(switch, quiet(), hugepages)
    switch.start(quiet())
    before = resident_mb(switch.pid)
    seconds = switch.load(path, bundle=True)
    return {"bundle_s": seconds, "rules_mb": resident_mb(switch.pid) - before, "resident_mb": resident_mb(switch.pid)}


def million_figures(ovs, sluice):
    return [
        Figure("1M rules in a bundle, s", value(ovs, "bundle_s"), value(sluice, "bundle_s"), 0.5, relative=True),
        Figure("resident memory with 1M rules, MB", value(ovs, "resident_mb"), value(sluice, "resident_mb"), 0.5, relative=True),
    ]


SCENARIOS = [
    Scenario("load-idle", "100k rules, idle", "decoding and the classifier of rules", run_idle,
             lambda row: "bundle %.2f s, one by one %.2f s" % (row["bundle_s"], row["single_s"]), idle_figures, estimate=60),
    Scenario("load-active", "100k rules beside 100k active flows", "that a change finds the megaflows it may affect without walking "
             "them all, and that poll-mode threads notice nothing", run_active,
             lambda row: "idle %.2f s, active %.2f s%s, dip %.0f %% (%.0f %% before)" % (
                 row["idle_s"], row["active_s"], "" if row["finished"] else " (extrapolated)", 100 * row["dip"],
                 100 * row["dip_before"]), active_figures, estimate=60),
    Scenario("load-million", "1M rules in a bundle", "memory of a rule, and that one commit makes a million visible", run_million,
             lambda row: "%.2f s, %.0f MB (%.0f bytes a rule)" % (row["bundle_s"], row["resident_mb"], row["rules_mb"] * 2**20 / 1e6),
             million_figures, estimate=40),
]
