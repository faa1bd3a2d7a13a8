"""The floor: dpdk-testpmd receives the file and sends it to the discarding port, or from one guest to the other, looking at nothing."""
import re
import time

from machine import Share, pinned_thread
from process import Process

PMD_CORE = 1
MBUF_BYTES = 1024 + 128


class Floor:
    name = "floor"

    def __init__(self, directory):
        self.directory = directory
        self.process = None

    @staticmethod
    def mbuf_bytes(setup):
        return 2048 + 128 if setup.vhost else MBUF_BYTES

    @classmethod
    def memory_mb(cls, setup):
        return (setup.packets + 65536) * (cls.mbuf_bytes(setup) + 128 + 64) // 2**20 + 128

    @staticmethod
    def devices(setup):
        if setup.vhost:
            return ["net_vhost%d,iface=%s,client=1" % (i, path) for i, (_, path) in enumerate(setup.vhost)]
        return ["net_pcap0,rx_pcap=%s,infinite_rx=1" % setup.pcap, "net_null0,no-rx=1"]

    def start(self, setup):
        self.busy_only = bool(setup.vhost)  # guests do not saturate it
        self.process = Process("floor", [
            "stdbuf", "-oL", "dpdk-testpmd", "--lcores", "0@0,1@%d" % PMD_CORE, "--no-pci", "--in-memory", "--file-prefix", "sluice-bench-floor",
            "-m", str(self.memory_mb(setup)), "--log-level=lib.eal:debug",
            *(word for device in self.devices(setup) for word in ("--vdev", device)), "--",
            "-i", "-a", "--forward-mode=io", "--nb-cores=1", "--mbcache=512",
            "--total-num-mbufs=%d" % (setup.packets + 65536), "--mbuf-size=%d" % self.mbuf_bytes(setup)], self.directory, stdin=True)
        self.process.wait_for(lambda: "testpmd>" in self.process.text(), 120, "prompt")
        if self.busy_only:
            self.process.say("set record-core-cycles on")
        self.share = Share(pinned_thread(self.process.pid, PMD_CORE))

    def tsc_hz(self):
        return int(re.search(r"TSC frequency is ~(\d+) KHz", self.process.text()).group(1)) * 1000

    def sent(self):
        """(packets that the discarding port got, when)"""
        before = len(self.process.text())
        now = time.monotonic()
        self.process.say("show port stats 1")
        pattern = re.compile(r"TX-packets:\s*(\d+).*?Tx-pps", re.S)
        self.process.wait_for(lambda: pattern.search(self.process.text()[before:]), 5, "statistics")
        return int(pattern.search(self.process.text()[before:]).group(1)), (now + time.monotonic()) / 2

    def busy_cycles(self, seconds):
        """(per packet, of turns that had some; the share of packets that the receiving guest had no room for)"""
        self.process.say("clear fwd stats all")
        before = len(self.process.text())
        time.sleep(seconds)
        self.process.say("show fwd stats all")
        pattern = re.compile(r"total cycles=(\d+) / total \w+ packets=(\d+)")
        self.process.wait_for(lambda: pattern.search(self.process.text()[before:]), 5, "statistics")
        text = self.process.text()[before:]
        cycles, packets = pattern.search(text).groups()
        dropped = int(re.search(r"Accumulated.*?TX-dropped: (\d+)", text, re.S).group(1))
        return int(cycles) / max(int(packets), 1), dropped / max(int(packets), 1)

    def measure(self, seconds):
        self.share.begin()
        if self.busy_only:
            cycles, lost = self.busy_cycles(seconds)
            share = self.share.end()
            return {"cycles": cycles * share, "share": share, "lost": lost}
        first, begin = self.sent()
        time.sleep(seconds)
        last, end = self.sent()
        share = self.share.end()
        return {"cycles": self.tsc_hz() * (end - begin) * share / max(last - first, 1), "share": share, "lost": 0.0}

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None
