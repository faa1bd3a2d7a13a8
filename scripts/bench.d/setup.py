"""What a switch is started with for one measurement."""
import os
from dataclasses import dataclass, field

import rules
import traffic
from floor import PMD_CORE


@dataclass
class Setup:
    packets: int = 1024  # in the file, held in buffers
    pcap: str = ""
    rules: str = ""  # file
    ports: list = field(default_factory=list)  # (OpenFlow number, DPDK devargs)
    vhost: list = field(default_factory=list)  # (OpenFlow number, socket of the guest)
    kernel: list = field(default_factory=list)  # (OpenFlow number, network interface)
    cores: list = field(default_factory=lambda: [PMD_CORE])
    emc_entries: int = 262144
    tso: bool = False  # OVS: userspace-tso-enable
    flow_limit: int = 0  # most megaflows; 0 = ample
    sluice: dict = field(default_factory=dict)  # more keys of the section pmd
    tunnel: object = None  # tunnels.Tunnel: a tunnel port in br0, and a second bridge that outer packets come and go by


class Files:
    """Traffic and rules of one case, written once for all systems and rounds."""

    def __init__(self, directory, build):
        self.directory = directory
        self.build = build  # the folder with the bench's own programs
        self.packets = {}

    def pcap(self, key, make):
        """Path and number of packets of the file that make(path) writes."""
        path = os.path.join(self.directory, key + ".pcap")
        if path not in self.packets:
            self.packets[path] = make(path)
        return path, self.packets[path]

    def rules(self, key, lines):
        path = os.path.join(self.directory, key + ".rules")
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def forget(self):
        for path in self.packets:
            os.unlink(path)
        self.packets.clear()


def through(pcap, packets, rules_path="", **options):
    """From the file to a port that discards."""
    return Setup(packets=packets, pcap=pcap, rules=rules_path, ports=[
        (1, "net_pcap_in,rx_pcap=%s,infinite_rx=1" % pcap), (2, "net_null0,no-rx=1")], **options)


__all__ = ["Files", "Setup", "rules", "through", "traffic"]
