"""A storm of misses that never ends: more flows than there is room for megaflows, and what is left for those who talk to the switch."""
import json
import resource
import socket
import statistics
import time

import rules
import traffic
from loading import quiet
from process import run as run_command
from scenario import Figure, Scenario, value
from setup import through
from stress import reserve

FLOWS, ROOM = 150000, 20000
SINGLE, BUNDLE = 5000, 20000
REPEAT = 3
COMMANDS = 200


class Commands:
    """Requests on one connection to the control socket, one after the other; OVS and Sluice speak the same protocol."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)

    def ask(self):
        self.socket.sendall(b'{"id":0,"method":"version","params":[]}')
        received = b""
        while True:
            received += self.socket.recv(65536)
            try:
                return json.loads(received)
            except ValueError:
                continue

    def milliseconds(self):
        """The median; between two requests the client rests, so that each finds the switch busy with other things."""
        took = []
        for _ in range(COMMANDS):
            time.sleep(0.005)
            begin = time.monotonic()
            self.ask()
            took.append(1e3 * (time.monotonic() - begin))
        self.socket.close()
        return statistics.median(took)


def misses(switch):
    if switch.name == "sluice":
        return switch.ask("flows")["misses"]
    return switch.unsettled()


class Watch:
    """Misses a second while something else goes on, and the processor time of the clients meanwhile."""

    def __init__(self, switch):
        self.switch = switch
        self.misses, self.begin = misses(switch), time.monotonic()
        self.client = self.client_s()

    @staticmethod
    def client_s():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def end(self):
        client, seconds = self.client_s() - self.client, time.monotonic() - self.begin
        return {"rate": (misses(self.switch) - self.misses) / seconds, "client_s": client}


def measure(switch, files, with_storm):
    """Rules are deleted again each time: they are those of hosts that no packet is for."""
    single_path = files.rules("storm-single", rules.hosts(SINGLE))
    bundle_path = files.rules("storm-bundle", rules.hosts(BUNDLE))
    seconds = {"single": [], "bundle": []}
    rates = {"single": [], "bundle": [], "alone": []}
    client = []
    for _ in range(REPEAT):
        if with_storm:
            watch = Watch(switch)
            time.sleep(1)
            rates["alone"].append(watch.end()["rate"])
        for what, path in (("single", single_path), ("bundle", bundle_path)):
            watch = Watch(switch)
            seconds[what].append(switch.load(path, bundle=what == "bundle"))
            end = watch.end()
            rates[what].append(end["rate"])
            if what == "single":
                client.append(end["client_s"])
            delete_hosts(switch)
    return {"single_s": statistics.median(seconds["single"]), "bundle_s": statistics.median(seconds["bundle"]),
            "command_ms": Commands(switch.control).milliseconds(), "client_s": statistics.median(client),
            "rates": {what: statistics.median(some) for what, some in rates.items() if some}, "seconds": seconds}


def delete_hosts(switch):
    run_command(["ovs-ofctl", "-t", "300", "-O", "OpenFlow13", "del-flows", switch.management, "udp,nw_dst=64.0.0.0/8"], timeout=310)


def run_storm(switch, files, hugepages):
    """The same without traffic and then in the storm."""
    pcap, packets = files.pcap("storm", lambda path: traffic.udp(path, FLOWS))
    exact = files.rules("storm-exact", ["priority=10," + rule for rule in rules.exact()])
    reserve(switch, quiet(), hugepages)
    switch.start(quiet())
    idle = measure(switch, files, False)
    switch.stop()
    setup = through(pcap, packets, exact, flow_limit=ROOM)
    reserve(switch, setup, hugepages)
    switch.start(setup)
    time.sleep(4)
    storm = measure(switch, files, True)
    alone = storm["rates"]["alone"]
    return {"idle": idle, "storm": storm, "misses": alone,
            "single_times": storm["single_s"] / idle["single_s"], "bundle_times": storm["bundle_s"] / idle["bundle_s"],
            "command_ms": storm["command_ms"], "single_s": storm["single_s"], "bundle_s": storm["bundle_s"],
            "single_kept": storm["rates"]["single"] / alone, "bundle_kept": storm["rates"]["bundle"] / alone}


def storm_text(row):
    idle, storm = row["idle"], row["storm"]
    return ("%.0fk misses/s; %d rules one by one %.3f s (idle %.3f; the client's processor time %.3f and %.3f), %.0f %% of the misses go on; "
            "%d in a bundle %.3f s (idle %.3f), %.0f %%; a command %.2f ms (idle %.2f)" % (
                row["misses"] / 1e3, SINGLE, storm["single_s"], idle["single_s"], storm["client_s"], idle["client_s"],
                100 * row["single_kept"], BUNDLE, storm["bundle_s"], idle["bundle_s"], 100 * row["bundle_kept"],
                storm["command_ms"], idle["command_ms"]))


def storm_figures(ovs, sluice):
    def both(what, key, target=None, **options):
        return Figure(what, value(ovs, key), value(sluice, key), target, **options)

    return [
        both("misses a second in a storm without end", "misses"),
        both("5000 rules one by one in the storm, s", "single_s"),
        both("this, times idle", "single_times", 4.0),
        both("misses that go on meanwhile, share of those without rules", "single_kept", 0.5, at_least=True),
        both("20 000 rules in a bundle in the storm, s", "bundle_s"),
        both("this, times idle", "bundle_times", 2.0),
        both("misses that go on meanwhile, share of those without rules", "bundle_kept", 0.5, at_least=True),
        both("a command on the control socket in the storm, ms", "command_ms", 1.0),
    ]


SCENARIOS = [
    Scenario("storm", "rules and commands in a storm of misses", "that whoever talks to the switch is served between a few misses",
             run_storm, storm_text, storm_figures, estimate=60),
]
