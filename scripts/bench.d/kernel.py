"""Network interfaces of the kernel as ports: the host's ends of two containers' veth pairs. Both switches take packets from the kernel by
packet sockets; OVS does so on its main thread, which gets the poll-mode thread's core for that."""
import json
import shutil
import statistics
import subprocess
import time

from process import Failed, Process, run
from scenario import Figure, Scenario, Skipped, value
from setup import Setup
from stress import reserve

HOSTS = ("sluice-bench-1", "sluice-bench-2")
PORTS = ("slbench1", "slbench2")
SECONDS, REPEAT = 4, 3


def in_host(host, *words, **options):
    return run(["ip", "netns", "exec", HOSTS[host], *words], **options)


def wire():
    """Two namespaces with an eth0 each."""
    for i, (name, port) in enumerate(zip(HOSTS, PORTS)):
        run(["ip", "netns", "add", name])
        run(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name])
        with open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % port, "w") as file:
            file.write("1")
        in_host(i, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        run(["ip", "link", "set", port, "up"])
        in_host(i, "ip", "addr", "add", "10.0.0.%d/24" % (i + 1), "dev", "eth0")
        in_host(i, "ip", "link", "set", "eth0", "up")
        in_host(i, "ip", "link", "set", "lo", "up")


def unwire():
    for name, port in zip(HOSTS, PORTS):
        run(["ip", "link", "del", port], check=False)
        run(["ip", "netns", "del", name], check=False)


def received():
    return int(in_host(1, "cat", "/sys/class/net/eth0/statistics/rx_packets"))


def packets_a_second(build, size, switch):
    """Of a flood from one host, what arrives at the other: in a second, and in a second of the forwarding thread's processor time, which
    others on the machine change less."""
    flood = Process("packet_flood", ["ip", "netns", "exec", HOSTS[0], build + "/tests/bench/packet_flood", "eth0", str(SECONDS + 2), str(size)],
                    switch.directory)
    time.sleep(0.5)
    switch.share.begin()
    before, begin = received(), time.monotonic()
    time.sleep(SECONDS)
    rate = (received() - before) / (time.monotonic() - begin)
    share = switch.share.end()
    if flood.popen.wait(SECONDS + 10) != 0:
        raise flood.failed("did not send")
    return rate, rate / share


def tcp_gbit(directory, sender):
    """From one host to the other by iperf3."""
    receiver = 1 - sender
    server = Process("iperf3", ["ip", "netns", "exec", HOSTS[receiver], "iperf3", "-s", "-1"], directory)
    time.sleep(0.5)
    try:
        said = json.loads(in_host(sender, "iperf3", "-J", "-c", "10.0.0.%d" % (receiver + 1), "-t", str(SECONDS)))
        return said["end"]["sum_received"]["bits_per_second"] / 1e9
    finally:
        server.stop()


def run_kernel(switch, files, hugepages):
    """In turn, so that what else the machine does meets all of it."""
    if not shutil.which("iperf3"):
        raise Skipped("needs iperf3")
    unwire()
    wire()
    try:
        if switch.name == "ovs":  # without this no TCP connection comes about
            for host in range(2):
                in_host(host, "ethtool", "-K", "eth0", "tx", "off")
        rules_path = files.rules("kernel", ["in_port=1,actions=output:2", "in_port=2,actions=output:1"])
        setup = Setup(rules=rules_path, kernel=[(1, PORTS[0]), (2, PORTS[1])])
        reserve(switch, setup, hugepages)
        switch.start(setup)
        subprocess.run(["ip", "netns", "exec", HOSTS[0], "ping", "-q", "-c", "3", "-i", "0.2", "10.0.0.2"], check=True, stdout=subprocess.DEVNULL)
        rates = {"pps60": [], "own60": [], "pps1514": [], "own1514": [], "tcp": [], "tcp_back": []}
        for _ in range(REPEAT):
            for size in (60, 1514):
                rate, own = packets_a_second(files.build, size, switch)
                rates["pps%d" % size].append(rate)
                rates["own%d" % size].append(own)
            rates["tcp"].append(tcp_gbit(switch.directory, 0))
            rates["tcp_back"].append(tcp_gbit(switch.directory, 1))
        return {**{what: statistics.median(some) for what, some in rates.items()}, "all": rates}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise Failed("kernel: %s" % error) from error
    finally:
        switch.stop()
        unwire()


def kernel_text(row):
    return "%.0fk packets/s of 60 B, %.0fk of 1514 B; TCP %.2f and %.2f Gbit/s" % (
        row["pps60"] / 1e3, row["pps1514"] / 1e3, row["tcp"], row["tcp_back"])


def kernel_figures(ovs, sluice):
    def both(what, key):
        return Figure(what, value(ovs, key), value(sluice, key), 1.5, relative=True, at_least=True)

    return [
        both("packets of 60 bytes a second from one container to another", "pps60"),
        both("the same, in a second of the forwarding thread's processor time", "own60"),
        both("packets of 1514 bytes a second", "pps1514"),
        both("the same, in a second of the forwarding thread's processor time", "own1514"),
        both("TCP from one container to another, Gbit/s (OVS: after `ethtool -K eth0 tx off` in each)", "tcp"),
        both("and the other way", "tcp_back"),
    ]


SCENARIOS = [
    Scenario("kernel", "two containers on veth", "packet sockets; Sluice passes checksums and large segments on as they are",
             run_kernel, kernel_text, kernel_figures, estimate=75),
]
