"""Two guests' ends of vhost-user ports without virtual machines: one testpmd on the control core sends a file into the first
socket and discards what comes out of the second, a burst each in turn."""
import os

from process import Process


class Guests:
    def __init__(self, directory):
        self.directory = directory
        self.process = None
        self.paths = [os.path.join(directory, "guest%d.sock" % i) for i in (1, 2)]

    @staticmethod
    def memory_mb(setup):
        return (setup.packets + 16384) * 2560 // 2**20 + 64

    def start(self, setup):
        for path in self.paths:
            if os.path.exists(path):
                os.unlink(path)
        self.process = Process("guests", [
            "stdbuf", "-oL", "dpdk-testpmd", "--lcores", "0@0,1@0", "--no-pci", "--in-memory", "--single-file-segments", "--file-prefix",
            "sluice-bench-guests", "-m", str(self.memory_mb(setup)),
            "--vdev", "net_pcap0,rx_pcap=%s,infinite_rx=1" % setup.pcap,
            "--vdev", "net_virtio_user0,path=%s,server=1,queue_size=1024,mac=02:00:00:00:01:01" % self.paths[0],
            "--vdev", "net_virtio_user1,path=%s,server=1,queue_size=1024,mac=02:00:00:00:01:02" % self.paths[1],
            "--vdev", "net_null0,no-rx=1", "--", "-i", "--forward-mode=io", "--nb-cores=1", "--port-topology=paired",
            "--total-num-mbufs=%d" % (setup.packets + 16384), "--no-flush-rx"], self.directory, stdin=True)
        # The second socket comes when the first has been connected to.
        self.process.wait_for(lambda: os.path.exists(self.paths[0]), 60, "socket")

    def send(self):
        """To be called when the switch has connected."""
        self.process.wait_for(lambda: "testpmd>" in self.process.text(), 60, "prompt")
        self.process.say("start")

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None
