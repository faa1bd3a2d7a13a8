"""The floor: dpdk-testpmd receives the file and sends it to the discarding port, looking at nothing."""
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
    def memory_mb(setup):
        return (setup.packets + 65536) * (MBUF_BYTES + 128 + 64) // 2**20 + 128

    def start(self, setup):
        self.process = Process("floor", [
            "stdbuf", "-oL", "dpdk-testpmd", "--lcores", "0@0,1@%d" % PMD_CORE, "--no-pci", "--in-memory", "--file-prefix", "sluice-bench-floor",
            "-m", str(self.memory_mb(setup)), "--log-level=lib.eal:debug",
            "--vdev", "net_pcap0,rx_pcap=%s,infinite_rx=1" % setup.pcap, "--vdev", "net_null0,no-rx=1", "--",
            "-i", "-a", "--forward-mode=io", "--nb-cores=1", "--mbcache=512",
            "--total-num-mbufs=%d" % (setup.packets + 65536), "--mbuf-size=%d" % MBUF_BYTES], self.directory, stdin=True)
        self.process.wait_for(lambda: "testpmd>" in self.process.text(), 120, "prompt")
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

    def measure(self, seconds):
        self.share.begin()
        first, begin = self.sent()
        time.sleep(seconds)
        last, end = self.sent()
        share = self.share.end()
        return {"cycles": self.tsc_hz() * (end - begin) * share / max(last - first, 1), "share": share, "lost": 0.0}

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None
