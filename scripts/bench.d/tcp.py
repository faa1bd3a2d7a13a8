"""TCP between guests and containers. A guest is tests/system/vhost-tap: the rings of a vhost-user socket, and behind them the kernel's stack
by a TAP, which leaves to the switch what the switch offers to do. Open vSwitch is measured with `userspace-tso-enable` and without."""
import json
import shutil
import statistics
import subprocess
import time

from process import Failed, Process, run
from scenario import Figure, Scenario, Skipped, value
from setup import Setup
from stress import reserve

SECONDS, REPEAT = 2, 3
GUEST, HOST = "guest", "container"
PAIRS = (("gg", "from one guest to another", (GUEST, GUEST)), ("gc", "from a guest to a container on veth", (GUEST, HOST)),
         ("cg", "from a container on veth to a guest", (HOST, GUEST)), ("cc", "from one container on veth to another", (HOST, HOST)))
ENDS = (GUEST, GUEST, HOST, HOST)  # ports 1 to 4


def name(number):
    return "sluice-tcp-%d" % number


def veth(number):
    return "sltcp%d" % number


def inside(number, *words, **options):
    return run(["ip", "netns", "exec", name(number), *words], **options)


class Hosts:
    """Four namespaces with an eth0 each, of which those of guests come with their guest."""

    def __init__(self, files, directory):
        self.tap = files.build + "/tests/system/vhost-tap"
        self.directory = directory
        self.guests = []

    def socket(self, number):
        return "%s/tcp%d.sock" % (self.directory, number)

    def wire(self):
        for number, kind in enumerate(ENDS, 1):
            run(["ip", "netns", "add", name(number)])
            inside(number, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            inside(number, "ip", "link", "set", "lo", "up")
            if kind == HOST:
                run(["ip", "link", "add", veth(number), "type", "veth", "peer", "name", "eth0", "netns", name(number)])
                run(["sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % veth(number)])
                run(["ip", "link", "set", veth(number), "up"])
                self.address(number)

    @staticmethod
    def address(number):
        inside(number, "ip", "link", "set", "eth0", "address", "02:00:00:00:00:0%d" % number, "up")
        inside(number, "ip", "addr", "add", "10.0.0.%d/24" % number, "dev", "eth0")

    def boot(self):
        """The guests own their sockets, and the switch connects."""
        for number, kind in enumerate(ENDS, 1):
            if kind == GUEST:
                guest = Process("vhost-tap-%d" % number, ["ip", "netns", "exec", name(number), self.tap, self.socket(number), "client", "split", "eth0"],
                                self.directory)
                self.guests.append(guest)
                guest.wait_for(lambda n=number: "eth0" in inside(n, "ip", "-o", "link"), 10, "interface")
                self.address(number)

    def unwire(self):
        for guest in self.guests:
            guest.stop()
        self.guests.clear()
        for number in range(1, len(ENDS) + 1):
            run(["ip", "link", "del", veth(number)], check=False)
            run(["ip", "netns", "del", name(number)], check=False)


def tcp_gbit(directory, sender, receiver):
    server = Process("iperf3", ["ip", "netns", "exec", name(receiver), "iperf3", "-s", "-1"], directory)
    time.sleep(0.5)
    try:
        client = Process("iperf3-client", ["ip", "netns", "exec", name(sender), "iperf3", "-J", "-c", "10.0.0.%d" % receiver, "-t", str(SECONDS)], directory)
        try:
            client.popen.wait(SECONDS + 20)
        finally:
            client.stop()
        return json.loads(client.text())["end"]["sum_received"]["bits_per_second"] / 1e9
    finally:
        server.stop()


def ports_of(ends):
    """The numbers of the two ports of such kinds that speak."""
    first = ENDS.index(ends[0]) + 1
    return first, first + 1 if ends[0] == ends[1] else ENDS.index(ends[1]) + 1


def run_once(switch, files, hugepages, tso):
    """Gbit/s of each pair, repeated in turn, so that what else the machine does meets all of them."""
    hosts = Hosts(files, files.directory)
    hosts.unwire()
    try:
        hosts.wire()
        hosts.boot()
        if switch.name == "ovs" and not tso:  # without this no TCP connection comes about
            for number, kind in enumerate(ENDS, 1):
                if kind == HOST:
                    inside(number, "ethtool", "-K", "eth0", "tx", "off")
        setup = Setup(rules=files.rules("tcp", ["actions=normal"]), tso=tso,
                      vhost=[(n, hosts.socket(n)) for n, kind in enumerate(ENDS, 1) if kind == GUEST],
                      kernel=[(n, veth(n)) for n, kind in enumerate(ENDS, 1) if kind == HOST])
        reserve(switch, setup, hugepages)
        switch.start(setup)
        for number in (2, 3, 4):
            inside(1, "ping", "-q", "-c", "5", "-i", "0.2", "10.0.0.%d" % number)
        rates = {key: [] for key, _, _ in PAIRS}
        for _ in range(REPEAT):
            for key, _, ends in PAIRS:
                rates[key].append(tcp_gbit(files.directory, *ports_of(ends)))
        return rates
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise Failed("tcp: %s" % error) from error
    finally:
        switch.stop()
        hosts.unwire()


def medians(rates):
    return {key: statistics.median(some) for key, some in rates.items()}


def run_tcp(switch, files, hugepages):
    if not shutil.which("iperf3"):
        raise Skipped("needs iperf3")
    with_tso = run_once(switch, files, hugepages, True)
    if switch.name != "ovs":
        return {**medians(with_tso), "all": with_tso}
    without = run_once(switch, files, hugepages, False)
    best = {key: max(rate, medians(without)[key]) for key, rate in medians(with_tso).items()}
    return {**best, "tso": medians(with_tso), "no_tso": medians(without), "all": with_tso, "all_no_tso": without}


def tcp_text(row):
    def some(rates):
        return ", ".join("%s %.2f" % (key, rates[key]) for key, _, _ in PAIRS)

    if "tso" in row:
        return "Gbit/s with userspace-tso: %s; without: %s" % (some(row["tso"]), some(row["no_tso"]))
    return "Gbit/s: " + some(row)


def tcp_figures(ovs, sluice):
    return [Figure("TCP %s, Gbit/s (OVS: the better of `userspace-tso-enable` true and false)" % title, value(ovs, key), value(sluice, key), 1.2,
                   relative=True, at_least=True) for key, title, _ in PAIRS]


SCENARIOS = [
    Scenario("tcp", "TCP of guests and containers", "segments of 64 kB and checksums that the sender leaves to others", run_tcp, tcp_text,
             tcp_figures, estimate=100),
]
