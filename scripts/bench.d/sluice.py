"""Sluice, from the build directory: configuration, run directory and all in the temporary directory."""
import json
import os
import shutil
import socket
import time

import tunnels
from floor import PMD_CORE
from machine import Share, pinned_thread
from process import Failed, Process, run

# A packet buffer: rte_mbuf of 128 bytes, Sluice's private area, headroom, data, the mempool's own.
BUFFER_OVERHEAD = 128 + 320 + 128 + 64 + 64


class Sluice:
    name = "sluice"

    def __init__(self, directory, build):
        self.directory = os.path.join(directory, "sluice")
        self.build = build
        self.process = self.share = None

    @staticmethod
    def megaflow_limit(setup):
        return setup.sluice.get("megaflow_limit", 1000000)

    @staticmethod
    def mbufs(setup):
        return setup.packets + 65536

    @classmethod
    def memory_mb(cls, setup):
        packets = cls.mbufs(setup) * (cls.mbuf_size(setup) + BUFFER_OVERHEAD)
        return packets // 2**20 + 256

    @staticmethod
    def mbuf_size(setup):
        return 2048 if setup.vhost or setup.kernel else 1024

    @property
    def management(self):
        return "unix:%s/br0.mgmt" % self.directory

    @property
    def control(self):
        return self.directory + "/sluiced.ctl"

    @property
    def pid(self):
        return self.process.pid

    def configuration(self, setup):
        ports = [{"name": "p%d" % n, "ofport": n, "type": "dpdk", "devargs": devargs, "mtu": 800} for n, devargs in setup.ports]
        ports += [{"name": "p%d" % n, "ofport": n, "type": "vhost-user", "mode": "client", "path": path}
                  for n, path in setup.vhost]
        ports += [{"name": "p%d" % n, "ofport": n, "type": "system", "ifname": ifname} for n, ifname in setup.kernel]
        if setup.tunnel:
            ports += [{"name": "t1", "ofport": 2, "type": setup.tunnel.type,
                       "tunnel": {"remote_ip": tunnels.PEER, "key": tunnels.KEY}}]
        return {
            "run_dir": self.directory,
            "dpdk": {"eal_args": ["--no-pci", "--in-memory", "-m", str(self.memory_mb(setup)), "--file-prefix",
                                  "sluice-bench"], "hugepages": True, "mbufs": self.mbufs(setup),
                     "mbuf_size": self.mbuf_size(setup)},
            "pmd": dict({"cores": setup.cores, "emc_entries": setup.emc_entries},
                        **({"megaflow_limit": setup.flow_limit} if setup.flow_limit else {}), **setup.sluice),
            "control": {} if 0 in setup.cores else {"core": 0},
            "log": {"level": "warn"},
            "bridges": [{"name": "br0", "fail_mode": "secure", "ports": ports}] + self.underlay(setup.tunnel),
        }

    @staticmethod
    def underlay(tunnel):
        if not tunnel:
            return []
        return [{"name": tunnels.BRIDGE, "fail_mode": "standalone", "ports": [
            {"name": tunnels.BRIDGE, "ofport": "LOCAL", "type": "tap", "mac": tunnels.HERE_MAC},
            {"name": "u1", "ofport": 1, "type": "dpdk", "devargs": tunnel.devargs, "mtu": 800}]}]

    def start(self, setup):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        path = os.path.join(self.directory, "config.json")
        with open(path, "w") as file:
            json.dump(self.configuration(setup), file, indent=2)
        self.process = Process("sluiced", [self.build + "/sluiced", path], self.directory, core="0-%d" % (os.cpu_count() - 1))
        # A virtual machine whose host gives it memory as it is touched takes 10 ms for 2 MB, on a quiet machine.
        patience = 120 + self.memory_mb(setup) // 20
        self.process.wait_for(lambda: os.path.exists(self.directory + "/sluiced.ctl"), patience, "control socket")
        self.wait_for_control_socket()
        if setup.rules:
            self.load(setup.rules, bundle=True)
        if setup.tunnel:
            tunnels.addresses(self.ctl)
        self.share = Share(pinned_thread(self.pid, PMD_CORE))

    def wait_for_control_socket(self):
        def answers():
            try:
                return self.ctl("version")
            except OSError:
                return False

        self.process.wait_for(answers, 30, "answer")

    def ctl(self, *words):
        """One request on the control socket: without a process of its own, which would take time from the control thread."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(self.control)
            connection.sendall(json.dumps({"id": 0, "method": words[0], "params": list(words[1:])}).encode())
            received = b""
            while True:
                part = connection.recv(1 << 20)
                received += part
                try:
                    reply = json.loads(received)
                    break
                except ValueError:
                    if not part:
                        raise Failed("sluice: no answer to %s" % words[0]) from None
        if reply.get("error"):
            raise Failed("sluice: %s: %s" % (words[0], reply["error"]))
        return reply["result"]

    def ask(self, *words):
        return json.loads(self.ctl(words[0], "--json", *words[1:]))

    def load(self, path, bundle=False, timeout=900):
        options = ["-O", "OpenFlow14", "--bundle"] if bundle else ["-O", "OpenFlow13"]
        begin = time.monotonic()
        run(["ovs-ofctl", "-t", str(timeout), *options, "add-flows", self.management, path], timeout=timeout + 10)
        return time.monotonic() - begin

    def threads(self):
        return self.ask("pmd")

    def dropped(self):
        return sum(self.ask("drops").values())

    def counters(self):
        """Sums over the poll-mode threads, in the words of Ovs.counters()."""
        threads = self.threads()

        def total(key):
            return sum(t[key] for t in threads)

        return {"rx": total("rx_packets"), "processing": total("cycles_busy"),
                "total": total("cycles_busy") + total("cycles_idle") + total("cycles_asleep"), "lost": 0}

    def unsettled(self):
        """Packets so far that no cache knew."""
        return sum(t["misses"] + t["parked"] for t in self.threads())

    def clear(self):
        self.ctl("pmd", "clear")

    def tsc_hz(self):
        return self.threads()[0]["tsc_hz"]

    def measure(self, seconds):
        before = self.dropped()
        self.clear()
        self.share.begin()
        time.sleep(seconds)
        threads = self.threads()
        share = self.share.end()
        lost = self.dropped() - before

        def total(key):
            return sum(t[key] for t in threads)

        rx = max(total("rx_packets"), 1)
        all_in = total("cycles_busy") + total("cycles_idle") + total("cycles_asleep")
        return {
            "cycles": total("cycles_busy") * share / rx, "all_in": all_in * share / rx, "share": share, "lost": lost / rx,
            "port_program": total("port_program_hits") / rx, "emc": total("emc_hits") / rx,
            "classifier": total("tss_hits") / rx,
            "tuples": total("tss_lookups") / max(total("tss_hits") + total("misses"), 1),
            "mpps": rx * threads[0]["tsc_hz"] * len(threads) / all_in / share / 1e6 if all_in else 0.0,
            "longest_turn_us": max(t["longest_turn_us"] for t in threads), "rx": rx,
            "stages": {s: sum(t["stage_cycles"][s] for t in threads) / rx for s in threads[0]["stage_cycles"]},
        }

    def measure_threads(self, cores, seconds):
        """By core: cycles a packet of the poll-mode thread's own time, and how much of its core it had."""
        shares = {core: Share(pinned_thread(self.pid, core)) for core in cores}
        self.clear()
        for share in shares.values():
            share.begin()
        time.sleep(seconds)
        threads = {t["core"]: t for t in self.threads()}
        rows = {}
        for core in cores:
            share, rx = shares[core].end(), threads[core]["rx_packets"]
            if rx == 0:
                raise Failed("sluice: the thread on core %d received nothing" % core)
            rows[core] = {"cycles": threads[core]["cycles_busy"] * share / rx, "share": share}
        return rows

    def stop(self):
        if self.process:
            self.process.stop()
        self.process = self.share = None
        shutil.rmtree(self.directory, ignore_errors=True)
